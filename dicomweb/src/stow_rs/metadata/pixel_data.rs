//! PS3.18 10.5.2 and 8.7.3, what becomes of the parts that Pixel Data come in: native bytes, or encapsulated frames
//! (PS3.5 A.4) under a transfer syntax that fits them.

use std::collections::BTreeMap;

use dicom_header::GivenElement;
use model::{
    TransferSyntaxUid,
    transfer_syntax::{self as ts, EXPLICIT_VR_LITTLE_ENDIAN},
};

use super::{
    assemble::AssembleError,
    bulk_data::BulkPart,
    codestream::{HEAD_LENGTH_MAX_BYTES, Picture},
    jpeg, jpeg2000,
    png::PngPicture,
};
use crate::media_type::OCTET_STREAM;

/// RLE Lossless (PS3.5 A.4.2).
const RLE: &str = ts::RLE_LOSSLESS;
/// JPEG XL (PS3.5 A.4.13 to A.4.15): its media type does not tell which.
const JPEG_XL: &[&str] = &[ts::JPEG_XL_LOSSLESS, ts::JPEG_XL_JPEG_RECOMPRESSION, ts::JPEG_XL];
const MPEG2: &[&str] = &["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101"];
const MPEG4: &[&str] = &[
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.104",
    "1.2.840.10008.1.2.4.105",
    "1.2.840.10008.1.2.4.106",
];
const HEVC: &[&str] = &["1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.108"];

/// How Pixel Data are kept.
#[derive(Debug)]
pub(super) struct PixelData {
    pub(super) transfer_syntax: TransferSyntaxUid,
    /// Each part is a frame in an item of its own; otherwise all of them are one value.
    pub(super) encapsulated: bool,
    /// A film: one stream of all frames, that may be cut anywhere.
    pub(super) is_stream: bool,
    /// The bytes of each part that are kept.
    pub(super) ranges: Vec<std::ops::Range<u64>>,
    /// Pictures that are decoded, one for each part, when there is no transfer syntax for them.
    pub(super) decoded: Vec<PngPicture>,
    /// What the pictures say about themselves.
    pub(super) description: BTreeMap<u32, GivenElement>,
}

impl PixelData {
    /// Looks at the parts; all of them must be of one kind.
    pub(super) async fn of(parts: &[BulkPart]) -> Result<Self, AssembleError> {
        let Some(first) = parts.first() else { return Err(AssembleError::Picture("there are no pixels")) };
        let stated = first.media_type.parameter("transfer-syntax").filter(|stated| *stated != "*");
        let alike = |part: &&BulkPart| {
            part.media_type.essence == first.media_type.essence
                && part.media_type.parameter("transfer-syntax")
                    == first.media_type.parameter("transfer-syntax")
        };
        if !parts.iter().all(|part| alike(&part)) {
            return Err(AssembleError::Picture("the frames are of different media types"));
        }
        let whole = parts.iter().map(|part| 0..part.content.length()).collect();
        let essence = first.media_type.essence.as_str();
        let kept = |fits: &[&str]| one_of(fits, stated);
        Ok(match essence {
            OCTET_STREAM => match stated {
                None | Some(EXPLICIT_VR_LITTLE_ENDIAN) => Self::native(whole)?,
                Some(uid) => Self::encapsulated(parse(uid)?, whole),
            },
            "image/dicom-rle" | "image/x-dicom-rle" => Self::encapsulated(kept(&[RLE])?, whole),
            "image/jxl" if stated.is_some() => Self::encapsulated(kept(JPEG_XL)?, whole),
            "video/mpeg" | "video/mpeg2" => Self::stream(kept(MPEG2)?, whole),
            "video/mp4" => Self::stream(kept(MPEG4)?, whole),
            "video/h265" => Self::stream(kept(HEVC)?, whole),
            "image/jpeg" | "image/jpg" | "image/jls" | "image/x-jls" => {
                Self::pictures(parts, stated, jpeg::read).await?
            }
            "image/jp2" | "image/jpx" | "image/j2c" | "image/jphc" | "image/jph" => {
                Self::pictures(parts, stated, jpeg2000::read).await?
            }
            "image/png" => Self::decoded(parts).await?,
            other => return Err(AssembleError::MediaType(other.to_owned())),
        })
    }

