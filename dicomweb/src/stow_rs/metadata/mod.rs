//! PS3.18 10.5.1 and 8.6.1.2.2, instances that come as metadata and bulk data: read to the end, then put together.
//!
//! Metadata are held in memory, so they have a limit; bulk data are spooled. A request that breaks off stores nothing.

mod assemble;
mod bulk_data;
mod codestream;
mod jpeg;
mod jpeg2000;
mod pixel_data;
mod png;
mod segment;

use bytes::Bytes;
use dicom_header::{JsonModelError, each_element};
use futures_util::Stream;
use serde_json::value::RawValue;
use service::http::problem::Problem;
use tokio::task::spawn_blocking;

use self::{
    assemble::{Assembled, INLINE_LENGTH_MAX_BYTES},
    bulk_data::BulkData,
};
use super::{
    request::{self, MetadataForm},
    response::Remark,
    store::{CANNOT_UNDERSTAND, Interrupted, Storing},
};
use crate::{
    dicom_json::native_xml_to_json,
    multipart::{LimitedBody, MultipartReader, PartHeader},
};

/// Why a request with metadata is refused as a whole.
pub(super) enum Refused {
    /// The payload ended before its end.
    Interrupted(Interrupted),
    /// It came whole and cannot be taken.
    Problem(Problem),
}

impl From<Interrupted> for Refused {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

/// About what is remembered of a part with bulk data beside its Content-Location.
const BULK_PART_MEMORY_BYTES: usize = 300;

/// Metadata as DICOM JSON, each an array of data sets or one, and how many bytes of them came.
struct Metadata {
    documents: Vec<String>,
    length: usize,
    length_max_bytes: usize,
}

impl Metadata {
    fn new(length_max_bytes: u64) -> Self {
        let length_max_bytes = usize::try_from(length_max_bytes).unwrap_or(usize::MAX);
        Self { documents: Vec::new(), length: 0, length_max_bytes }
    }

    fn take(&mut self, text: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Refused> {
        self.count(bytes.len())?;
        text.extend_from_slice(bytes);
        Ok(())
    }

    fn count(&mut self, length: usize) -> Result<(), Refused> {
        self.length = self.length.saturating_add(length);
        if self.length > self.length_max_bytes {
            return Err(Refused::Problem(request::metadata_too_large(self.length_max_bytes)));
        }
        Ok(())
    }

    /// What is remembered of a part with bulk data is in memory, too.
    fn count_part(&mut self, part: &PartHeader) -> Result<(), Refused> {
        let location = part.content_location.as_ref().map_or(0, String::len);
        self.count(location + BULK_PART_MEMORY_BYTES)
    }

    async fn end(&mut self, form: MetadataForm, text: Vec<u8>) -> Result<(), Refused> {
        let read = if text.len() <= INLINE_LENGTH_MAX_BYTES {
            read_document(form, text)
        } else {
            spawn_blocking(move || read_document(form, text))
                .await
                .unwrap_or_else(|_| Err("the metadata cannot be read".to_owned()))
        };
        let unreadable = |error: String| Refused::Problem(Problem::bad_request(error).kind("metadata"));
        self.documents.push(read.map_err(unreadable)?);
        Ok(())
    }

    /// Every data set, its text unread.
    fn data_sets(&self, data_sets_max: usize) -> Result<Vec<&str>, Problem> {
        let mut found: Vec<&str> = Vec::new();
        for document in &self.documents {
            let text = document.trim_start();
            if text.starts_with('{') {
                found.push(text);
                continue;
            }
            each_element(text, |data_set: &RawValue| {
                if found.len() == data_sets_max {
                    return Err(Unlisted::TooMany);
                }
                found.push(data_set.get());
                Ok(())
            })
            .map_err(|error| match error {
                Unlisted::TooMany => format!("there are more than {data_sets_max} data sets"),
                Unlisted::Model(error) => format!("the metadata are no list of data sets: {error}"),
            })
            .map_err(|detail| Problem::bad_request(detail).kind("metadata"))?;
        }
        Ok(found)
    }
}

/// The document as JSON.
fn read_document(form: MetadataForm, text: Vec<u8>) -> Result<String, String> {
    let mut text = String::from_utf8(text).map_err(|_| "the metadata are no UTF-8".to_owned())?;
    // RFC 8259 8.1 and XML 4.3.3: some writers put a mark in front.
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    match form {
        MetadataForm::Json => Ok(text),
        MetadataForm::Xml => native_xml_to_json(&text).map_err(|error| error.to_string()),
    }
}

enum Unlisted {
    TooMany,
    Model(JsonModelError),
}

impl From<JsonModelError> for Unlisted {
    fn from(error: JsonModelError) -> Self {
        Self::Model(error)
    }
}

impl Storing<'_> {
    /// Stores what comes as metadata and the parts that they name.
    pub(super) async fn store_metadata_parts<S, E>(
        &mut self,
        mut reader: MultipartReader<S>,
        form: MetadataForm,
    ) -> Result<(), Refused>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let result = self.read_parts(&mut reader, form).await;
        if result.is_err() {
            reader.drain().await;
        }
        let (metadata, bulk_data) = result?;
        self.store_all(&metadata, bulk_data).await.map_err(Refused::Problem)
    }

