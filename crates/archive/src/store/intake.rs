//! The one pass over an instance's bytes: read, hashed and written at once.
//!
//! The object is our own preamble and file meta group (PS3.10 7.1) and then the data set exactly as it came.

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use dicom_header::{HeaderError, HeaderReader, Identity, Limits, encode_file_meta};
use fail_point::Point;
use model::{AeTitle, TransferSyntaxUid, instance::InstanceHeader};
use object_storage::{ObjectKind, ObjectStorage, ObjectWriter};

use super::StoreError;

/// The two UIDs that the file meta group needs stand among the first elements of a data set; what comes before
/// them waits in memory.
const HEAD_MAX_BYTES: usize = 1 << 20;

/// A data set on its way in.
pub(super) struct Intake {
    announced: Announced,
    header: HeaderReader,
    hash: digest::Context,
    data_set_length: u64,
    target: Target,
}

/// What is known before the data set, and where it goes.
pub(super) struct Announced {
    pub(super) storage: ObjectStorage,
    pub(super) transfer_syntax: TransferSyntaxUid,
    pub(super) source: Option<AeTitle>,
    pub(super) expected: Option<Identity>,
}

enum Target {
    /// The UIDs have not come yet.
    Head(BytesMut),
    Object(Box<Object>),
}

struct Object {
    writer: ObjectWriter,
    identity: Identity,
    data_set_offset: u64,
}

/// A data set that came whole. The object is not durable yet.
pub(super) struct Complete {
    pub(super) header: InstanceHeader,
    pub(super) object: ObjectWriter,
    pub(super) data_set_offset: u64,
    pub(super) data_set_length: u64,
    pub(super) data_set_sha256: [u8; 32],
}

impl Intake {
    pub(super) fn new(announced: Announced) -> Self {
        Self {
            header: HeaderReader::new(&announced.transfer_syntax, Limits::default()),
            announced,
            hash: digest::Context::new(&digest::SHA256),
            data_set_length: 0,
            target: Target::Head(BytesMut::new()),
        }
    }

    /// The instance's UIDs, as soon as they have come.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.header.identity()
    }

    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        fail_point::pass(Point::K4Streaming);
        self.header.push(&bytes)?;
        self.hash.update(&bytes);
        self.data_set_length += bytes.len() as u64;
        if let Target::Head(head) = &mut self.target {
            let Some(identity) = self.header.identity() else {
                if head.len() + bytes.len() > HEAD_MAX_BYTES {
                    return Err(HeaderError::MissingUid("SOPInstanceUID").into());
                }
                head.extend_from_slice(&bytes);
                return Ok(());
            };
            let head = std::mem::take(head).freeze();
            self.target = Target::Object(self.announced.open_object(identity, head).await?);
        }
        if let Target::Object(object) = &mut self.target {
            object.writer.write(bytes).await?;
        }
        Ok(())
    }

    pub(super) async fn abort(self) {
        self.target.abort().await;
    }

    /// The sender has said that this was all. After an error nothing is left of the object.
    pub(super) async fn finish(self) -> Result<Complete, StoreError> {
        let Self { announced, header, hash, data_set_length, target } = self;
        let header = match header.finish() {
            Ok(header) => header,
            Err(error) => {
                target.abort().await;
                return Err(error.into());
            }
        };
        let identity = Identity {
            sop_class_uid: header.instance.sop_class_uid.clone(),
            sop_instance_uid: header.instance.sop_instance_uid.clone(),
        };
        let object = match target {
            Target::Object(object) => object,
            Target::Head(head) => announced.open_object(identity.clone(), head.freeze()).await?,
        };
        // The file meta group was written from what came first.
        if let Err(error) = check_same(&object.identity, &identity) {
            object.writer.abort().await;
            return Err(error);
        }
        let mut data_set_sha256 = [0; 32];
        data_set_sha256.copy_from_slice(hash.finish().as_ref());
        let Object { writer, data_set_offset, .. } = *object;
        Ok(Complete { header, object: writer, data_set_offset, data_set_length, data_set_sha256 })
    }
}

impl Target {
    async fn abort(self) {
        if let Self::Object(object) = self {
            object.writer.abort().await;
        }
    }
}

impl Announced {
    /// Begins the object: the file meta group and what came so far.
    async fn open_object(&self, identity: Identity, head: Bytes) -> Result<Box<Object>, StoreError> {
        if let Some(expected) = &self.expected {
            check_same(expected, &identity)?;
        }
        let file_meta = encode_file_meta(
            &identity.sop_class_uid,
            &identity.sop_instance_uid,
            &self.transfer_syntax,
            self.source.as_ref(),
        );
        let data_set_offset = file_meta.len() as u64;
        let mut writer = self.storage.create(ObjectKind::Instance).await?;
        writer.write(Bytes::from(file_meta)).await?;
        writer.write(head).await?;
        Ok(Box::new(Object { writer, identity, data_set_offset }))
    }
}

fn check_same(announced: &Identity, found: &Identity) -> Result<(), StoreError> {
    if announced.sop_class_uid != found.sop_class_uid {
        return Err(StoreError::IdentityMismatch { attribute: "SOPClassUID" });
    }
    if announced.sop_instance_uid != found.sop_instance_uid {
        return Err(StoreError::IdentityMismatch { attribute: "SOPInstanceUID" });
    }
    Ok(())
}
