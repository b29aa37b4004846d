//! ITU-T T.81 B: the segments of a JPEG up to its scan, and the same JPEG without those that tell of the camera.

use super::exif;

/// What a JPEG is, and what is kept of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Jpeg {
    pub rows: u16,
    pub columns: u16,
    /// 1 or 3.
    pub components: u16,
    /// Its samples are 8 bits and coded sequentially (SOF0), so that it is kept as it is.
    pub baseline: bool,
    /// Chroma has fewer samples than luma.
    pub subsampled: bool,
    /// Adobe's mark says that the colours were not transformed.
    pub is_rgb: bool,
    pub orientation: u8,
    /// Without Exif, profiles and comments.
    pub stripped: Vec<u8>,
}

const SOI: u8 = 0xD8;
const SOS: u8 = 0xDA;
const EOI: u8 = 0xD9;

/// # Errors
/// What is wrong with it, for people.
pub fn read(file: &[u8]) -> Result<Jpeg, &'static str> {
    let cut = "the JPEG is cut off";
    let mut rest = file.strip_prefix(&[0xFF, SOI]).ok_or("the file is no JPEG")?;
    let mut jpeg = Jpeg {
        rows: 0,
        columns: 0,
        components: 0,
        baseline: false,
        subsampled: false,
        is_rgb: false,
        orientation: 1,
        stripped: vec![0xFF, SOI],
    };
    loop {
        // Fill bytes may stand before a marker.
        while let Some(after) = rest.strip_prefix(&[0xFF, 0xFF]) {
            rest = &rest[rest.len() - after.len() - 1..];
        }
        let marker = match rest {
            [0xFF, marker, ..] => *marker,
            [] | [0xFF] => return Err(cut),
            _ => return Err("the JPEG has a marker where there is none"),
        };
        if marker == EOI {
            return Err(cut);
        }
        let length =
            rest.get(2..4).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))).ok_or(cut)?;
        let (segment, after) = rest.split_at_checked(2 + length.max(2)).ok_or(cut)?;
        let content = &segment[4..];
        match marker {
            SOS => break,
            0xC0..=0xC2 => frame(&mut jpeg, marker, content).ok_or("the JPEG's frame header is malformed")?,
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return Err("this kind of JPEG is not taken"),
            _ => {}
        }
        if let Some(tiff) = content.strip_prefix(b"Exif\0\0").filter(|_| marker == 0xE1) {
            jpeg.orientation = exif::orientation(tiff);
        }
        let adobe = marker == 0xEE && content.starts_with(b"Adobe");
        jpeg.is_rgb |= adobe && content.get(11) == Some(&0);
        // Of application segments only Adobe's says how to decode; comments say nothing.
        if !matches!(marker, 0xE0..=0xEF | 0xFE) || adobe {
            jpeg.stripped.extend_from_slice(segment);
        }
        rest = after;
    }
    if jpeg.rows == 0 || jpeg.columns == 0 {
        return Err("the JPEG has no size that a picture can have");
    }
    jpeg.stripped.extend_from_slice(scans(rest).ok_or(cut)?);
    Ok(jpeg)
}

fn frame(jpeg: &mut Jpeg, marker: u8, content: &[u8]) -> Option<()> {
    let short = |at: usize| Some(u16::from_be_bytes([*content.get(at)?, *content.get(at + 1)?]));
    let eight_bits = *content.first()? == 8;
    (jpeg.rows, jpeg.columns) = (short(1)?, short(3)?);
    jpeg.components = u16::from(*content.get(5)?);
    let sampling = |component: usize| content.get(7 + 3 * component);
    jpeg.subsampled = jpeg.components == 3 && sampling(0)? != sampling(1)?;
    jpeg.baseline = marker == 0xC0;
    (eight_bits && matches!(jpeg.components, 1 | 3)).then_some(())
}

/// From the first scan to the end of the image: cameras put previews and more behind it.
fn scans(rest: &[u8]) -> Option<&[u8]> {
    // Inside a scan every FF is followed by 00 or a restart marker, so this is the end.
    let end = rest.windows(2).position(|pair| pair == [0xFF, EOI])?;
    Some(&rest[..end + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(before: &[u8], sof: u8) -> Vec<u8> {
        let mut file = vec![0xFF, SOI];
        file.extend_from_slice(before);
        file.extend_from_slice(&[0xFF, sof, 0, 17, 8, 0, 9, 0, 7, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
        file.extend_from_slice(&[0xFF, SOS, 0, 4, 1, 0, 0xAA, 0xFF, 0x00, 0xFF, EOI]);
        file.extend_from_slice(b"a preview");
        file
    }

    const EXIF: &[u8] =
        b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";

    #[test]
    fn what_tells_of_the_camera_is_left_out() {
        let comment = b"\xff\xfe\0\x09GPS 51N".as_slice();
        let read = read(&jpeg(&[EXIF, comment].concat(), 0xC0)).expect("a JPEG");
        assert_eq!((read.rows, read.columns, read.components, read.orientation), (9, 7, 3, 6));
        assert!(read.baseline && read.subsampled && !read.is_rgb);
        let text = String::from_utf8_lossy(&read.stripped);
        assert!(!text.contains("Exif") && !text.contains("GPS") && !text.contains("preview"));
        assert!(read.stripped.ends_with(&[0xFF, EOI]));
        assert!(!super::read(&jpeg(b"", 0xC2)).expect("progressive").baseline);
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = jpeg(EXIF, 0xC0);
        let end = whole.len() - b"a preview".len();
        for length in 0..end {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        assert!(read(&jpeg(b"", 0xC3)).is_err());
    }
}
