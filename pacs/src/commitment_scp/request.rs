//! PS3.4 J.3.2.1.1, the Action Information of a Storage Commitment request, read as hostile as any other data set.

use std::collections::HashSet;

use dicom_header::{HeaderReader, JsonAttribute, JsonDataSet, JsonModelError, Limits, PlainDataSet};
use model::{SopClassUid, SopInstanceUid, SopReference, TransferSyntaxUid, uid::check_uid};

use super::{
    REFERENCED_SOP_CLASS_UID, REFERENCED_SOP_INSTANCE_UID, REFERENCED_SOP_SEQUENCE, TRANSACTION_UID,
};
use crate::{dimse::status, query_retrieve::response::Refused};

/// Sequences inside sequences: there is one, and what some peers put into its items.
const SEQUENCE_DEPTH_MAX: usize = 4;
/// Elements of one item: class, instance, storage media.
const ELEMENTS_PER_ITEM_MAX: u64 = 16;
/// Bytes of one item.
const ITEM_LENGTH_MAX_BYTES: usize = 512;
/// Bytes and elements around the items.
const REST_LENGTH_MAX_BYTES: usize = 64 * 1024;
const REST_ELEMENTS_MAX: u64 = 256;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitmentRequest {
    /// Transaction UID (0008,1195).
    pub transaction_uid: String,
    /// Referenced SOP Sequence (0008,1199), each instance once.
    pub references: Vec<SopReference>,
}

/// Longest data set of a request for so many instances.
pub fn length_max(references_max: u32) -> usize {
    REST_LENGTH_MAX_BYTES + ITEM_LENGTH_MAX_BYTES * references_max as usize
}

fn refused(comment: &str) -> Refused {
    Refused::saying(status::INVALID_ARGUMENT_VALUE, comment)
}

impl CommitmentRequest {
    /// Reads a whole data set.
    ///
    /// # Errors
    /// When it is none, has no Transaction UID, or names no instance, or too many.
    pub fn read(
        transfer_syntax: &TransferSyntaxUid,
        bytes: &[u8],
        references_max: u32,
    ) -> Result<Self, Refused> {
        let limits = Limits {
            sequence_depth_max: SEQUENCE_DEPTH_MAX,
            elements_max: REST_ELEMENTS_MAX + ELEMENTS_PER_ITEM_MAX * u64::from(references_max),
            memory_max_bytes: 4 * length_max(references_max),
            ..Limits::default()
        };
        let mut reader = HeaderReader::new(transfer_syntax, limits);
        let read = reader.push(bytes).and_then(|()| reader.finish_plain());
        let PlainDataSet { json, .. } =
            read.map_err(|error| refused(&format!("the Action Information cannot be read: {error}")))?;
        let unreadable = |_| refused("the Action Information holds a value that is none");
        let data_set = JsonDataSet::parse(&json).map_err(unreadable)?;
        let transaction_uid = text(data_set.0.get(&TRANSACTION_UID)).map_err(unreadable)?;
        if check_uid(&transaction_uid).is_err() {
            return Err(refused("there is no Transaction UID"));
        }
        let sequence = data_set.0.get(&REFERENCED_SOP_SEQUENCE).copied().unwrap_or_default();
        let references = read_references(&sequence, references_max)?;
        if references.is_empty() {
            return Err(refused("the Referenced SOP Sequence names no instance"));
        }
        Ok(Self { transaction_uid, references })
    }
}

fn text(attribute: Option<&JsonAttribute<'_>>) -> Result<String, JsonModelError> {
    attribute.map_or_else(|| Ok(String::new()), JsonAttribute::plain_text)
}

/// Why an item is not taken.
enum Wrong {
    Json,
    Reference,
    TooMany,
}

impl From<JsonModelError> for Wrong {
    fn from(_: JsonModelError) -> Self {
        Self::Json
    }
}