    fn native(ranges: Vec<std::ops::Range<u64>>) -> Result<Self, AssembleError> {
        let transfer_syntax = parse(EXPLICIT_VR_LITTLE_ENDIAN)?;
        Ok(Self {
            transfer_syntax,
            encapsulated: false,
            is_stream: false,
            ranges,
            decoded: Vec::new(),
            description: BTreeMap::new(),
        })
    }

    async fn decoded(parts: &[BulkPart]) -> Result<Self, AssembleError> {
        let mut decoded: Vec<PngPicture> = Vec::with_capacity(parts.len());
        for part in parts {
            let picture = PngPicture::open(&part.content).await?;
            if decoded.first().is_some_and(|first| first.description(1) != picture.description(1)) {
                return Err(AssembleError::Picture("the frames are not alike"));
            }
            decoded.push(picture);
        }
        let description = decoded.first().map(|first| first.description(parts.len())).unwrap_or_default();
        Ok(Self { decoded, description, ..Self::native(Vec::new())? })
    }

    fn encapsulated(transfer_syntax: TransferSyntaxUid, ranges: Vec<std::ops::Range<u64>>) -> Self {
        Self {
            transfer_syntax,
            encapsulated: true,
            is_stream: false,
            ranges,
            decoded: Vec::new(),
            description: BTreeMap::new(),
        }
    }

    fn stream(transfer_syntax: TransferSyntaxUid, ranges: Vec<std::ops::Range<u64>>) -> Self {
        Self { is_stream: true, ..Self::encapsulated(transfer_syntax, ranges) }
    }

    async fn pictures(
        parts: &[BulkPart],
        stated: Option<&str>,
        read: fn(&[u8]) -> Result<Picture, &'static str>,
    ) -> Result<Self, AssembleError> {
        let mut pictures: Vec<Picture> = Vec::with_capacity(parts.len());
        let (mut ranges, mut length) = (Vec::with_capacity(parts.len()), 0);
        for part in parts {
            let head = part.content.head(HEAD_LENGTH_MAX_BYTES).await.map_err(AssembleError::Spool)?;
            let picture = read(&head).map_err(AssembleError::Picture)?;
            let end = picture.end.unwrap_or(u64::MAX).min(part.content.length());
            ranges.push(picture.start..end);
            length += end.saturating_sub(picture.start);
            pictures.push(picture);
        }
        let first = &pictures[0];
        let same = |picture: &&Picture| {
            picture.transfer_syntaxes == first.transfer_syntaxes
                && (picture.rows, picture.columns) == (first.rows, first.columns)
                && picture.samples_per_pixel == first.samples_per_pixel
        };
        if !pictures.iter().all(|picture| same(&picture)) {
            return Err(AssembleError::Picture("the frames are not alike"));
        }
        let transfer_syntax = one_of(first.transfer_syntaxes, stated)?;
        let description = first.description(parts.len(), length);
        Ok(Self { description, ..Self::encapsulated(transfer_syntax, ranges) })
    }
}

/// The transfer syntax that was stated, if it fits the bytes; the first that fits otherwise.
fn one_of(fits: &[&str], stated: Option<&str>) -> Result<TransferSyntaxUid, AssembleError> {
    match stated {
        Some(stated) if !fits.contains(&stated) => {
            Err(AssembleError::Picture("the part is not of the transfer syntax that it states"))
        }
        Some(stated) => parse(stated),
        None => parse(fits.first().copied().unwrap_or_default()),
    }
}

fn parse(uid: &str) -> Result<TransferSyntaxUid, AssembleError> {
    TransferSyntaxUid::parse(uid).map_err(|_| AssembleError::Picture("a transfer syntax that is no UID"))
}