    /// Stores a payload that is metadata alone.
    pub(super) async fn store_metadata<S, E>(
        &mut self,
        mut body: LimitedBody<S>,
        form: MetadataForm,
    ) -> Result<(), Refused>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let mut metadata = Metadata::new(self.app().config.store_metadata_length_max_bytes);
        let mut text = Vec::new();
        while let Some(bytes) = body.next().await.map_err(Interrupted)? {
            metadata.take(&mut text, &bytes)?;
        }
        if !text.is_empty() {
            metadata.end(form, text).await?;
        }
        let bulk_data = BulkData::new(&self.app().spool);
        self.store_all(&metadata, bulk_data).await.map_err(Refused::Problem)
    }

    async fn read_parts<S, E>(
        &mut self,
        reader: &mut MultipartReader<S>,
        form: MetadataForm,
    ) -> Result<(Metadata, BulkData), Refused>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let mut metadata = Metadata::new(self.app().config.store_metadata_length_max_bytes);
        let mut bulk_data = BulkData::new(&self.app().spool);
        while let Some(part) = reader.next_part().await.map_err(Interrupted)? {
            let Some(form) = metadata_form(&part, form, metadata.documents.is_empty()) else {
                metadata.count_part(&part)?;
                self.read_bulk_data(reader, part, &mut bulk_data).await?;
                continue;
            };
            let mut text = Vec::new();
            while let Some(bytes) = reader.next_chunk().await.map_err(Interrupted)? {
                metadata.take(&mut text, &bytes)?;
            }
            metadata.end(form, text).await?;
        }
        Ok((metadata, bulk_data))
    }

    async fn read_bulk_data<S, E>(
        &mut self,
        reader: &mut MultipartReader<S>,
        part: PartHeader,
        bulk_data: &mut BulkData,
    ) -> Result<(), Refused>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let length_max_bytes = self.app().archive.config().object_length_max_bytes;
        let mut incoming = bulk_data.begin(part, length_max_bytes);
        while let Some(bytes) = reader.next_chunk().await.map_err(Interrupted)? {
            bulk_data.take(&mut incoming, &bytes).await;
        }
        bulk_data.end(incoming).await;
        Ok(())
    }

    /// Everything is there: puts one instance after the other together and stores it.
    async fn store_all(&mut self, metadata: &Metadata, mut bulk_data: BulkData) -> Result<(), Problem> {
        let data_sets = metadata.data_sets(self.app().config.store_request_parts_max)?;
        for data_set in data_sets {
            let found = assemble::identity(data_set);
            match Assembled::new(data_set, &mut bulk_data).await {
                Ok(assembled) => self.store_assembled(assembled).await,
                Err(error) => self.fail(found, error.remark(), error.is_transient()),
            }
        }
        // Nothing that was sent is dropped in silence.
        for _ in 0..bulk_data.unused() {
            let reason =
                Remark::new(CANNOT_UNDERSTAND, "a part that no metadata name by its Content-Location");
            self.fail(None, reason, false);
        }
        Ok(())
    }

    async fn store_assembled(&mut self, mut assembled: Assembled) {
        let mut writer = self.begin();
        loop {
            match assembled.next().await {
                Ok(Some(bytes)) => {
                    if let Err(error) = writer.write(bytes).await {
                        self.refuse(&writer, &error);
                        return;
                    }
                }
                Ok(None) => {
                    self.commit(writer).await;
                    return;
                }
                Err(error) => {
                    writer.abort().await;
                    self.fail(Some(assembled.identity()), error.remark(), error.is_transient());
                    return;
                }
            }
        }
    }
}

/// Whether a part is metadata, and in which form. The first part is, also when it does not say so.
fn metadata_form(part: &PartHeader, form: MetadataForm, first: bool) -> Option<MetadataForm> {
    match &part.content_type {
        // A bulk data part may be JSON or XML itself; then metadata name it.
        Some(content_type) if part.content_location.is_none() || first => {
            MetadataForm::of(&content_type.essence)
        }
        Some(_) => None,
        None => (first && part.content_location.is_none()).then_some(form),
    }
}

/// Any bytes as the head of a picture: for `fuzzing`.
///
/// # Panics
/// When a picture without a size is taken, or one that lies elsewhere.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_pictures(head: &[u8]) {
    for read in [jpeg::read, jpeg2000::read] {
        let Ok(picture) = read(head) else { continue };
        assert!(picture.rows > 0 && picture.columns > 0 && (1..=16).contains(&picture.bits_stored));
        assert!(picture.start <= head.len() as u64 && picture.end.is_none_or(|end| end > picture.start));
        assert!(!picture.transfer_syntaxes.is_empty() && picture.description(2, 1).len() >= 8);
    }
}
