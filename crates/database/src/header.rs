//! The header of each instance: its DICOM JSON and where its frames and bulk data lie, kept compressed.

use std::{cell::RefCell, collections::HashMap, io};

use model::{
    frame::FrameTable,
    functional_groups::FrameItems,
    instance::{BulkDataReference, InstanceHeader},
    pixel::PixelModule,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zstd::bulk::{Compressor, Decompressor};

use crate::{
    Database, DatabaseError,
    statement::{Statement, uuid_rows},
};

/// Headers compress five to ten times at the fastest level; the next levels cost more than they save.
const ZSTD_LEVEL: i32 = 1;
/// No header is made that unpacks to more, so a damaged row cannot take the memory.
const UNPACKED_MAX_BYTES: usize = 256 << 20;

/// What was read from an instance when it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderRecord {
    /// The instance.
    pub instance_id: Uuid,
    /// The data set as one DICOM JSON object; see [`InstanceHeader::json`].
    pub json: String,
    /// Values left out of `json`.
    pub bulk_data: Vec<BulkDataReference>,
    /// Pixel description of the instance, see [`Self::frame_module`] for one frame; `None` when there is no pixel data
    /// element.
    pub pixel_module: Option<PixelModule>,
    /// Where the frames are.
    pub frame_table: FrameTable,
    /// Where single frames are described in `json`. It is not stored.
    pub frame_items: FrameItems,
}

impl HeaderRecord {
    /// The pixel description of frame `index`, which counts from 0: a picture of a frame is made with its own rescale
    /// and window, where it has them.
    pub fn frame_module(&self, index: usize) -> Option<PixelModule> {
        let module = self.pixel_module.as_ref()?;
        Some(self.frame_items.module(&self.json, module, index))
    }
}

#[derive(Deserialize)]
struct Layout {
    bulk_data: Vec<BulkDataReference>,
    pixel_module: Option<PixelModule>,
    frame_table: FrameTable,
}

#[derive(Serialize)]
struct LayoutRef<'a> {
    bulk_data: &'a [BulkDataReference],
    pixel_module: Option<&'a PixelModule>,
    frame_table: &'a FrameTable,
}

/// Packs DICOM JSON and layout for `instance_header`.
pub(crate) fn pack(header: &InstanceHeader) -> Result<(Vec<u8>, Vec<u8>), DatabaseError> {
    let layout = LayoutRef {
        bulk_data: &header.bulk_data,
        pixel_module: header.pixel_module.as_ref(),
        frame_table: &header.frame_table,
    };
    let layout = serde_json::to_vec(&layout).map_err(|error| DatabaseError::Corrupt(error.to_string()))?;
    Ok((compress(header.json.as_bytes())?, compress(&layout)?))
}

thread_local! {
    // Making a context costs more than compressing a header with it.
    static CONTEXTS: RefCell<Option<(Compressor<'static>, Decompressor<'static>)>> = const { RefCell::new(None) };
}

/// Runs `work` with this thread's contexts, made when first used.
fn with_contexts<T>(
    work: impl FnOnce(&mut Compressor<'static>, &mut Decompressor<'static>) -> io::Result<T>,
) -> io::Result<T> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let made = match contexts.take() {
            Some(made) => made,
            None => (Compressor::new(ZSTD_LEVEL)?, Decompressor::new()?),
        };
        let (compressor, decompressor) = contexts.insert(made);
        work(compressor, decompressor)
    })
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>, DatabaseError> {
    with_contexts(|compressor, _| compressor.compress(bytes))
        .map_err(|error| DatabaseError::Corrupt(error.to_string()))
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, DatabaseError> {
    let unreadable = || DatabaseError::Corrupt("a header does not unpack".to_owned());
    let length = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().ok_or_else(unreadable)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= UNPACKED_MAX_BYTES);
    let length = length.ok_or_else(unreadable)?;
    with_contexts(|_, decompressor| decompressor.decompress(bytes, length)).map_err(|_| unreadable())
}

/// Packed headers that are read at once at most, together; a single one may be longer.
const PACKED_AT_ONCE_MAX_BYTES: u64 = 8 << 20;

/// How long they are, without reading them.
static LENGTHS: Statement = Statement::new(
    "SELECT h.instance, CAST(length(h.dicom_json) AS bigint) AS length FROM ROWS($1: id uuid) AS r \
     CROSS JOIN instance_header h WHERE h.instance = r.id",
);

static BY_INSTANCE: Statement = Statement::new(
    "SELECT h.instance, h.dicom_json, h.layout FROM ROWS($1: id uuid) AS r \
     CROSS JOIN instance_header h WHERE h.instance = r.id",
);

