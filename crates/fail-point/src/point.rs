//! The list of fail points, by the numbers that the durability contract gives to its kill points.

macro_rules! points {
    ($($name:ident: $means:literal,)*) => {
        /// A place in the code. The number is that of the kill point in the durability contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Point {
            $(#[doc = $means] $name,)*
        }

        impl Point {
            /// Every point, in the order of an instance's way.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name, as a test gives it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What has just happened, or is about to.
            pub fn means(self) -> &'static str {
                match self {
                    $(Self::$name => $means,)*
                }
            }
        }
    };
}

points! {
    K1Accepted: "a DICOM connection was accepted",
    K2Associated: "an association was accepted",
    K3PartCreated: "the part in the spool was made",
    K4Streaming: "bytes of a data set came",
    K5LastByteWritten: "the last byte of the object was written",
    K6BeforeFileSync: "the object's file is about to be synced",
    K7FileSynced: "the object's file was synced",
    K9BeforeRename: "the object is about to get its name",
    K10Renamed: "the object has its name; its directory is not synced",
    K11ShardSynced: "the object is durable; the database knows nothing",
    K12TransactionBegun: "the transaction of a group of instances was begun",
    K13InstanceWritten: "rows of instances were written, not committed",
    K14StudyWritten: "rows of patients, studies and series were written, not committed",
    K15EventWritten: "events were written, not committed",
    K16AuditWritten: "audit records were written, not committed",
    K17BeforeCommit: "a transaction is about to be committed",
    K19Committed: "a group of instances was committed, nobody was answered",
    K20AnswerHalfWritten: "half of a C-STORE response was written",
    K21Answered: "a C-STORE response was written",
    K22UploadBegun: "a multipart upload was begun",
    K23PartUploaded: "a part of an upload arrived",
    K24PartsUploaded: "all parts arrived; the upload is not completed",
    K25UploadCompleted: "the object is in the bucket; its length was not asked for",
    K26LengthCompared: "the object is in the bucket and its length is right; the database knows nothing",
    K29BatchClaimed: "the relay read events from the outbox",
    K30Published: "the relay published them; they are not marked",
    K32Marked: "the relay marked them",
    K33PreviewBegun: "a preview is about to be made",
    K33PreviewHalfWritten: "a preview is written, its thumbnail is not",
    K33PreviewWritten: "both pictures are objects that no row names",
    K33PreviewNoted: "the row names both pictures",
    K34RowsErased: "the rows of an erased patient are gone; keys and objects are not",
    K35ObjectRemoved: "a dropped object was removed; its row is there",
    K36OrphansListed: "objects without rows were looked for; none is removed",
    K37OrphanRemoved: "an object without a row was removed, others are not",
    K38KeyRewrapped: "a patient key is wrapped by the new root key, others are not",
    K38SealedAnew: "an object was sealed anew; no row names the new one",
    K38RowReplaced: "a row names the object that was sealed anew",
    K39KeyDestroyed: "a key was destroyed; the database still has it to destroy",
    K40CheckpointStored: "an audit checkpoint is in the database, not in its file",
    K40CheckpointHalfWritten: "half an audit checkpoint is in its file",
    K41Migrated: "a migration of the schema was committed, the next is not begun",
    K44Draining: "the server was told to stop while associations are open",
}
