//! PS3.18 8.6.1.2.2, the parts with bulk data of one request, by their Content-Location.

use std::{collections::HashMap, io, sync::Arc};

use super::super::spool::{Spool, SpoolConfig, SpoolWriter, Spooled};
use crate::{
    media_type::{MediaType, OCTET_STREAM},
    multipart::PartHeader,
};

/// One part that came whole.
#[derive(Debug, Clone)]
pub(super) struct BulkPart {
    pub(super) media_type: MediaType,
    pub(super) content: Spooled,
}

/// Why the parts of one location cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BulkFailure {
    /// Longer than an instance may be.
    TooLarge,
    /// The spool could not take it.
    Spool,
}

/// Every part by location, in the order in which they came: the frames of one instance may come in as many parts.
pub(super) struct BulkData {
    spool: Spool,
    parts: HashMap<String, Located>,
    /// Parts without a location.
    nameless: usize,
}

#[derive(Debug, Default)]
struct Located {
    parts: Vec<BulkPart>,
    length: u64,
    failure: Option<BulkFailure>,
    used: bool,
}

/// A part that is coming in.
pub(super) struct Incoming {
    location: Option<String>,
    media_type: MediaType,
    writer: SpoolWriter,
    failure: Option<BulkFailure>,
    /// Bytes that this location may still have.
    left_bytes: u64,
}

impl BulkData {
    pub(super) fn new(config: &Arc<SpoolConfig>) -> Self {
        Self { spool: Spool::new(config), parts: HashMap::new(), nameless: 0 }
    }

    /// `length_max_bytes` for all parts of one location.
    pub(super) fn begin(&mut self, part: PartHeader, length_max_bytes: u64) -> Incoming {
        let location = part.content_location.filter(|location| !location.is_empty());
        let taken = location.as_ref().and_then(|location| self.parts.get(location)).map_or(0, |l| l.length);
        let media_type = part.content_type.or_else(|| MediaType::parse(OCTET_STREAM).ok());
        Incoming {
            location,
            media_type: media_type.expect("application/octet-stream is a media type"),
            writer: SpoolWriter::default(),
            failure: None,
            left_bytes: length_max_bytes.saturating_sub(taken),
        }
    }

    /// Takes bytes; after a failure they are passed over, and only this location suffers.
    pub(super) async fn take(&mut self, incoming: &mut Incoming, bytes: &[u8]) {
        if incoming.failure.is_some() || incoming.location.is_none() {
            return;
        }
        if incoming.writer.length().saturating_add(bytes.len() as u64) > incoming.left_bytes {
            incoming.failure = Some(BulkFailure::TooLarge);
            return;
        }
        let written = incoming.writer.write(&mut self.spool, bytes).await;
        incoming.failure = written.err().map(|error| failed(&error));
    }

    /// The part is over.
    pub(super) async fn end(&mut self, incoming: Incoming) {
        let Incoming { location, media_type, writer, failure, .. } = incoming;
        let Some(location) = location else {
            self.nameless += 1;
            return;
        };
        let length = writer.length();
        let finished = match failure {
            Some(failure) => Err(failure),
            None => writer.finish(&mut self.spool).await.map_err(|error| failed(&error)),
        };
        let located = self.parts.entry(location).or_default();
        located.length = located.length.saturating_add(length);
        match finished {
            Ok(content) => located.parts.push(BulkPart { media_type, content }),
            Err(failure) => located.failure = located.failure.or(Some(failure)),
        }
    }

    /// The parts that metadata call so; `None` when there is none.
    pub(super) fn find(&mut self, location: &str) -> Option<Result<&[BulkPart], BulkFailure>> {
        let located = self.parts.get_mut(location.trim())?;
        located.used = true;
        Some(match located.failure {
            Some(failure) => Err(failure),
            None => Ok(&located.parts),
        })
    }

    /// How many locations no metadata named, and parts without one.
    pub(super) fn unused(&self) -> usize {
        self.nameless + self.parts.values().filter(|located| !located.used).count()
    }
}

fn failed(error: &io::Error) -> BulkFailure {
    if error.kind() != io::ErrorKind::StorageFull {
        tracing::warn!(%error, "bulk data could not be spooled");
    }
    BulkFailure::Spool
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn add(bulk: &mut BulkData, location: Option<&str>, content: &[u8], length_max_bytes: u64) {
        let header = PartHeader { content_location: location.map(str::to_owned), ..PartHeader::default() };
        let mut incoming = bulk.begin(header, length_max_bytes);
        for piece in content.chunks(3) {
            bulk.take(&mut incoming, piece).await;
        }
        bulk.end(incoming).await;
    }

    fn empty() -> BulkData {
        BulkData::new(&Arc::new(SpoolConfig::default()))
    }

    #[tokio::test]
    async fn parts_by_location_in_their_order() {
        let mut bulk = empty();
        for (location, content) in
            [(Some("a"), &b"one"[..]), (Some("b"), b"two"), (Some("a"), b"three"), (None, b"x")]
        {
            add(&mut bulk, location, content, 100).await;
        }
        let parts = bulk.find(" a ").expect("there").expect("whole").to_vec();
        let lengths: Vec<u64> = parts.iter().map(|part| part.content.length()).collect();
        assert_eq!(lengths, [3, 5]);
        assert_eq!(parts[0].media_type.essence, "application/octet-stream");
        assert!(bulk.find("c").is_none());
        assert_eq!(bulk.unused(), 2);
    }

    #[tokio::test]
    async fn all_parts_of_a_location_share_a_limit() {
        let mut bulk = empty();
        add(&mut bulk, Some("a"), b"123456", 10).await;
        add(&mut bulk, Some("a"), b"12345", 10).await;
        add(&mut bulk, Some("b"), b"1234567890", 10).await;
        assert_eq!(bulk.find("a").expect("there").map(<[_]>::len), Err(BulkFailure::TooLarge));
        assert_eq!(bulk.find("b").expect("there").map(<[_]>::len), Ok(1));
    }
}
