//! ISO/IEC 15444-1 A and I, and 15444-15: the main header of a JPEG 2000 or HTJ2K codestream, and the boxes around it.

use super::codestream::{Head, Picture};

const LOSSLESS: &[&str] = &["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"];
const LOSSY: &[&str] = &["1.2.840.10008.1.2.4.91"];
const HT_LOSSLESS: &[&str] =
    &["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"];
const HT_LOSSY: &[&str] = &["1.2.840.10008.1.2.4.203"];

/// Reads the head of a codestream, or of a JP2 file around one: only the codestream is kept (PS3.5 A.4.4).
pub(super) fn read(head: &[u8]) -> Result<Picture, &'static str> {
    let (start, end) = codestream(head)?;
    let stream = usize::try_from(start).ok().and_then(|start| head.get(start..));
    let bytes = Head(stream.unwrap_or_default());
    if !bytes.0.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]) {
        return Err("the part is no JPEG 2000 codestream");
    }
    let truncated = "the JPEG 2000 header does not end early enough";
    let size = Size::read(&bytes).ok_or(truncated)?;
    let mut at = 4 + usize::from(bytes.u16(4).ok_or(truncated)?);
    let mut high_throughput = false;
    loop {
        let marker = bytes.u16(at).ok_or(truncated)?;
        let length = usize::from(bytes.u16(at + 2).ok_or(truncated)?);
        match marker {
            // Extended capabilities: part 15.
            0xFF50 => high_throughput = true,
            0xFF52 => {
                let transformed = bytes.u8(at + 8).ok_or(truncated)? != 0;
                let style = bytes.u8(at + 12).ok_or(truncated)?;
                let reversible = bytes.u8(at + 13).ok_or(truncated)? == 1;
                let high_throughput = high_throughput || style & 0x40 != 0;
                return size.picture(transformed, reversible, high_throughput, (start, end));
            }
            0xFF90 | 0xFF93 => return Err("the JPEG 2000 header has no coding style"),
            _ => {}
        }
        at += 2 + length.max(2);
    }
}

/// Where the codestream lies.
fn codestream(head: &[u8]) -> Result<(u64, Option<u64>), &'static str> {
    if !head.starts_with(b"\0\0\0\x0cjP  \r\n\x87\n") {
        return Ok((0, None));
    }
    let bytes = Head(head);
    let truncated = "the JP2 file has no codestream early enough";
    let mut at = 0_usize;
    loop {
        let length = u64::from(bytes.u32(at).ok_or(truncated)?);
        let kind = head.get(at + 4..at + 8).ok_or(truncated)?;
        let (content, length) = match length {
            // A length of 64 bits follows.
            1 => {
                let high = u64::from(bytes.u32(at + 8).ok_or(truncated)?);
                (16, high << 32 | u64::from(bytes.u32(at + 12).ok_or(truncated)?))
            }
            length => (8, length),
        };
        if kind == b"jp2c" {
            let start = (at + content) as u64;
            // 0: to the end of the file.
            let end = (length != 0).then(|| (at as u64).saturating_add(length)).filter(|end| *end > start);
            return Ok((start, end));
        }
        let next = usize::try_from(length).ok().filter(|length| *length >= content);
        at = next.and_then(|length| at.checked_add(length)).ok_or("the JP2 file has a malformed box")?;
    }
}

struct Size {
    columns: u16,
    rows: u16,
    components: u16,
    bits_stored: u16,
    signed: bool,
}

impl Size {
    /// The marker segment SIZ, which begins at 2.
    fn read(bytes: &Head<'_>) -> Option<Self> {
        let extent = |size: usize, offset: usize| {
            let extent = bytes.u32(size)?.checked_sub(bytes.u32(offset)?)?;
            // 0 means too large, or nothing: neither is taken.
            Some(u16::try_from(extent).unwrap_or(0))
        };
        let depth = bytes.u8(42)?;
        Some(Self {
            columns: extent(8, 16)?,
            rows: extent(12, 20)?,
            components: bytes.u16(40)?,
            bits_stored: u16::from(depth & 0x7F) + 1,
            signed: depth & 0x80 != 0,
        })
    }