fn read_references(sequence: &JsonAttribute<'_>, references_max: u32) -> Result<Vec<SopReference>, Refused> {
    let mut references = Vec::new();
    let mut seen = HashSet::new();
    let read = sequence.each_value(|item| {
        let item = JsonDataSet::parse(item.get())?;
        let class = SopClassUid::parse(&text(item.0.get(&REFERENCED_SOP_CLASS_UID))?);
        let instance = SopInstanceUid::parse(&text(item.0.get(&REFERENCED_SOP_INSTANCE_UID))?);
        let (Ok(sop_class_uid), Ok(sop_instance_uid)) = (class, instance) else {
            return Err(Wrong::Reference);
        };
        let reference = SopReference { sop_class_uid, sop_instance_uid };
        if seen.insert(reference.clone()) {
            references.push(reference);
        }
        if references.len() > references_max as usize { Err(Wrong::TooMany) } else { Ok(()) }
    });
    match read {
        Ok(()) => Ok(references),
        Err(Wrong::Json) => Err(refused("the Referenced SOP Sequence cannot be read")),
        Err(Wrong::Reference) => Err(refused("an item of the Referenced SOP Sequence has no two UIDs")),
        Err(Wrong::TooMany) => Err(too_many(references_max)),
    }
}

/// More instances than one transaction may have.
pub fn too_many(references_max: u32) -> Refused {
    let comment = format!("more than {references_max} instances: ask in several transactions");
    Refused::saying(status::RESOURCE_LIMITATION, comment)
}

#[cfg(test)]
mod tests {
    use dicom_header::VR;
    use model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;

    use super::*;
    use crate::query_retrieve::data_set::DataSet;

    fn item(class: &str, instance: &str) -> DataSet {
        let mut item = DataSet::default();
        item.text(REFERENCED_SOP_CLASS_UID, VR::UI, class);
        item.text(REFERENCED_SOP_INSTANCE_UID, VR::UI, instance);
        item
    }

    fn read(transaction_uid: &str, items: Vec<DataSet>) -> Result<CommitmentRequest, u16> {
        let mut data_set = DataSet::default();
        data_set.text(TRANSACTION_UID, VR::UI, transaction_uid).items(REFERENCED_SOP_SEQUENCE, items);
        read_bytes(&data_set.encode(true, ""))
    }

    fn read_bytes(bytes: &[u8]) -> Result<CommitmentRequest, u16> {
        let syntax = TransferSyntaxUid::parse(IMPLICIT_VR_LITTLE_ENDIAN).expect("a UID");
        CommitmentRequest::read(&syntax, bytes, 2).map_err(|refused| refused.status)
    }

    #[test]
    fn a_request_names_each_instance_once() {
        let found = read("1.2.3", vec![item("1.2", "1.3"), item("1.2", "1.4"), item("1.2", "1.3")]);
        let found = found.expect("a request");
        assert_eq!(found.transaction_uid, "1.2.3");
        let uids: Vec<_> = found.references.iter().map(|one| one.sop_instance_uid.as_str()).collect();
        assert_eq!(uids, ["1.3", "1.4"]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let one = || item("1.2", "1.3");
        let invalid = status::INVALID_ARGUMENT_VALUE;
        for (transaction_uid, items, expected) in [
            ("", vec![one()], invalid),
            ("x", vec![one()], invalid),
            ("1.2", Vec::new(), invalid),
            ("1.2", vec![one(), item("1.2", "")], invalid),
            ("1.2", vec![one(), DataSet::default()], invalid),
            ("1.2", vec![one(), item("1.2", "1.4"), item("1.2", "1.5")], status::RESOURCE_LIMITATION),
        ] {
            assert_eq!(read(transaction_uid, items), Err(expected), "{transaction_uid}");
        }
        assert_eq!(read_bytes(b""), Err(invalid));
        assert_eq!(read_bytes(b"\x08\0\x95\x11\xff\xff\xff\x7f1.2"), Err(invalid));
    }
}
