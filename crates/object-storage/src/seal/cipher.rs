//! The chunks of one object: AES-256-GCM with nonce = prefix, index, last flag (STREAM of Hoang, Reyhanitabar, Rogaway
//! and Vizár, 2015).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{Header, NONCE_PREFIX_BYTES, secret::Secret};

/// The data key of one object, ready for use.
pub(crate) struct ContentCipher {
    key: LessSafeKey,
    prefix: [u8; NONCE_PREFIX_BYTES],
    header_hash: [u8; 32],
}

impl ContentCipher {
    pub(crate) fn new(data_key: &Secret, header: &Header) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, data_key.bytes()).expect("32 bytes are a key");
        Self { key: LessSafeKey::new(key), prefix: header.nonce_prefix, header_hash: header.hash() }
    }

    fn nonce(&self, index: u32, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..NONCE_PREFIX_BYTES].copy_from_slice(&self.prefix);
        nonce[NONCE_PREFIX_BYTES..11].copy_from_slice(&index.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts `plain` into `sealed`, which is longer by the tag; false never happens for a chunk.
    pub(crate) fn seal(&self, index: u32, last: bool, plain: &[u8], sealed: &mut [u8]) -> bool {
        let (body, tag) = sealed.split_at_mut(plain.len());
        let aad = Aad::from(&self.header_hash);
        self.key.seal_out_of_place_scatter(self.nonce(index, last), aad, plain, body, &[], tag).is_ok()
    }

    /// Decrypts `sealed` (with its tag) where it lies, so that the plain bytes come to be at its beginning; `None` when anything differs.
    pub(crate) fn open<'a>(&self, index: u32, last: bool, sealed: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.key.open_in_place(self.nonce(index, last), Aad::from(&self.header_hash), sealed).ok()
    }
}
