//! PS3.4 C.1.4 and C.2.2.1: the Identifier of a request, read as hostile as any other data set.

use std::collections::BTreeMap;

use dicom_header::{HeaderReader, JsonAttribute, JsonDataSet, JsonModelError, Limits, PlainDataSet};
use model::TransferSyntaxUid;

use super::{
    information_model::{QUERY_RETRIEVE_LEVEL, QueryLevel},
    response::Refused,
};
use crate::{
    association::Association,
    backend::Backend,
    dimse::{command_set::CommandSet, status},
    upper_layer::{End, framing::Transport, negotiation::PresentationContext},
};

/// Longest Identifier: a list of 4,000 UIDs of the greatest length, a request for as many instances.
const IDENTIFIER_LENGTH_MAX_BYTES: usize = 256 * 1024;
/// Elements and items of it.
const ELEMENTS_MAX: u64 = 4096;
/// Sequences inside sequences: keys are matched in one.
const SEQUENCE_DEPTH_MAX: usize = 8;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Key {
    /// Its value; several with backslashes between.
    pub value: String,
    /// The keys in the first item of a sequence. More items than one are not allowed (PS3.4 C.2.2.2.6).
    pub item: BTreeMap<u32, Key>,
}

/// What is asked for, without a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// By tag.
    pub keys: BTreeMap<u32, Key>,
    /// Specific Character Set as it was sent: answers are best understood in it.
    pub character_set: String,
}

/// The Identifier of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    /// Query/Retrieve Level (0008,0052).
    pub level: QueryLevel,
    /// Everything else by tag.
    pub keys: BTreeMap<u32, Key>,
    /// Specific Character Set as it was sent: answers are best understood in it.
    pub character_set: String,
}

impl Keys {
    /// Reads a whole data set.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(transfer_syntax: &TransferSyntaxUid, bytes: &[u8]) -> Result<Self, Refused> {
        let limits = Limits {
            sequence_depth_max: SEQUENCE_DEPTH_MAX,
            elements_max: ELEMENTS_MAX,
            value_max_bytes: IDENTIFIER_LENGTH_MAX_BYTES as u64,
            ..Limits::default()
        };
        let mut reader = HeaderReader::new(transfer_syntax, limits);
        let read = reader.push(bytes).and_then(|()| reader.finish_plain());
        let PlainDataSet { json, specific_character_set } = read.map_err(|error| {
            Refused::saying(status::UNABLE_TO_PROCESS, format!("the Identifier cannot be read: {error}"))
        })?;
        let unreadable =
            |_| Refused::saying(status::UNABLE_TO_PROCESS, "the Identifier holds a value that is none");
        let keys = read_keys(&JsonDataSet::parse(&json).map_err(unreadable)?, 0).map_err(unreadable)?;
        Ok(Self { keys, character_set: specific_character_set })
    }
}

impl Identifier {
    /// Reads a whole data set.
    ///
    /// # Errors
    /// When it is none, or has no level.
    pub fn read(transfer_syntax: &TransferSyntaxUid, bytes: &[u8]) -> Result<Self, Refused> {
        let Keys { mut keys, character_set } = Keys::read(transfer_syntax, bytes)?;
        let level = keys.remove(&QUERY_RETRIEVE_LEVEL).unwrap_or_default();
        let level = QueryLevel::parse(&level.value).ok_or_else(|| {
            Refused::saying(
                status::IDENTIFIER_DOES_NOT_MATCH,
                "Query/Retrieve Level is not PATIENT, STUDY, SERIES or IMAGE",
            )
            .at(QUERY_RETRIEVE_LEVEL)
        })?;
        Ok(Self { level, keys, character_set })
    }

    /// The values of a key; none for universal matching.
    pub fn values(&self, tag: u32) -> Vec<&str> {
        let value = self.keys.get(&tag).map_or("", |key| key.value.as_str());
        value.split('\\').map(str::trim).filter(|value| !value.is_empty()).collect()
    }
}

fn read_keys(data_set: &JsonDataSet<'_>, depth: usize) -> Result<BTreeMap<u32, Key>, JsonModelError> {
    let mut keys = BTreeMap::new();
    for (tag, attribute) in &data_set.0 {
        let is_group_length = *tag as u16 == 0;
        if !is_group_length {
            keys.insert(*tag, read_key(attribute, depth)?);
        }
    }
    Ok(keys)
}

