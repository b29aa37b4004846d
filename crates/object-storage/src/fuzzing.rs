//! What must hold for any bytes whatever: the bodies of the fuzz targets of this crate, see `fuzz/README.md`.

use std::sync::OnceLock;

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    key::ObjectKey,
    seal::{
        ContentCipher, DataKey, HEADER_BYTES, Header, ObjectAltered, ObjectKind, Opener, SEAL_BYTES, Seal,
        Secret, TAG_BYTES, WrapKey, chunk_count, stored_length,
    },
};

/// Plain bytes of the object that is altered: two chunks, the second one short.
const LENGTH_BYTES: u64 = 65_536 + 100;

/// One object, as it is kept, and what opens it.
struct Kept {
    object: ObjectKey,
    key: WrapKey,
    seal: Seal,
    plain: Vec<u8>,
    stored: Vec<u8>,
}

fn kept() -> &'static Kept {
    static KEPT: OnceLock<Kept> = OnceLock::new();
    KEPT.get_or_init(|| {
        let object = ObjectKey::from(Uuid::from_u128(5));
        let key = WrapKey::new(&Secret::from_slice(&[7; 32]).expect("32 bytes"));
        let data_key = DataKey::generate(object, ObjectKind::Instance).expect("random numbers");
        let seal = data_key.seal(Uuid::from_u128(6), &key, LENGTH_BYTES).expect("a seal");
        let plain: Vec<u8> = (0..LENGTH_BYTES).map(|at| (at / 3) as u8).collect();
        let cipher = ContentCipher::new(&data_key.secret, &data_key.header);
        let mut stored = data_key.header.bytes().to_vec();
        let chunks = plain.chunks(65_536);
        let last = chunks.len() - 1;
        for (index, chunk) in chunks.enumerate() {
            let mut sealed = vec![0; chunk.len() + TAG_BYTES];
            assert!(cipher.seal(index as u32, index == last, chunk, &mut sealed));
            stored.extend_from_slice(&sealed);
        }
        stored.extend_from_slice(&seal.to_bytes());
        assert_eq!(stored.len() as u64, stored_length(LENGTH_BYTES));
        Kept { object, key, seal, plain, stored }
    })
}

/// MXE1 (`docs/object-format.md`): any bytes as a header, as a seal, and as what has become of a stored object. The
/// first bytes say where the rest of them are put into the object, and how it is cut into pieces.
///
/// # Panics
/// When a header or seal does not survive being written, or altered bytes give other plain bytes than were sealed.
pub fn object_format(input: &[u8]) {
    if let Some(header) = Header::parse(&input[..input.len().min(HEADER_BYTES)]) {
        assert_eq!(header.bytes(), input[..HEADER_BYTES]);
    }
    if let Some(seal) = Seal::parse(&input[..input.len().min(SEAL_BYTES)]) {
        assert_eq!(seal.to_bytes(), input[..SEAL_BYTES]);
        assert!(chunk_count(seal.length_bytes()) <= 1 << 32);
        let stranger = seal.header(kept().object);
        assert!(seal == kept().seal || seal.open(&stranger, &kept().key).is_err(), "a forged seal opens");
    }
    let [how, at @ .., size] = input.first_chunk::<5>().copied().unwrap_or_default();
    let rest = input.get(5..).unwrap_or_default();
    let kept = kept();
    let at = (u32::from_be_bytes([0, at[0], at[1], at[2]]) as usize) % kept.stored.len();
    let mut stored = kept.stored.clone();
    match how % 4 {
        0 => stored.truncate(at),
        1 => stored.extend_from_slice(rest),
        2 => {
            let end = stored.len().min(at + rest.len());
            stored[at..end].copy_from_slice(&rest[..end - at]);
        }
        _ => stored.rotate_left(at),
    }
    let data_key = kept.seal.open(&kept.seal.header(kept.object), &kept.key).expect("the true seal opens");
    let opened = open(&data_key, &stored, usize::from(size) * 256 + 1);
    if stored == kept.stored {
        assert_eq!(opened.expect("what was sealed opens"), kept.plain);
    } else {
        assert!(opened.is_err(), "altered bytes were opened");
    }
}

/// Every plain byte that goes out on the way is one that was sealed, in its place.
fn open(data_key: &Secret, stored: &[u8], size: usize) -> Result<Vec<u8>, ObjectAltered> {
    let kept = kept();
    let mut opener = Opener::new(&kept.seal.header(kept.object), &kept.seal, data_key, &(0..LENGTH_BYTES));
    let mut plain = Vec::new();
    for piece in stored.chunks(size) {
        let opened = opener.push(Bytes::copy_from_slice(piece))?;
        assert!(kept.plain[plain.len()..].starts_with(&opened), "other bytes than were sealed");
        plain.extend_from_slice(&opened);
    }
    if opener.is_done() { Ok(plain) } else { Err(ObjectAltered("it ends early")) }
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpus_object_format() {
        replay::replay("object_format", object_format);
    }
}
