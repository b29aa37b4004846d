//! ITU-T T.81 B: the marker segments of a JPEG frame, read before a decoder sees it.

use crate::{error::RenderError, limits::JPEG_SCANS_MAX};

const SOF_LOSSLESS: u8 = 0xc3;
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP14: u8 = 0xee;

/// What the frame header and the application markers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JpegHeader {
    /// The SOF marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, 0xC3 lossless ...
    pub process: u8,
    pub precision: u8,
    pub rows: u16,
    pub columns: u16,
    /// Component identifiers.
    pub components: Vec<u8>,
    /// The transform byte of an Adobe marker.
    pub adobe_transform: Option<u8>,
    pub jfif: bool,
    /// Where component identifiers stand: in the frame header and in each scan header.
    identifiers_at: Vec<usize>,
}

impl JpegHeader {
    pub fn is_lossless(&self) -> bool {
        self.process == SOF_LOSSLESS
    }

    /// Walks all marker segments.
    pub fn read(stream: &[u8]) -> Result<Self, RenderError> {
        if stream.get(..2) != Some(&[0xff, SOI]) {
            return Err(malformed("it does not begin with SOI"));
        }
        let mut header = None;
        let (mut adobe_transform, mut jfif, mut scans) = (None, false, 0);
        let mut at = 2;
        while let Some((marker, segment_at, segment)) = next_segment(stream, at)? {
            at = segment_at + segment.len();
            match marker {
                APP0 if segment.starts_with(b"JFIF\0") => jfif = true,
                APP14 if segment.starts_with(b"Adobe") => adobe_transform = segment.get(11).copied(),
                0xc4 | 0xc8 | 0xcc => {}
                0xc0..=0xcf if header.is_some() => return Err(malformed("two frame headers")),
                0xc0..=0xcf => header = Some(frame_header(marker, segment_at, segment)?),
                SOS => {
                    scans += 1;
                    if scans > JPEG_SCANS_MAX {
                        return Err(malformed("too many scans"));
                    }
                    let header =
                        header.as_mut().ok_or_else(|| malformed("a scan before the frame header"))?;
                    let count = usize::from(segment.first().copied().unwrap_or(0));
                    header.identifiers_at.extend((0..count.min(4)).map(|i| segment_at + 1 + 2 * i));
                    at = end_of_entropy_coded_data(stream, at);
                }
                _ => {}
            }
        }
        let header = header.filter(|_| scans > 0).ok_or_else(|| malformed("no frame or no scan"))?;
        Ok(Self { adobe_transform, jfif, ..header })
    }

    /// A copy of the stream whose three components are called R, G and B: decoders then give the components as
    /// they are, and the colour transform is done once, by the pipeline.
    pub fn without_colour_transform(&self, stream: &[u8]) -> Vec<u8> {
        let mut renamed = stream.to_vec();
        for at in &self.identifiers_at {
            let Some(identifier) = renamed.get_mut(*at) else { continue };
            if let Some(index) = self.components.iter().position(|component| component == identifier) {
                *identifier = b"RGB"[index.min(2)];
            }
        }
        renamed
    }
}

fn malformed(reason: &'static str) -> RenderError {
    RenderError::malformed("JPEG", reason)
}

fn frame_header(marker: u8, segment_at: usize, segment: &[u8]) -> Result<JpegHeader, RenderError> {
    let [precision, rows_high, rows_low, columns_high, columns_low, count, specifications @ ..] = segment
    else {
        return Err(malformed("the frame header is cut short"));
    };
    let count = usize::from(*count);
    if count == 0 || specifications.len() < count * 3 {
        return Err(malformed("the frame header is cut short"));
    }
    Ok(JpegHeader {
        process: marker,
        precision: *precision,
        rows: u16::from_be_bytes([*rows_high, *rows_low]),
        columns: u16::from_be_bytes([*columns_high, *columns_low]),
        components: specifications.chunks_exact(3).take(count).map(|component| component[0]).collect(),
        adobe_transform: None,
        jfif: false,
        identifiers_at: (0..count).map(|index| segment_at + 6 + 3 * index).collect(),
    })
}

/// A marker's code, where the content of its segment starts, and the content.
pub(super) type Segment<'a> = (u8, usize, &'a [u8]);

/// The next marker with a segment.
pub(super) fn next_segment(stream: &[u8], mut at: usize) -> Result<Option<Segment<'_>>, RenderError> {
    loop {
        // Fill bytes and stray data before a marker are tolerated, as by all decoders.
        let Some(found) = stream.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) else {
            return Ok(None);
        };
        at += found + 1;
        match stream.get(at) {
            None | Some(&EOI) => return Ok(None),
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 1,
            Some(0xff) => {}
            Some(marker) => {
                let length =
                    stream.get(at + 1..at + 3).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
                let segment =
                    length.filter(|length| *length >= 2).and_then(|l| stream.get(at + 3..at + 1 + l));
                let segment = segment.ok_or_else(|| malformed("a marker segment is cut short"))?;
                return Ok(Some((*marker, at + 3, segment)));
            }
        }
    }
}

/// Skips to the next marker that is neither a stuffed zero nor a restart marker.
fn end_of_entropy_coded_data(stream: &[u8], mut at: usize) -> usize {
    loop {
        let Some(found) = stream.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) else {
            return stream.len();
        };
        at += found;
        match stream.get(at + 1) {
            None => return stream.len(),
            Some(0x00 | 0xd0..=0xd7) => at += 2,
            Some(0xff) => at += 1,
            Some(_) => return at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &[u8] = &[
        0xff, 0xd8, 0xff, 0xee, 0, 14, b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, 1, 0xff, 0xc0, 0,
        17, 8, 0, 2, 0, 3, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0,
        63, 0, 0x12, 0xff, 0x00, 0xff, 0xd0, 0x34, 0xff, 0xd9,
    ];

    #[test]
    fn reads_and_renames() {
        let header = JpegHeader::read(FRAME).expect("header");
        assert_eq!((header.precision, header.rows, header.columns), (8, 2, 3));
        assert_eq!(header.components, [1, 2, 3]);
        assert_eq!((header.adobe_transform, header.jfif), (Some(1), false));
        let renamed = JpegHeader::read(&header.without_colour_transform(FRAME)).expect("header");
        assert_eq!(renamed.components, b"RGB");
    }

    #[test]
    fn cut_anywhere_is_an_error_or_a_header() {
        for length in 0..FRAME.len() {
            let _ = JpegHeader::read(&FRAME[..length]);
        }
        assert!(JpegHeader::read(&FRAME[..30]).is_err());
    }

    #[test]
    fn a_scan_bomb_is_refused() {
        let mut bomb = FRAME[..FRAME.len() - 2].to_vec();
        for _ in 0..100_000 {
            bomb.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
        }
        assert!(JpegHeader::read(&bomb).is_err());
    }
}
