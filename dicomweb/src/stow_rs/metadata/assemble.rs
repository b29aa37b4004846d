//! PS3.18 10.5.2 and PS3.10 7, a Part 10 file made of metadata and bulk data, piece by piece: nothing of it is ever whole
//! in memory but the metadata.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
};

use bytes::Bytes;
use dicom_header::{
    BulkDataPlace, GivenElement, JsonDataSet, JsonEncodeError, JsonModelError, Piece, encode_file_meta,
    encode_json, json_text,
};
use model::{SopClassUid, SopInstanceUid, TransferSyntaxUid, transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN};
use tokio::task::spawn_blocking;

use super::{
    bulk_data::{BulkData, BulkFailure, BulkPart},
    pixel_data::PixelData,
    segment::{Segment, push_decoded, push_encapsulated, push_value},
};
use crate::{
    dicom_json::tag,
    stow_rs::{
        response::Remark,
        store::{CANNOT_UNDERSTAND, MaybeIdentity, PROCESSING_FAILURE},
    },
};

/// Metadata up to this length are read where they are; longer ones on a thread that may block.
pub(super) const INLINE_LENGTH_MAX_BYTES: usize = 256 << 10;

const SOP_CLASS_UID: u32 = 0x0008_0016;
const SOP_INSTANCE_UID: u32 = 0x0008_0018;
const ENCAPSULATED_DOCUMENT: u32 = 0x0042_0011;
const MIME_TYPE_OF_ENCAPSULATED_DOCUMENT: u32 = 0x0042_0012;
const ENCAPSULATED_DOCUMENT_LENGTH: u32 = 0x0042_0015;
/// Failure Reason: out of resources (PS3.18 table I.2-2).
const OUT_OF_RESOURCES: u16 = 0xA700;
/// Failure Reason: referenced transfer syntax not supported (PS3.18 table I.2-2).
const TRANSFER_SYNTAX_NOT_SUPPORTED: u16 = 0xC122;

