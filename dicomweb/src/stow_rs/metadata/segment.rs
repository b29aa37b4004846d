//! PS3.5 7.1 and A.4, the pieces of a Part 10 file: encoded elements, and bulk data between them.

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;
use dicom_header::{BulkDataPlace, VR, element_header, item_header};

use super::{assemble::AssembleError, bulk_data::BulkPart, pixel_data::PixelData, png::PngPicture};
use crate::{dicom_json::tag, stow_rs::spool::Spooled};

const ITEM: u32 = 0xFFFE_E000;
const SEQUENCE_DELIMITATION: u32 = 0xFFFE_E0DD;
/// Longest value, or fragment, that a 32-bit length can tell of: even, and not the undefined length.
const LENGTH_MAX: u64 = 0xFFFF_FFFE;
/// Fragments of a film: cut before a length that other readers may take for a signed number.
const STREAM_FRAGMENT_LENGTH_BYTES: u64 = 1 << 30;

/// A piece of a file.
#[derive(Debug)]
pub(super) enum Segment {
    /// Bytes as they are.
    Bytes(Bytes),
    /// A part of bulk data.
    Spooled(Spooled, Range<u64>),
    /// A picture that is decoded on the way.
    Decoded(Box<PngPicture>),
}

impl Segment {
    /// Bytes of it altogether.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Spooled(_, range) => range.end.saturating_sub(range.start),
            Self::Decoded(picture) => picture.length(),
        }
    }
}

/// One value of all parts, one after the other.
pub(super) fn push_value(
    segments: &mut VecDeque<Segment>,
    place: &BulkDataPlace,
    parts: &[BulkPart],
) -> Result<(), AssembleError> {
    let length: u64 = parts.iter().map(|part| part.content.length()).sum();
    let padded = length.next_multiple_of(2);
    let header = u32::try_from(padded).ok().filter(|_| padded <= LENGTH_MAX);
    let header = header.ok_or(AssembleError::TooLarge(place.tag))?;
    let vr = VR::from_binary(place.vr).unwrap_or(VR::UN);
    segments.push_back(Segment::Bytes(Bytes::from(element_header(false, place.tag, vr, Some(header)))));
    for part in parts {
        segments.push_back(Segment::Spooled(part.content.clone(), 0..part.content.length()));
    }
    if padded > length {
        let padding = if is_text(place.vr) { b" " } else { b"\0" };
        segments.push_back(Segment::Bytes(Bytes::from_static(padding)));
    }
    Ok(())
}

/// Pictures that were compressed in a way that DICOM has not, one after the other.
pub(super) fn push_decoded(
    segments: &mut VecDeque<Segment>,
    pictures: &mut Vec<PngPicture>,
) -> Result<(), AssembleError> {
    let length: u64 = pictures.iter().map(PngPicture::length).sum();
    let padded = length.next_multiple_of(2);
    let header = u32::try_from(padded).ok().filter(|_| padded <= LENGTH_MAX);
    let header = header.ok_or(AssembleError::TooLarge(tag::PIXEL_DATA))?;
    segments.push_back(Segment::Bytes(Bytes::from(element_header(
        false,
        tag::PIXEL_DATA,
        VR::OW,
        Some(header),
    ))));
    segments.extend(pictures.drain(..).map(|picture| Segment::Decoded(Box::new(picture))));
    if padded > length {
        segments.push_back(Segment::Bytes(Bytes::from_static(b"\0")));
    }
    Ok(())
}

fn is_text(vr: [u8; 2]) -> bool {
    matches!(&vr, b"LT" | b"ST" | b"UC" | b"UR" | b"UT" | b"LO" | b"SH" | b"PN" | b"DS" | b"IS" | b"CS")
}

/// PS3.5 A.4: the Basic Offset Table, an item for each frame, the delimiter.
pub(super) fn push_encapsulated(
    segments: &mut VecDeque<Segment>,
    parts: &[BulkPart],
    pixel_data: &PixelData,
) -> Result<(), AssembleError> {
    let too_large = || AssembleError::TooLarge(tag::PIXEL_DATA);
    let mut fragments: Vec<(&BulkPart, Range<u64>)> = Vec::new();
    for (part, range) in parts.iter().zip(&pixel_data.ranges) {
        if !pixel_data.is_stream {
            fragments.push((part, range.clone()));
            continue;
        }
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + STREAM_FRAGMENT_LENGTH_BYTES);
            fragments.push((part, start..end));
            start = end;
        }
    }
    let mut head = element_header(false, tag::PIXEL_DATA, VR::OB, None);
    let table = if pixel_data.is_stream { Vec::new() } else { offset_table(&fragments) };
    head.extend_from_slice(&item_header(ITEM, u32::try_from(table.len()).map_err(|_| too_large())?));
    head.extend_from_slice(&table);
    segments.push_back(Segment::Bytes(Bytes::from(head)));
    for (part, range) in fragments {
        let length = range.end.saturating_sub(range.start);
        let padded = length.next_multiple_of(2);
        let header = u32::try_from(padded).ok().filter(|_| padded <= LENGTH_MAX).ok_or_else(too_large)?;
        segments.push_back(Segment::Bytes(Bytes::copy_from_slice(&item_header(ITEM, header))));
        segments.push_back(Segment::Spooled(part.content.clone(), range));
        if padded > length {
            segments.push_back(Segment::Bytes(Bytes::from_static(b"\0")));
        }
    }
    segments.push_back(Segment::Bytes(Bytes::copy_from_slice(&item_header(SEQUENCE_DELIMITATION, 0))));
    Ok(())
}

/// The offset of each frame; empty when one does not fit into 32 bits, which means that there is none.
fn offset_table(fragments: &[(&BulkPart, Range<u64>)]) -> Vec<u8> {
    let (mut table, mut offset) = (Vec::with_capacity(fragments.len() * 4), 0_u64);
    for (_, range) in fragments {
        let Ok(place) = u32::try_from(offset) else { return Vec::new() };
        table.extend_from_slice(&place.to_le_bytes());
        offset += 8 + range.end.saturating_sub(range.start).next_multiple_of(2);
    }
    table
}