/// A header as it is kept.
#[derive(sqlx::FromRow)]
struct Row {
    instance: Uuid,
    dicom_json: Vec<u8>,
    layout: Vec<u8>,
}

/// A header that is not unpacked yet.
pub struct PackedHeader(Row);

impl PackedHeader {
    /// The instance.
    pub fn instance_id(&self) -> Uuid {
        self.0.instance
    }

    /// The data set alone; see [`HeaderRecord::json`].
    ///
    /// # Errors
    /// [`DatabaseError::Corrupt`] when it does not unpack.
    pub fn json(&self) -> Result<String, DatabaseError> {
        self.0.json()
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn unpack(self) -> Result<HeaderRecord, DatabaseError> {
        self.0.try_into()
    }
}

impl Row {
    fn unreadable(&self) -> DatabaseError {
        DatabaseError::Corrupt(format!("header of instance {}", self.instance))
    }

    fn json(&self) -> Result<String, DatabaseError> {
        String::from_utf8(decompress(&self.dicom_json)?).map_err(|_| self.unreadable())
    }
}

impl TryFrom<Row> for HeaderRecord {
    type Error = DatabaseError;
    fn try_from(row: Row) -> Result<Self, DatabaseError> {
        let layout = serde_json::from_slice(&decompress(&row.layout)?);
        let layout: Layout = layout.map_err(|_| row.unreadable())?;
        Ok(Self {
            instance_id: row.instance,
            json: row.json()?,
            bulk_data: layout.bulk_data,
            pixel_module: layout.pixel_module,
            frame_table: layout.frame_table,
            frame_items: FrameItems::default(),
        })
    }
}

impl Database {
    /// The headers of these instances, in the order asked for; unknown instances are left out. The ids come from a
    /// read that took a scope.
    pub async fn headers(&self, instance_ids: &[Uuid]) -> Result<Vec<HeaderRecord>, DatabaseError> {
        if instance_ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut headers: HashMap<Uuid, HeaderRecord> = self
            .rows(instance_ids)
            .await?
            .into_iter()
            .map(|row| HeaderRecord::try_from(row).map(|header| (header.instance_id, header)))
            .collect::<Result<_, _>>()?;
        Ok(instance_ids.iter().filter_map(|id| headers.remove(id)).collect())
    }

    /// The headers of the first of these instances, as many as may be in memory at once, still packed: each is unpacked when it is
    /// needed. And how many of the instances that covers, at least one. Headers are what strangers have sent: 64 of them may be a
    /// gigabyte.
    pub async fn first_headers(
        &self,
        instance_ids: &[Uuid],
    ) -> Result<(impl Iterator<Item = PackedHeader> + Send + use<>, usize), DatabaseError> {
        let covered = self.first_that_fit(instance_ids).await?;
        let ids = instance_ids[..covered].to_vec();
        let mut rows: HashMap<Uuid, Row> =
            self.rows(&ids).await?.into_iter().map(|row| (row.instance, row)).collect();
        Ok((ids.into_iter().filter_map(move |id| rows.remove(&id).map(PackedHeader)), covered))
    }

    async fn first_that_fit(&self, instance_ids: &[Uuid]) -> Result<usize, DatabaseError> {
        if instance_ids.len() <= 1 {
            return Ok(instance_ids.len());
        }
        let (sql, list) = (LENGTHS.on(self.dialect()), uuid_rows(instance_ids.iter().copied()));
        let lengths: Vec<(Uuid, i64)> =
            on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
        let lengths: HashMap<Uuid, i64> = lengths.into_iter().collect();
        let mut sum = 0;
        let fits = |id: &&Uuid| {
            sum += lengths.get(*id).map_or(0, |length| length.unsigned_abs());
            sum <= PACKED_AT_ONCE_MAX_BYTES
        };
        Ok(instance_ids.iter().take_while(fits).count().max(1))
    }

    async fn rows(&self, instance_ids: &[Uuid]) -> Result<Vec<Row>, DatabaseError> {
        let (sql, list) = (BY_INSTANCE.on(self.dialect()), uuid_rows(instance_ids.iter().copied()));
        Ok(on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?))
    }

    /// The header of one instance.
    pub async fn header(&self, instance_id: Uuid) -> Result<Option<HeaderRecord>, DatabaseError> {
        Ok(self.headers(&[instance_id]).await?.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacks_what_was_packed_and_nothing_else() {
        for length in [0, 1, 1_000, 1 << 20] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let packed = compress(&bytes).expect("packs");
            assert_eq!(decompress(&packed).expect("unpacks"), bytes);
            assert!(decompress(&packed[..packed.len() - 1]).is_err());
        }
        for damaged in [&[][..], &[0; 40], b"(\xb5/\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0"] {
            assert!(decompress(damaged).is_err());
        }
    }
}
