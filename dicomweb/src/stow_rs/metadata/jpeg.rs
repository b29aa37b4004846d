//! ITU-T T.81 B and T.87 C, the markers of JPEG and JPEG-LS up to the scan.

use super::codestream::{Head, Picture};

const BASELINE: &[&str] = &["1.2.840.10008.1.2.4.50"];
const EXTENDED: &[&str] = &["1.2.840.10008.1.2.4.51"];
const LOSSLESS: &[&str] = &["1.2.840.10008.1.2.4.57"];
const LOSSLESS_SV1: &[&str] = &["1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.57"];
const JPEG_LS: &[&str] = &["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"];
const JPEG_LS_NEAR: &[&str] = &["1.2.840.10008.1.2.4.81"];

/// What the frame header says.
struct Frame {
    marker: u8,
    bits_stored: u16,
    rows: u16,
    columns: u16,
    components: u16,
    /// Chroma has fewer samples than luma.
    subsampled: bool,
}

/// Reads the head of a JPEG or JPEG-LS picture. An error says what is wrong with it.
pub(super) fn read(head: &[u8]) -> Result<Picture, &'static str> {
    let bytes = Head(head);
    if !head.starts_with(&[0xFF, 0xD8]) {
        return Err("the part is no JPEG");
    }
    let (mut at, mut frame, mut transform) = (2, None, None);
    let truncated = "the JPEG's header does not end early enough";
    loop {
        if bytes.u8(at).ok_or(truncated)? != 0xFF {
            return Err("the JPEG has a marker where there is none");
        }
        let marker = bytes.u8(at + 1).ok_or(truncated)?;
        match marker {
            // Fill bytes, and markers without a segment.
            0xFF => {
                at += 1;
                continue;
            }
            0x01 | 0xD0..=0xD8 => {
                at += 2;
                continue;
            }
            _ => {}
        }
        let length = usize::from(bytes.u16(at + 2).ok_or(truncated)?);
        let segment = head.get(at + 4..at + 2 + length.max(2)).ok_or(truncated)?;
        match marker {
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7 => {
                frame = Some(frame_header(marker, segment).ok_or("the JPEG's frame header is malformed")?);
            }
            // Adobe's APP14: whether colours were transformed.
            0xEE if segment.starts_with(b"Adobe") => transform = segment.get(11).copied(),
            0xDA => {
                let frame = frame.ok_or("the JPEG's scan comes before its frame header")?;
                return picture(&frame, segment, transform);
            }
            0xD9 => return Err("the JPEG ends before its scan"),
            _ => {}
        }
        at += 2 + length.max(2);
    }
}

fn frame_header(marker: u8, segment: &[u8]) -> Option<Frame> {
    let bytes = Head(segment);
    let components = u16::from(bytes.u8(5)?);
    let sampling = |component: usize| bytes.u8(7 + 3 * component);
    let subsampled = components == 3 && sampling(0)? != sampling(1)?;
    Some(Frame {
        marker,
        bits_stored: u16::from(bytes.u8(0)?),
        rows: bytes.u16(1)?,
        columns: bytes.u16(3)?,
        components,
        subsampled,
    })
}

