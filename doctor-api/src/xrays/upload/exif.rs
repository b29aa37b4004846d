//! Exif 2.32 4.6.4: which way up a picture is. Nothing else of it is read, and none of it is kept.

/// Orientation (0x0112).
const ORIENTATION: u16 = 0x0112;
/// Entries of the directory that are looked at.
const ENTRIES_MAX: u16 = 512;

/// Orientation, 1 to 8, of a TIFF structure as it lies in a JPEG's APP1 or a PNG's eXIf; 1 when nothing says otherwise.
pub fn orientation(tiff: &[u8]) -> u8 {
    read(tiff).filter(|value| (1..=8).contains(value)).and_then(|value| u8::try_from(value).ok()).unwrap_or(1)
}

fn read(tiff: &[u8]) -> Option<u16> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = <[u8; 2]>::try_from(tiff.get(at..at.checked_add(2)?)?).ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = <[u8; 4]>::try_from(tiff.get(at..at.checked_add(4)?)?).ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = short(directory)?.min(ENTRIES_MAX);
    (0..usize::from(entries)).find_map(|entry| {
        let at = directory.checked_add(2 + entry * 12)?;
        (short(at)? == ORIENTATION).then(|| short(at + 8)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_and_nonsense() {
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0";
        assert_eq!((orientation(little), orientation(big)), (6, 8));
        let far = b"II*\0\xff\xff\xff\xff";
        for tiff in [&b""[..], b"II*\0", far, &little[..19], b"II*\0\x08\0\0\0\xff\xff"] {
            assert_eq!(orientation(tiff), 1);
        }
    }
}
