//! The door of this crate: bytes of one data set in, [`InstanceHeader`] out.

use model::{
    frame::FrameTable,
    instance::InstanceHeader,
    uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid},
};

use crate::{
    document::DocumentParts,
    element::Encoding,
    error::HeaderError,
    facts::Facts,
    frame_table, index,
    inflate::Inflate,
    limits::Limits,
    pixel_module::{number_of_frames, pixel_module},
    scope::Scope,
    stream::{PixelElement, Stream},
    tag,
    warnings::Warnings,
};

/// Push parser for a data set: no preamble, no group 2. The same bytes give the same result however they are cut
/// into pieces; memory stays under [`Limits::memory_max_bytes`].
pub struct HeaderReader {
    transfer_syntax: TransferSyntaxUid,
    inflate: Option<Inflate>,
    stream: Stream,
    failed: Option<HeaderError>,
}

/// What instance this is, known before the data set has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: SopClassUid,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: SopInstanceUid,
}

impl HeaderReader {
    /// A reader for one data set in the given transfer syntax.
    pub fn new(transfer_syntax: &TransferSyntaxUid, limits: Limits) -> Self {
        let encoding = transfer_syntax.data_set_encoding();
        let elements = Encoding { implicit_vr: encoding.implicit_vr, big_endian: encoding.big_endian };
        Self {
            transfer_syntax: transfer_syntax.clone(),
            inflate: encoding.deflated.then(|| Inflate::new(limits.inflated_max_bytes)),
            stream: Stream::new(elements, limits),
            failed: None,
        }
    }

    /// Takes the next bytes. After an error every further call gives the same error.
    ///
    /// # Errors
    /// As soon as the data set cannot be read whatever follows.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), HeaderError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let stream = &mut self.stream;
        let result = match &mut self.inflate {
            Some(inflate) => inflate.push(bytes, |run| stream.push(run)),
            None => stream.push(bytes),
        };
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// The identity, once SOP Class UID and SOP Instance UID have passed and are UIDs.
    pub fn identity(&self) -> Option<Identity> {
        let facts = self.stream.document.facts();
        Some(Identity {
            sop_class_uid: SopClassUid::parse(facts.text(Scope::Root, tag::SOP_CLASS_UID)?).ok()?,
            sop_instance_uid: SopInstanceUid::parse(facts.text(Scope::Root, tag::SOP_INSTANCE_UID)?).ok()?,
        })
    }

    /// The header, when the bytes pushed are a whole data set.
    ///
    /// # Errors
    /// When the data set is cut short, or a mandatory UID is absent or wrong.
    pub fn finish(self) -> Result<InstanceHeader, HeaderError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(inflate) = self.inflate.filter(|inflate| !inflate.has_ended()) {
            return Err(HeaderError::Truncated { offset: inflate.taken() });
        }
        let (document, pixel) = self.stream.finish()?;
        let DocumentParts { json, facts, bulk_data, mut warnings, .. } = document.finish();
        let frame_table = frame_table(&facts, pixel.as_ref(), &self.transfer_syntax, &mut warnings);
        Ok(InstanceHeader {
            patient: index::patient(&facts),
            study: index::study(&facts)?,
            series: index::series(&facts)?,
            pixel_module: pixel.map(|pixel| pixel_module(&facts, pixel.tag())),
            instance: index::instance(&facts, self.transfer_syntax)?,
            json,
            bulk_data,
            frame_table,
            warnings: warnings.into_sentences(),
        })
    }
}

/// A data set that is no instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainDataSet {
    /// Its attributes in the DICOM JSON Model.
    pub json: String,
    /// Specific Character Set (0008,0005) as it was sent, terms separated by backslashes; empty without one.
    pub specific_character_set: String,
}

impl HeaderReader {
    /// The attributes alone, when the bytes pushed are a whole data set: an Identifier (PS3.4 C.1.4) is no instance and
    /// has none of an instance's UIDs.
    ///
    /// # Errors
    /// When the data set is cut short.
    pub fn finish_plain(self) -> Result<PlainDataSet, HeaderError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (document, _) = self.stream.finish()?;
        let DocumentParts { json, specific_character_set, .. } = document.finish();
        Ok(PlainDataSet { json, specific_character_set })
    }
}

impl PixelElement {
    fn tag(&self) -> u32 {
        match self {
            Self::Native { tag, .. } => *tag,
            Self::Encapsulated(encapsulated) => encapsulated.tag,
        }
    }
}

fn frame_table(
    facts: &Facts,
    pixel: Option<&PixelElement>,
    transfer_syntax: &TransferSyntaxUid,
    warnings: &mut Warnings,
) -> FrameTable {
    let table = |tag| facts.table(Scope::Root, tag);
    match pixel {
        None => FrameTable::None,
        Some(PixelElement::Native { range, .. }) if range.length == 0 => FrameTable::None,
        Some(PixelElement::Native { tag: tag::PIXEL_DATA, .. }) if transfer_syntax.is_encapsulated() => {
            warnings.add(
                "pixel data are native although the transfer syntax is encapsulated: no frames are served",
            );
            FrameTable::None
        }
        Some(PixelElement::Native { tag, range }) => {
            frame_table::native(&pixel_module(facts, *tag), *range, warnings)
        }
        Some(PixelElement::Encapsulated(encapsulated)) => {
            let extended = table(tag::EXTENDED_OFFSET_TABLE).zip(table(tag::EXTENDED_OFFSET_TABLE_LENGTHS));
            let frames = number_of_frames(facts);
            frame_table::encapsulated(encapsulated, frames, transfer_syntax, extended, warnings)
        }
    }
}
