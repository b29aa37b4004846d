//! Boundaries and entity tags that depend on what is sent, and on nothing else.
//!
//! A client that joins byte ranges of one multipart body needs the same boundary in every answer. SHA-256 over the
//! content's own hashes gives that, and nobody can make content that holds a hash of itself.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

/// Collects what a payload is made of.
pub struct Fingerprint(Context);

impl Fingerprint {
    /// Starts with what kind of payload it is; a new form of the same payload needs a new name.
    pub fn new(kind: &str) -> Self {
        let mut fingerprint = Self(Context::new(&SHA256));
        fingerprint.add(kind.as_bytes());
        fingerprint
    }

    /// Adds a piece; its length counts too, so that pieces cannot run into each other.
    pub fn add(&mut self, piece: &[u8]) -> &mut Self {
        self.0.update(&(piece.len() as u64).to_be_bytes());
        self.0.update(piece);
        self
    }

    /// The boundary, and with quotes the entity tag, of the payload.
    pub fn finish(self) -> Boundary {
        let digest = self.0.finish();
        let mut text = String::with_capacity(7 + 40);
        text.push_str("maxray-");
        for byte in &digest.as_ref()[..20] {
            text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        Boundary(text)
    }
}

/// A boundary of 160 bits that needs no quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// The text after `--`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// RFC 9110 8.8.3: the same digest as a strong entity tag.
    pub fn entity_tag(&self) -> String {
        format!("\"{}\"", self.0.trim_start_matches("maxray-"))
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(pieces: &[&[u8]]) -> String {
        let mut fingerprint = Fingerprint::new("test");
        for piece in pieces {
            fingerprint.add(piece);
        }
        fingerprint.finish().to_string()
    }

    #[test]
    fn depends_on_the_pieces_alone() {
        assert_eq!(boundary(&[b"ab", b"c"]), boundary(&[b"ab", b"c"]));
        assert_ne!(boundary(&[b"ab", b"c"]), boundary(&[b"a", b"bc"]));
        assert_eq!(boundary(&[]).len(), 47);
        assert!(boundary(&[]).bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    }
}