fn read_key(attribute: &JsonAttribute<'_>, depth: usize) -> Result<Key, JsonModelError> {
    let mut key = Key::default();
    if attribute.vr()?.as_deref() == Some("SQ") {
        if depth < SEQUENCE_DEPTH_MAX {
            attribute.each_value(|item| {
                if key.item.is_empty() {
                    key.item = read_keys(&JsonDataSet::parse(item.get())?, depth + 1)?;
                }
                Ok::<_, JsonModelError>(())
            })?;
        }
    } else {
        key.value = attribute.plain_text()?;
    }
    Ok(key)
}

/// Receives the Identifier of a request and reads it. The inner result is for the answer.
pub(crate) async fn receive<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<Result<Identifier, Refused>, End> {
    let received = receive_bytes(association, context, command).await?;
    Ok(received.and_then(|bytes| Identifier::read(&context.transfer_syntax, &bytes)))
}

/// The same of an Identifier without a level.
pub(crate) async fn receive_keys<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<Result<Keys, Refused>, End> {
    let received = receive_bytes(association, context, command).await?;
    Ok(received.and_then(|bytes| Keys::read(&context.transfer_syntax, &bytes)))
}

async fn receive_bytes<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<Result<Vec<u8>, Refused>, End> {
    if !command.has_data_set {
        let refused = Refused::saying(status::IDENTIFIER_DOES_NOT_MATCH, "there is no Identifier");
        return Ok(Err(refused));
    }
    let received = association.receive_data_set(context, IDENTIFIER_LENGTH_MAX_BYTES).await?;
    Ok(received.ok_or_else(|| Refused::saying(status::OUT_OF_RESOURCES, "the Identifier is too long")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPLICIT: &str = "1.2.840.10008.1.2";

    fn element(tag: u32, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((tag >> 16) as u16).to_le_bytes().to_vec();
        bytes.extend(((tag & 0xFFFF) as u16).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(value);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Identifier, Refused> {
        Identifier::read(&TransferSyntaxUid::parse(IMPLICIT).expect("a UID"), bytes)
    }

    #[test]
    fn keys_of_every_kind() {
        let item = element(0x0040_1001, b"RP1 ");
        let sequence = [&b"\xfe\xff\x00\xe0"[..], &(item.len() as u32).to_le_bytes(), &item].concat();
        let bytes = [
            element(0x0008_0005, b"ISO_IR 100"),
            element(0x0008_0020, b"20240101-20240131 "),
            element(0x0008_0052, b"STUDY "),
            element(0x0010_0010, b"M\xfcller*=x"),
            element(0x0020_000D, b"1.2\\3.4\0"),
            element(0x0020_1208, b""),
            element(0x0028_0010, &[16, 0]),
            element(0x0040_0275, &sequence),
        ]
        .concat();
        let found = read(&bytes).expect("an identifier");
        assert_eq!((found.level, found.character_set.as_str()), (QueryLevel::Study, "ISO_IR 100"));
        let value = |tag: u32| found.keys[&tag].value.as_str();
        assert_eq!(value(0x0008_0020), "20240101-20240131");
        assert_eq!(value(0x0010_0010), "M\u{fc}ller*=x");
        assert_eq!(found.values(0x0020_000D), ["1.2", "3.4"]);
        assert_eq!(found.values(0x0020_1208), [""; 0]);
        assert_eq!(value(0x0028_0010), "16");
        assert_eq!(found.keys[&0x0040_0275].item[&0x0040_1001].value, "RP1");
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        let good = element(0x0008_0052, b"STUDY ");
        assert!(read(&good).is_ok());
        for (bytes, expected) in [
            (Vec::new(), status::IDENTIFIER_DOES_NOT_MATCH),
            (element(0x0008_0052, b"WORLD "), status::IDENTIFIER_DOES_NOT_MATCH),
            (good[..9].to_vec(), status::UNABLE_TO_PROCESS),
            ([good, element(0x0010_0020, b"x")[..7].to_vec()].concat(), status::UNABLE_TO_PROCESS),
        ] {
            assert_eq!(read(&bytes).map_err(|refused| refused.status), Err(expected), "{bytes:?}");
        }
    }

    // threats.md row 14
    #[test]
    fn a_tower_of_sequences_does_not_come_in() {
        let mut bytes = element(0x0008_0052, b"STUDY ");
        for _ in 0..10_000 {
            bytes.extend(b"\x40\x00\x75\x02\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff");
        }
        assert_eq!(read(&bytes).map_err(|refused| refused.status), Err(status::UNABLE_TO_PROCESS));
    }
}