    fn picture(
        &self,
        transformed: bool,
        reversible: bool,
        high_throughput: bool,
        (start, end): (u64, Option<u64>),
    ) -> Result<Picture, &'static str> {
        if self.rows == 0 || self.columns == 0 || self.bits_stored > 16 {
            return Err("the JPEG 2000 picture has no size that is taken");
        }
        let photometric_interpretation = match (self.components, transformed, reversible) {
            (1, ..) => "MONOCHROME2",
            (3, false, _) => "RGB",
            (3, true, true) => "YBR_RCT",
            (3, true, false) => "YBR_ICT",
            _ => return Err("the JPEG 2000 picture has neither one nor three components"),
        };
        let (transfer_syntaxes, method) = match (high_throughput, reversible) {
            (false, true) => (LOSSLESS, None),
            (false, false) => (LOSSY, Some("ISO_15444_1")),
            (true, true) => (HT_LOSSLESS, None),
            (true, false) => (HT_LOSSY, Some("ISO_15444_15")),
        };
        Ok(Picture {
            transfer_syntaxes,
            rows: self.rows,
            columns: self.columns,
            samples_per_pixel: self.components,
            bits_stored: self.bits_stored,
            signed: self.signed,
            photometric_interpretation,
            lossy: method,
            start,
            end,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(components: u16, depth: u8, transformed: u8, style: u8, transform: u8) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0x4F, 0xFF, 0x51];
        let length = 38 + 3 * components;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        for number in [300_u32, 210, 44, 10, 300, 210, 0, 0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&components.to_be_bytes());
        for _ in 0..components {
            bytes.extend_from_slice(&[depth, 1, 1]);
        }
        bytes.extend_from_slice(&[0xFF, 0x64, 0, 6, 0, 1, b'h', b'i']);
        bytes.extend_from_slice(&[0xFF, 0x52, 0, 12, 0, 0, 0, 1, transformed, 5, 4, 4, style, transform]);
        bytes.extend_from_slice(&[0xFF, 0x90]);
        bytes
    }

    #[test]
    fn every_kind_that_is_kept() {
        for (bytes, syntax, photometric, lossy) in [
            (stream(1, 11, 0, 0, 1), "90", "MONOCHROME2", false),
            (stream(3, 7, 1, 0, 1), "90", "YBR_RCT", false),
            (stream(3, 7, 0, 0, 1), "90", "RGB", false),
            (stream(3, 7, 1, 0, 0), "91", "YBR_ICT", true),
            (stream(1, 0x80 | 15, 0, 0x40, 1), "201", "MONOCHROME2", false),
            (stream(1, 7, 0, 0x40, 0), "203", "MONOCHROME2", true),
        ] {
            let picture = read(&bytes).expect(syntax);
            assert_eq!(picture.transfer_syntaxes[0], format!("1.2.840.10008.1.2.4.{syntax}"));
            assert_eq!(
                (picture.photometric_interpretation, picture.lossy.is_some()),
                (photometric, lossy),
                "{syntax}"
            );
            assert_eq!((picture.rows, picture.columns), (200, 256));
        }
        let signed = read(&stream(1, 0x80 | 15, 0, 0, 1)).expect("valid");
        assert_eq!((signed.signed, signed.bits_stored), (true, 16));
    }

    #[test]
    fn only_the_codestream_of_a_file_is_kept() {
        let inner = stream(1, 7, 0, 0, 1);
        let mut file = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x0cftypabcd".to_vec();
        file.extend_from_slice(&(inner.len() as u32 + 8).to_be_bytes());
        file.extend_from_slice(b"jp2c");
        file.extend_from_slice(&inner);
        file.extend_from_slice(b"more boxes");
        let picture = read(&file).expect("valid");
        assert_eq!((picture.start, picture.end), (32, Some(32 + inner.len() as u64)));
        file[24..28].copy_from_slice(&[0; 4]);
        assert_eq!(read(&file).expect("valid").end, None);
        file[12..16].copy_from_slice(&[0, 0, 0, 3]);
        assert!(read(&file).is_err());
    }

    #[test]
    fn nothing_else() {
        let whole = stream(3, 7, 1, 0, 1);
        for length in 0..whole.len() - 2 {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        assert!(read(&stream(2, 7, 0, 0, 1)).is_err());
        assert!(read(&stream(1, 37, 0, 0, 1)).is_err());
        let mut huge = stream(1, 7, 0, 0, 1);
        huge[8..12].copy_from_slice(&[0xFF; 4]);
        assert!(read(&huge).is_err());
    }
}
