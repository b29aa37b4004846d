//! Names of objects: made by the server alone, so that nothing from outside reaches a path.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of an object: a UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectKey(Uuid);

impl ObjectKey {
    /// A key that nothing has had before.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The key that the database kept as a UUID.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// What the database keeps.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// The last byte: the random end of a UUIDv7, so that objects spread evenly.
    pub(crate) fn shard(self) -> u8 {
        self.0.as_bytes()[15]
    }

    /// `xx/uuid`: where the object lies below the root of its store.
    pub(crate) fn path(self) -> String {
        format!("{:02x}/{}", self.shard(), self.0.hyphenated())
    }

    /// Reads the last part of [`Self::path`]; `None` for what this crate never writes.
    pub(crate) fn from_file_name(name: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(name).ok()?;
        (uuid.hyphenated().to_string() == name).then_some(Self(uuid))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl From<Uuid> for ObjectKey {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<ObjectKey> for Uuid {
    fn from(key: ObjectKey) -> Self {
        key.0
    }
}

/// The name of a key object, below `keys/` of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeyName {
    /// Which root key wraps the patient keys.
    Root,
    /// A patient key, wrapped.
    Patient(Uuid),
    /// Says that a patient key was destroyed and must not come back.
    Erased(Uuid),
    /// No key: how far the database was that goes with the store.
    Beat,
}

impl KeyName {
    /// The last part of its path.
    pub(crate) fn file_name(&self) -> String {
        match self {
            Self::Root => "root".to_owned(),
            Self::Patient(id) => id.hyphenated().to_string(),
            Self::Erased(id) => format!("{}.erased", id.hyphenated()),
            Self::Beat => "beat".to_owned(),
        }
    }

    /// Reads [`Self::file_name`]; `None` for what this crate never writes, and for what is no key.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if name == "root" {
            return Some(Self::Root);
        }
        let (id, erased) = name.strip_suffix(".erased").map_or((name, false), |id| (id, true));
        let ObjectKey(id) = ObjectKey::from_file_name(id)?;
        Some(if erased { Self::Erased(id) } else { Self::Patient(id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_back_and_nothing_else_is() {
        let key = ObjectKey::generate();
        let path = key.path();
        let (shard, name) = path.split_once('/').expect("shard");
        assert_eq!(shard.len(), 2);
        assert_eq!(ObjectKey::from_file_name(name), Some(key));
        for name in ["", "..", "x", &key.uuid().simple().to_string(), &name.to_uppercase()] {
            assert_eq!(ObjectKey::from_file_name(name), None, "{name}");
        }
    }
}
