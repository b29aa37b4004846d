//! One checkpoint: how long each chain was and what its last hash was, at some time, signed.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};
use database::{ChainHead, Encoder};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key::{SigningKey, is_signed};

/// Stands before what is signed.
const DOMAIN: &str = "MaxRay audit checkpoint 1";

/// A line that is no checkpoint, or not what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACheckpoint {
    /// Not of this form.
    #[error("the line is not a checkpoint")]
    Form,
    /// Changed after it was signed.
    #[error("the signature does not fit")]
    Signature,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The node whose chain it is.
    pub chain_id: Uuid,
    /// Number of the last record.
    pub sequence: i64,
    /// Its hash.
    #[serde(with = "hex")]
    pub hash: [u8; 32],
}

impl From<ChainHead> for Head {
    fn from(head: ChainHead) -> Self {
        Self { chain_id: head.chain_id, sequence: head.sequence, hash: head.hash }
    }
}

/// A signed statement about every chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The node that signed.
    pub node_id: Uuid,
    /// Its place among the checkpoints of that node: 1, 2, 3 without a gap.
    pub number: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The chains.
    pub heads: Vec<Head>,
    /// Digest of that node's checkpoint before; zeros before the first.
    #[serde(with = "hex")]
    pub previous: [u8; 32],
    /// Public key, base64.
    pub key: String,
    /// Ed25519 signature of the digest, base64.
    pub signature: String,
}

impl Checkpoint {
    /// Makes the one after `last`.
    pub fn sign(
        key: &SigningKey,
        node_id: Uuid,
        last: Option<&Self>,
        at: DateTime<Utc>,
        heads: Vec<Head>,
    ) -> Self {
        let mut checkpoint = Self {
            node_id,
            number: last.map_or(0, |last| last.number) + 1,
            at,
            heads,
            previous: last.map_or([0; 32], Self::digest),
            key: BASE64.encode(key.public()),
            signature: String::new(),
        };
        checkpoint.signature = BASE64.encode(key.sign(&checkpoint.digest()));
        checkpoint
    }

    /// Reads a line and checks the signature against the key that stands in it: whose key that is, the caller must
    /// know.
    pub fn parse(line: &str) -> Result<Self, NotACheckpoint> {
        let checkpoint: Self = serde_json::from_str(line).map_err(|_| NotACheckpoint::Form)?;
        let (Ok(key), Ok(signature)) = (BASE64.decode(&checkpoint.key), BASE64.decode(&checkpoint.signature))
        else {
            return Err(NotACheckpoint::Form);
        };
        if !is_signed(&key, &checkpoint.digest(), &signature) {
            return Err(NotACheckpoint::Signature);
        }
        Ok(checkpoint)
    }

    /// The line, without its end.
    ///
    /// # Panics
    /// Never: these fields always become JSON.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("plain fields always become JSON")
    }

    /// What is signed: the fields as `docs/audit.md` has them.
    pub fn digest(&self) -> [u8; 32] {
        let mut encoder = Encoder::new(DOMAIN);
        encoder.uuid(Some(self.node_id)).number(self.number).number(self.at.timestamp_micros());
        encoder.bytes(&self.previous);
        for head in &self.heads {
            encoder.uuid(Some(head.chain_id)).number(head.sequence).bytes(&head.hash);
        }
        encoder.finish()
    }

    /// What it says of a chain.
    pub fn head(&self, chain_id: Uuid) -> Option<&Head> {
        self.heads.iter().find(|head| head.chain_id == chain_id)
    }
}

/// Hashes as 64 hexadecimal digits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&model::text::hex(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(D::Error::custom("not 64 hexadecimal digits"));
        }
        for (index, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(D::Error::custom)?;
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_cannot_be_changed() {
        let directory = tempfile::tempdir().expect("directory");
        let key = SigningKey::open(directory.path()).expect("key");
        let at = DateTime::from_timestamp(1_800_000_000, 0).expect("time");
        let head = |sequence| Head { chain_id: Uuid::from_u128(1), sequence, hash: [7; 32] };
        let first = Checkpoint::sign(&key, Uuid::from_u128(1), None, at, vec![head(3)]);
        let second = Checkpoint::sign(&key, Uuid::from_u128(1), Some(&first), at, vec![head(5)]);
        assert_eq!((first.number, second.number, second.previous), (1, 2, first.digest()));
        assert_eq!(Checkpoint::parse(&second.line()), Ok(second.clone()));
        for (from, to) in
            [("\"number\":2", "\"number\":3"), ("\"sequence\":5", "\"sequence\":4"), ("0707", "0708")]
        {
            let changed = second.line().replacen(from, to, 1);
            assert_ne!(changed, second.line());
            assert_eq!(Checkpoint::parse(&changed), Err(NotACheckpoint::Signature), "{from}");
        }
        assert_eq!(Checkpoint::parse("{\"version\":1}"), Err(NotACheckpoint::Form));
        let again = SigningKey::open(directory.path()).expect("key");
        assert_eq!(again.public(), key.public(), "the key stays");
    }
}
