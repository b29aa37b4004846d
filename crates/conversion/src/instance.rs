//! PS3.10 7 and PS3.5 Annex A: an instance as a Part 10 file in the transfer syntax that was asked for, made while it
//! is sent: no more of it is in memory than a frame and a piece of the data set.

use archive::{ByteStream, ReadError};
use bytes::Bytes;
use database::{HeaderRecord, StoredInstance};
use dicom_header::{HeaderError, Rewrite, Rewriter, encode_file_meta};
use futures_util::{StreamExt as _, TryStreamExt as _};
use model::{TransferSyntaxUid, frame::ByteRange};
use rendering::{Target, TranscodedFrame};

use crate::{
    Converter, Patience, TranscodeError, Way, broken,
    edits::{self, Edits},
    pixel_data::{Packer, PixelData},
    word_bytes,
};

/// Path of the Pixel Data element among bulk data.
const PIXEL_DATA_PATH: &str = "7FE00010";
/// An item or delimiter.
const DELIMITER_BYTES: u64 = 8;

/// What of an instance is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A Part 10 file (PS3.10 7).
    File,
    /// The data set alone.
    DataSet,
}

/// An instance on its way out.
#[derive(Clone)]
pub struct Outgoing {
    /// Who makes it.
    pub converter: Converter,
    /// The instance.
    pub instance: StoredInstance,
    /// Its header.
    pub header: HeaderRecord,
    /// What it shall become.
    pub transfer_syntax: TransferSyntaxUid,
    /// With file meta group or without.
    pub form: Form,
    /// How long its first frame may wait for a place to be made in.
    pub patience: Patience,
}

/// Opens it. The first frame is made at once, since the data set says what it has become.
///
/// # Errors
/// See [`TranscodeError`].
pub async fn open(outgoing: Outgoing, way: Way) -> Result<ByteStream, TranscodeError> {
    match way {
        Way::AsStored => {
            let archive = outgoing.converter.archive();
            let read = match outgoing.form {
                Form::File => archive.read_instance(&outgoing.instance).await,
                Form::DataSet => archive.read_data_set(&outgoing.instance).await,
            };
            read.map_err(TranscodeError::Read)
        }
        Way::Rewritten { implicit_vr } => outgoing.rewritten(implicit_vr).await,
        Way::Transcoded { target, implicit_vr } => outgoing.transcoded(target, implicit_vr).await,
    }
}

impl Outgoing {
    fn file_meta(&self, edits: &Edits, target: Option<Target>) -> Bytes {
        if self.form == Form::DataSet {
            return Bytes::new();
        }
        let derived = edits.contains_key(&0x0008_0018).then_some(target).flatten();
        let derived = derived.map(|target| edits::derived_uid(&self.instance, target));
        let sop_instance = derived.as_ref().unwrap_or(&self.instance.sop_instance_uid);
        let meta = encode_file_meta(&self.instance.sop_class_uid, sop_instance, &self.transfer_syntax, None);
        Bytes::from(meta)
    }

    fn rewriter(&self, implicit_vr: bool, edits: Edits, stops_at_pixel_data: bool) -> Rewriter {
        let signed = self.header.pixel_module.as_ref().is_some_and(|module| module.signed);
        let pixel_word_bytes = word_bytes(&self.instance, &self.header);
        let rewrite = Rewrite { implicit_vr, signed, pixel_word_bytes, stops_at_pixel_data, edits };
        Rewriter::new(&self.instance.transfer_syntax_uid, rewrite)
    }

    async fn rewritten(self, implicit_vr: bool) -> Result<ByteStream, TranscodeError> {
        let data_set = self.converter.archive().read_data_set_from(&self.instance, 0).await;
        let mut data_set = data_set.map_err(TranscodeError::Read)?;
        let mut rewriter = self.rewriter(implicit_vr, Edits::new(), false);
        let meta = self.file_meta(&Edits::new(), None);
        let body = async_stream::try_stream! {
            yield meta;
            while let Some(bytes) = data_set.try_next().await.map_err(broken)? {
                rewriter.push(&bytes).map_err(|error| unreadable(&error))?;
                yield Bytes::from(rewriter.take());
            }
            rewriter.finish().map_err(|error| unreadable(&error))?;
            yield Bytes::from(rewriter.take());
        };
        Ok(body.boxed())
    }