fn picture(frame: &Frame, scan: &[u8], transform: Option<u8>) -> Result<Picture, &'static str> {
    let parameter = scan.first().and_then(|components| scan.get(1 + 2 * usize::from(*components)));
    let parameter = *parameter.ok_or("the JPEG's scan header is malformed")?;
    let (transfer_syntaxes, lossy) = match frame.marker {
        0xC0 => (BASELINE, Some("ISO_10918_1")),
        0xC1 => (EXTENDED, Some("ISO_10918_1")),
        // Selection value 1: the predictor of the usual lossless syntax.
        0xC3 if parameter == 1 => (LOSSLESS_SV1, None),
        0xC3 => (LOSSLESS, None),
        0xF7 if parameter == 0 => (JPEG_LS, None),
        0xF7 => (JPEG_LS_NEAR, Some("ISO_14495_1")),
        0xC2 => return Err("a progressive JPEG has no transfer syntax in use"),
        _ => return Err("this kind of JPEG has no transfer syntax in use"),
    };
    let is_dct = matches!(frame.marker, 0xC0 | 0xC1);
    let photometric_interpretation = match (frame.components, transform) {
        (1, _) => "MONOCHROME2",
        (3, Some(0)) => "RGB",
        (3, transform) if is_dct || transform == Some(1) => {
            if frame.subsampled {
                "YBR_FULL_422"
            } else {
                "YBR_FULL"
            }
        }
        (3, _) => "RGB",
        _ => return Err("the JPEG has neither one nor three components"),
    };
    if frame.rows == 0 || frame.columns == 0 || !(2..=16).contains(&frame.bits_stored) {
        return Err("the JPEG has no size that a picture can have");
    }
    Ok(Picture {
        transfer_syntaxes,
        rows: frame.rows,
        columns: frame.columns,
        samples_per_pixel: frame.components,
        bits_stored: frame.bits_stored,
        signed: false,
        photometric_interpretation,
        lossy,
        start: 0,
        end: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(frame_marker: u8, precision: u8, sampling: &[u8], before: &[u8], parameter: u8) -> Vec<u8> {
        let components = sampling.len() as u8;
        let mut bytes = vec![0xFF, 0xD8];
        bytes.extend_from_slice(before);
        bytes.extend_from_slice(&[
            0xFF,
            0xFF,
            frame_marker,
            0,
            8 + 3 * components,
            precision,
            0,
            100,
            1,
            0,
            components,
        ]);
        for (index, sampling) in sampling.iter().enumerate() {
            bytes.extend_from_slice(&[index as u8, *sampling, 0]);
        }
        bytes.extend_from_slice(&[0xFF, 0xDA, 0, 6 + 2 * components, components]);
        bytes.extend(std::iter::repeat_n(0, 2 * usize::from(components)));
        bytes.extend_from_slice(&[parameter, 0, 0]);
        bytes
    }

    const ADOBE_RGB: &[u8] = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0";

    #[test]
    fn every_kind_that_is_kept() {
        for (bytes, syntax, photometric, bits) in [
            (jpeg(0xC0, 8, &[0x11], b"", 0), "50", "MONOCHROME2", 8),
            (jpeg(0xC0, 8, &[0x22, 0x11, 0x11], b"\xff\xe0\0\x04ab", 0), "50", "YBR_FULL_422", 8),
            (jpeg(0xC0, 8, &[0x11, 0x11, 0x11], b"", 0), "50", "YBR_FULL", 8),
            (jpeg(0xC0, 8, &[0x11, 0x11, 0x11], ADOBE_RGB, 0), "50", "RGB", 8),
            (jpeg(0xC1, 12, &[0x11], b"", 0), "51", "MONOCHROME2", 12),
            (jpeg(0xC3, 16, &[0x11], b"", 1), "70", "MONOCHROME2", 16),
            (jpeg(0xC3, 8, &[0x11, 0x11, 0x11], b"", 6), "57", "RGB", 8),
            (jpeg(0xF7, 12, &[0x11], b"", 0), "80", "MONOCHROME2", 12),
            (jpeg(0xF7, 12, &[0x11], b"", 3), "81", "MONOCHROME2", 12),
        ] {
            let picture = read(&bytes).expect(syntax);
            assert_eq!(picture.transfer_syntaxes[0], format!("1.2.840.10008.1.2.4.{syntax}"));
            assert_eq!(
                (picture.photometric_interpretation, picture.bits_stored),
                (photometric, bits),
                "{syntax}"
            );
            assert_eq!((picture.rows, picture.columns), (100, 256));
        }
    }

    #[test]
    fn nothing_else() {
        for bytes in [
            b"".to_vec(),
            b"\x89PNG\r\n".to_vec(),
            jpeg(0xC2, 8, &[0x11], b"", 0),
            jpeg(0xC9, 8, &[0x11], b"", 0),
            jpeg(0xC0, 8, &[0x11, 0x11], b"", 0),
            jpeg(0xC0, 0, &[0x11], b"", 0),
            jpeg(0xC0, 8, &[], b"", 0),
            b"\xff\xd8\xff\xda\0\x08\x01\0\0\0\0\0".to_vec(),
            b"\xff\xd8\xff\xd9".to_vec(),
            b"\xff\xd8\0\0".to_vec(),
            b"\xff\xd8\xff\xe0\0\0".repeat(3),
        ] {
            assert!(read(&bytes).is_err(), "{}", bytes.escape_ascii());
        }
        let whole = jpeg(0xC0, 8, &[0x22, 0x11, 0x11], ADOBE_RGB, 0);
        for length in 0..whole.len() - 3 {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
    }
}