/// Why an instance cannot be put together. The texts hold no patient data.
#[derive(Debug, thiserror::Error)]
pub(super) enum AssembleError {
    #[error("{0}")]
    Model(#[from] JsonModelError),
    #[error("{0}")]
    Encode(#[from] JsonEncodeError),
    #[error("{0} is missing or no UID")]
    MissingUid(&'static str),
    /// Nothing is ever fetched from elsewhere.
    #[error("{0:08X}: no part has the Content-Location of its BulkDataURI")]
    NoPart(u32),
    #[error("{0} cannot be made into pixel data here")]
    MediaType(String),
    #[error("{0}")]
    Picture(&'static str),
    #[error("{0:08X}: longer than an instance may be")]
    TooLarge(u32),
    #[error("the bulk data cannot be kept now; send it again later")]
    Unspooled,
    #[error("the bulk data cannot be read back; send it again later")]
    Spool(#[source] io::Error),
}

impl AssembleError {
    /// What the sender is told.
    pub(super) fn remark(&self) -> Remark {
        let reason = match self {
            Self::Model(_) | Self::Encode(_) | Self::MissingUid(_) | Self::NoPart(_) | Self::Picture(_) => {
                CANNOT_UNDERSTAND
            }
            Self::MediaType(_) => TRANSFER_SYNTAX_NOT_SUPPORTED,
            Self::TooLarge(_) | Self::Unspooled => OUT_OF_RESOURCES,
            Self::Spool(_) => PROCESSING_FAILURE,
        };
        Remark::new(reason, self.to_string())
    }

    /// The same request may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Unspooled | Self::Spool(_))
    }
}

/// A Part 10 file that is read from its beginning to its end.
pub(super) struct Assembled {
    segments: VecDeque<Segment>,
    /// Bytes of the first segment that were given out.
    given: u64,
    identity: (String, String),
}

/// The UIDs of metadata, as far as they can be read.
pub(super) fn identity(text: &str) -> MaybeIdentity {
    let data_set = JsonDataSet::parse(text).ok()?;
    Some((uid(&data_set, SOP_CLASS_UID)?, uid(&data_set, SOP_INSTANCE_UID)?))
}

fn uid(data_set: &JsonDataSet<'_>, tag: u32) -> Option<String> {
    let mut found = None;
    let read = data_set.0.get(&tag)?.each_value(|value| {
        let text = json_text(value)?;
        found.get_or_insert(text.into_owned());
        Ok::<(), JsonModelError>(())
    });
    // What is no UID is no answer to a question for one.
    found.filter(|text| read.is_ok() && model::uid::check_uid(text).is_ok())
}

impl Assembled {
    /// Finds the bulk data of one data set and lays out the file.
    pub(super) async fn new(text: &str, bulk_data: &mut BulkData) -> Result<Self, AssembleError> {
        let data_set = JsonDataSet::parse(text)?;
        let sop_class = uid(&data_set, SOP_CLASS_UID).ok_or(AssembleError::MissingUid("SOPClassUID"))?;
        let sop_instance =
            uid(&data_set, SOP_INSTANCE_UID).ok_or(AssembleError::MissingUid("SOPInstanceUID"))?;
        let mut pixel_data = match bulk_data_uri(&data_set, tag::PIXEL_DATA)? {
            Some(uri) => Some(PixelData::of(parts(bulk_data, tag::PIXEL_DATA, &uri)?).await?),
            None => None,
        };
        let mut given = document_elements(&data_set, bulk_data)?;
        if let Some(pixel_data) = &pixel_data {
            given.extend(pixel_data.description.clone());
        }
        let pieces = encode(text, given).await?;
        let transfer_syntax = match &pixel_data {
            Some(pixel_data) => pixel_data.transfer_syntax.clone(),
            None => TransferSyntaxUid::parse(EXPLICIT_VR_LITTLE_ENDIAN)
                .map_err(|_| AssembleError::Picture("no transfer syntax"))?,
        };
        let file_meta = encode_file_meta(
            &SopClassUid::parse(&sop_class).map_err(|_| AssembleError::MissingUid("SOPClassUID"))?,
            &SopInstanceUid::parse(&sop_instance).map_err(|_| AssembleError::MissingUid("SOPInstanceUID"))?,
            &transfer_syntax,
            None,
        );
        let mut segments = VecDeque::from([Segment::Bytes(Bytes::from(file_meta))]);
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => segments.push_back(Segment::Bytes(Bytes::from(bytes))),
                Piece::BulkData(place) => {
                    let parts = parts(bulk_data, place.tag, &place.uri)?;
                    match &mut pixel_data {
                        Some(pixel_data) if is_pixel_data(&place) && pixel_data.encapsulated => {
                            push_encapsulated(&mut segments, parts, pixel_data)?;
                        }
                        Some(pixel_data) if is_pixel_data(&place) && !pixel_data.decoded.is_empty() => {
                            push_decoded(&mut segments, &mut pixel_data.decoded)?;
                        }
                        _ => push_value(&mut segments, &place, parts)?,
                    }
                }
            }
        }
        Ok(Self { segments, given: 0, identity: (sop_class, sop_instance) })
    }

    /// The UIDs.
    pub(super) fn identity(&self) -> (String, String) {
        self.identity.clone()
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, AssembleError> {
        loop {
            let Some(segment) = self.segments.front_mut() else { return Ok(None) };
            let left = segment.length() - self.given;
            let bytes = match segment {
                Segment::Bytes(bytes) => bytes.slice(self.given as usize..),
                _ if left == 0 => Bytes::new(),
                Segment::Spooled(spooled, range) => {
                    let bytes = spooled.read(range.start + self.given).await.map_err(AssembleError::Spool)?;
                    if bytes.is_empty() {
                        return Err(AssembleError::Spool(io::ErrorKind::UnexpectedEof.into()));
                    }
                    bytes.slice(..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)))
                }
                Segment::Decoded(picture) => match picture.next().await? {
                    Some(rows) if rows.len() as u64 <= left => rows,
                    Some(_) | None => {
                        return Err(AssembleError::Picture("the PNG has not the size that it says"));
                    }
                },
            };
            self.given += bytes.len() as u64;
            if bytes.len() as u64 == left {
                self.segments.pop_front();
                self.given = 0;
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }
}

/// Long metadata are encoded on a thread that may block: depth makes them as slow as many times their length.
async fn encode(text: &str, given: BTreeMap<u32, GivenElement>) -> Result<Vec<Piece>, AssembleError> {
    let work = move |text: &str| Ok(encode_json(&JsonDataSet::parse(text)?, &given)?);
    if text.len() <= INLINE_LENGTH_MAX_BYTES {
        return work(text);
    }
    let text = text.to_owned();
    let encoded = spawn_blocking(move || work(&text)).await;
    encoded.map_err(|error| AssembleError::Spool(io::Error::other(error)))?
}

fn is_pixel_data(place: &BulkDataPlace) -> bool {
    place.tag == tag::PIXEL_DATA && !place.in_item
}

fn bulk_data_uri(data_set: &JsonDataSet<'_>, tag: u32) -> Result<Option<String>, AssembleError> {
    let Some(attribute) = data_set.0.get(&tag) else { return Ok(None) };
    Ok(attribute.bulk_data_uri()?.map(std::borrow::Cow::into_owned))
}

fn parts<'a>(bulk_data: &'a mut BulkData, tag: u32, uri: &str) -> Result<&'a [BulkPart], AssembleError> {
    match bulk_data.find(uri).ok_or(AssembleError::NoPart(tag))? {
        Ok(parts) => Ok(parts),
        Err(BulkFailure::TooLarge) => Err(AssembleError::TooLarge(tag)),
        Err(BulkFailure::Spool) => Err(AssembleError::Unspooled),
    }
}

/// PS3.3 C.24.2: what an encapsulated document's part tells, where the metadata do not: its media type, and its length
/// without padding.
fn document_elements(
    data_set: &JsonDataSet<'_>,
    bulk_data: &mut BulkData,
) -> Result<BTreeMap<u32, GivenElement>, AssembleError> {
    let mut given = BTreeMap::new();
    if let Some(uri) = bulk_data_uri(data_set, ENCAPSULATED_DOCUMENT)? {
        let parts = parts(bulk_data, ENCAPSULATED_DOCUMENT, &uri)?;
        let length: u64 = parts.iter().map(|part| part.content.length()).sum();
        if let Some(first) = parts.first() {
            let mut media_type = first.media_type.essence.clone().into_bytes();
            if media_type.len() % 2 == 1 {
                media_type.push(b' ');
            }
            let element = GivenElement { vr: *b"LO", value: media_type, replaces: false };
            given.insert(MIME_TYPE_OF_ENCAPSULATED_DOCUMENT, element);
        }
        if let Ok(length) = u32::try_from(length) {
            let element = GivenElement { vr: *b"UL", value: length.to_le_bytes().to_vec(), replaces: false };
            given.insert(ENCAPSULATED_DOCUMENT_LENGTH, element);
        }
    }
    Ok(given)
}