    async fn transcoded(self, target: Target, implicit_vr: bool) -> Result<ByteStream, TranscodeError> {
        let first = self.frame(0, target, self.patience).await?;
        let (before, after) = self
            .around_pixel_data()
            .ok_or_else(|| TranscodeError::NotPossible("where the pixel data lie is not known".to_owned()))?;
        let mut edits = edits::image_pixel(&first.description, &self.instance, &self.header);
        if target.is_lossy() {
            let ratio = ratio(&first);
            edits::lossy(&mut edits, &self.instance, &self.header, target, ratio);
        }
        let pixel_data = PixelData::new(&first, target, self.header.frame_table.len(), implicit_vr)?;
        let meta = self.file_meta(&edits, Some(target));
        let mut rewriter = self.rewriter(implicit_vr, edits, true);
        let start = self.converter.archive().read_data_set_range(&self.instance, 0..before).await;
        let mut start = start.map_err(TranscodeError::Read)?;
        let body = async_stream::try_stream! {
            yield meta;
            while let Some(bytes) = start.try_next().await.map_err(broken)? {
                rewriter.push(&bytes).map_err(|error| unreadable(&error))?;
                yield Bytes::from(rewriter.take());
            }
            if !rewriter.is_stopped() {
                Err(broken(ReadError::Damaged("the pixel data are not where they should be")))?;
            }
            yield pixel_data.header();
            let (mut packed, mut made) = (Packer::default(), Some(first));
            for index in 0..self.header.frame_table.len() {
                let frame = match made.take() {
                    Some(first) => first,
                    None => self.frame(index, target, Patience::Unlimited).await.map_err(|error| broken(error.broken()))?,
                };
                yield pixel_data.frame(frame, &mut packed).map_err(broken)?;
            }
            yield pixel_data.end(&mut packed);
            rewriter.resume();
            let end = self.converter.archive().read_data_set_from(&self.instance, after).await;
            let mut end = end.map_err(broken)?;
            while let Some(bytes) = end.try_next().await.map_err(broken)? {
                rewriter.push(&bytes).map_err(|error| unreadable(&error))?;
                yield Bytes::from(rewriter.take());
            }
            rewriter.finish().map_err(|error| unreadable(&error))?;
            yield Bytes::from(rewriter.take());
        };
        Ok(body.boxed())
    }

    async fn frame(
        &self,
        index: usize,
        target: Target,
        patience: Patience,
    ) -> Result<TranscodedFrame, TranscodeError> {
        self.converter.frame(&self.instance, &self.header, index, target, patience).await
    }

    /// Where the value of Pixel Data begins, and where the element ends.
    fn around_pixel_data(&self) -> Option<(u64, u64)> {
        let found = self.header.bulk_data.iter().find(|reference| reference.path == PIXEL_DATA_PATH)?;
        let ByteRange { offset, .. } = found.range;
        let delimiter = if self.instance.transfer_syntax_uid.is_encapsulated() { DELIMITER_BYTES } else { 0 };
        Some((offset, found.range.end().checked_add(delimiter)?))
    }
}

/// How much smaller a frame has become.
fn ratio(frame: &TranscodedFrame) -> f64 {
    let native = frame.description.native_bits() as f64 / 8.0;
    (native / frame.bytes.len().max(1) as f64).max(1.0)
}

fn unreadable(error: &HeaderError) -> ReadError {
    tracing::error!(%error, "a body was cut: the data set could not be rewritten");
    ReadError::Damaged("the data set cannot be rewritten")
}

/// The transfer syntax of a way, as a UID that is known to be one.
pub fn syntax(uid: &str, stored: &TransferSyntaxUid) -> TransferSyntaxUid {
    TransferSyntaxUid::parse(uid).unwrap_or_else(|_| stored.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntaxes_we_make_are_uids() {
        for target in Target::ALL {
            assert!(TransferSyntaxUid::parse(target.transfer_syntax()).is_ok());
        }
        assert!(TransferSyntaxUid::parse(model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN).is_ok());
    }
}
