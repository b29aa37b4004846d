//! ITU-T T.87 Annex C: marker segments.

use super::{CODEC, coding::Coding, malformed};
use crate::error::RenderError;

/// The frame header, SOF55.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub precision: u8,
    pub rows: u16,
    pub columns: u16,
    /// Component identifiers.
    pub components: Vec<u8>,
}

/// How the components of a scan are woven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interleave {
    None,
    Line,
    Sample,
}

/// A scan header.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// Component identifiers.
    pub components: Vec<u8>,
    pub near: u8,
    pub interleave: Interleave,
}

/// Preset coding parameters, LSE type 1; 0 is the default of each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parameters {
    maximum: u16,
    thresholds: [u16; 3],
    reset: u16,
}

impl Parameters {
    /// The coding of a scan: defaults filled in (T.87 C.2.4.1.1).
    pub fn coding(&self, precision: u8, near: u8) -> Result<Coding, RenderError> {
        let full = (1 << u32::from(precision)) - 1;
        let maximum = if self.maximum == 0 { full } else { i32::from(self.maximum) };
        if maximum > full {
            return Err(malformed("MAXVAL is over the precision"));
        }
        Coding::new(maximum, i32::from(near), self.thresholds.map(i32::from), i32::from(self.reset))
    }
}

/// A marker that matters.
pub(super) enum Marker {
    Frame(Frame),
    Parameters(Parameters),
    Scan(Scan),
    End,
}

/// Walks the markers of a stream.
pub(super) struct Markers<'a> {
    rest: &'a [u8],
}

impl<'a> Markers<'a> {
    pub fn new(stream: &'a [u8]) -> Result<Self, RenderError> {
        match stream {
            [0xff, 0xd8, rest @ ..] => Ok(Self { rest }),
            _ => Err(malformed("it does not begin with SOI")),
        }
    }

    /// What follows the last segment.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Skips coded data.
    pub fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// The next marker that matters; other segments are skipped.
    pub fn next(&mut self) -> Result<Marker, RenderError> {
        loop {
            let Some(at) =
                self.rest.windows(2).position(|pair| pair[0] == 0xff && pair[1] >= 0xc0 && pair[1] != 0xff)
            else {
                return Ok(Marker::End);
            };
            let marker = self.rest[at + 1];
            self.skip(at + 2);
            if marker == 0xd9 {
                return Ok(Marker::End);
            }
            let segment = self.segment()?;
            match marker {
                0xf7 => return frame(segment).map(Marker::Frame),
                0xda => return scan(segment).map(Marker::Scan),
                0xf8 => {
                    if let Some(parameters) = parameters(segment)? {
                        return Ok(Marker::Parameters(parameters));
                    }
                }
                0xc0..=0xcf => return Err(RenderError::mismatch(CODEC, "the coding process")),
                0xdd if segment.iter().any(|byte| *byte != 0) => {
                    return Err(unsupported("restart intervals"));
                }
                0xe8 if segment.starts_with(b"mrfx") && segment.get(4).is_some_and(|kind| *kind != 0) => {
                    return Err(unsupported("a colour transform"));
                }
                _ => {}
            }
        }
    }

    fn segment(&mut self) -> Result<&'a [u8], RenderError> {
        let [high, low, ..] = self.rest else { return Err(malformed("a marker segment is cut short")) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let segment = if length >= 2 { self.rest.get(2..length) } else { None };
        let segment = segment.ok_or_else(|| malformed("a marker segment is cut short"))?;
        self.skip(length);
        Ok(segment)
    }
}

fn unsupported(what: &'static str) -> RenderError {
    RenderError::UnsupportedCodec(format!("JPEG-LS with {what}").into())
}

fn frame(segment: &[u8]) -> Result<Frame, RenderError> {
    let [precision, rows_high, rows_low, columns_high, columns_low, count, specifications @ ..] = segment
    else {
        return Err(malformed("the frame header is cut short"));
    };
    let count = usize::from(*count);
    if !(2..=16).contains(precision) || count == 0 || specifications.len() < count * 3 {
        return Err(malformed("the frame header"));
    }
    let components = specifications.chunks_exact(3).take(count);
    if components.clone().any(|component| component[1] != 0x11) {
        return Err(unsupported("subsampled components"));
    }
    Ok(Frame {
        precision: *precision,
        rows: u16::from_be_bytes([*rows_high, *rows_low]),
        columns: u16::from_be_bytes([*columns_high, *columns_low]),
        components: components.map(|component| component[0]).collect(),
    })
}

fn scan(segment: &[u8]) -> Result<Scan, RenderError> {
    let [count, rest @ ..] = segment else { return Err(malformed("the scan header is cut short")) };
    let count = usize::from(*count);
    let (Some(components), Some([near, interleave, point_transform, ..])) =
        (rest.get(..count * 2), rest.get(count * 2..))
    else {
        return Err(malformed("the scan header is cut short"));
    };
    if point_transform & 0x0f != 0 {
        return Err(unsupported("a point transform"));
    }
    if components.chunks_exact(2).any(|component| component[1] != 0) {
        return Err(unsupported("mapping tables"));
    }
    let interleave = match (interleave, count) {
        (_, 0) | (0, 2..) => return Err(malformed("the components of a scan")),
        (_, 1) => Interleave::None,
        (1, _) => Interleave::Line,
        (2, _) => Interleave::Sample,
        _ => return Err(malformed("the interleave mode")),
    };
    Ok(Scan {
        components: components.chunks_exact(2).map(|component| component[0]).collect(),
        near: *near,
        interleave,
    })
}

fn parameters(segment: &[u8]) -> Result<Option<Parameters>, RenderError> {
    match segment {
        [1, numbers @ ..] if numbers.len() >= 10 => {
            let number = |index: usize| u16::from_be_bytes([numbers[2 * index], numbers[2 * index + 1]]);
            Ok(Some(Parameters {
                maximum: number(0),
                thresholds: [number(1), number(2), number(3)],
                reset: number(4),
            }))
        }
        [1, ..] | [] => Err(malformed("the preset parameters are cut short")),
        [4, ..] => Err(unsupported("oversize dimensions")),
        _ => Ok(None),
    }
}
