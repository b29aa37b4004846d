//! Settings of the object store: the section `[object_storage]`.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// Space that stays free for the database, its log and deletes.
const RESERVE_BYTES: u64 = 2 << 30;
/// The reserve is never more than this share of the file system, so that a small disk can be used at all.
const RESERVE_PERCENT_MAX: u8 = 5;
/// Longest wait for one S3 request without a byte of answer.
const S3_REQUEST_TIMEOUT_MS: u64 = 10_000;
/// Longest wait for one S3 operation with its retries.
const S3_OPERATION_TIMEOUT_MS: u64 = 30_000;
/// Slowest read of a long object.
const S3_BYTES_PER_SECOND_MIN: u64 = 16 << 10;
/// Failures in a row after which the bucket is left alone for a while.
const S3_BREAKER_FAILURES: u32 = 5;
/// That while.
const S3_BREAKER_OPEN_MS: u64 = 5_000;
/// Reads of a hundred that may be asked for twice.
const S3_HEDGE_PERCENT_MAX: u8 = 5;
/// More would be a second load on a bucket that is slow already.
const S3_HEDGE_PERCENT_LIMIT: u8 = 10;
/// Memory for uploads, of all senders together; and the least, of one part and some beginnings.
const S3_UPLOAD_MEMORY_MAX_BYTES: u64 = 512 << 20;
const S3_UPLOAD_MEMORY_LEAST_BYTES: u64 = 16 << 20;
/// What was read stays on this machine's disk: how much of it, and the least that is of use.
const S3_CACHE_MAX_BYTES: u64 = 4 << 30;
const S3_CACHE_LEAST_BYTES: u64 = 16 << 20;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum BackendKind {
    /// Files in a directory of this machine; one process.
    #[default]
    Directory,
    /// A bucket behind the S3 API; any number of processes.
    S3,
}

/// The section `[object_storage]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectStorageConfig {
    /// Which store.
    pub backend: BackendKind,
    /// Where the directory store lies; empty for the data directory.
    pub directory: PathBuf,
    /// New objects are refused when less than this would stay free.
    pub reserve_bytes: u64,
    /// Caps `reserve_bytes` at this share of the file system; 100 for no cap.
    pub reserve_percent_max: u8,
    /// Objects over 128 KiB bypass the page cache: faster and cheaper, but the first read comes from the disk.
    pub direct_io: bool,
    /// The S3 store.
    pub s3: S3Config,
}

impl Default for ObjectStorageConfig {
    fn default() -> Self {
        Self {
            backend: BackendKind::Directory,
            directory: PathBuf::new(),
            reserve_bytes: RESERVE_BYTES,
            reserve_percent_max: RESERVE_PERCENT_MAX,
            direct_io: true,
            s3: S3Config::default(),
        }
    }
}

/// Which checksum travels with each upload and is checked by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum S3Checksum {
    /// SHA-256.
    #[default]
    Sha256,
    /// None, for servers that refuse `x-amz-checksum-sha256`; the length is still checked.
    None,
}

/// The section `[object_storage.s3]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    /// URL of the server; empty for AWS.
    pub endpoint: String,
    /// Bucket, which must exist.
    pub bucket: String,
    /// Region.
    pub region: String,
    /// Access key id; empty for the machine's own identity (instance role, web identity).
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Put before every key, so that a bucket can be shared.
    pub prefix: String,
    /// Lets `endpoint` be `http://`.
    pub allow_http: bool,
    /// The bucket is part of the path, not of the host name: what most servers other than AWS want.
    pub path_style: bool,
    /// Checksum of uploads.
    pub checksum: S3Checksum,
    /// Longest wait for one request.
    pub request_timeout_ms: u64,
    /// Longest wait for one short operation with all of its requests and their retries.
    pub operation_timeout_ms: u64,
    /// A long read that brings less, over `operation_timeout_ms` of waiting, is given up; 0 for any pace.
    pub bytes_per_second_min: u64,
    /// Failures of the bucket in a row, over a second at least, after which it is asked nothing for a while; 0 for never.
    pub breaker_failures: u32,
    /// That while; then one request tries.
    pub breaker_open_ms: u64,
    /// Reads of a hundred that may be asked for twice because the first answer is late, at most 10; 0 for none.
    pub hedge_percent_max: u8,
    /// Memory for what is uploaded, of all senders together; beyond it they wait.
    pub upload_memory_max_bytes: u64,
    /// What was read stays in the data directory, sealed as it is in the bucket, up to so much; 0 for nothing.
    pub cache_max_bytes: u64,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            bucket: String::new(),
            region: "us-east-1".to_owned(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            prefix: String::new(),
            allow_http: false,
            path_style: true,
            checksum: S3Checksum::Sha256,
            request_timeout_ms: S3_REQUEST_TIMEOUT_MS,
            operation_timeout_ms: S3_OPERATION_TIMEOUT_MS,
            bytes_per_second_min: S3_BYTES_PER_SECOND_MIN,
            breaker_failures: S3_BREAKER_FAILURES,
            breaker_open_ms: S3_BREAKER_OPEN_MS,
            hedge_percent_max: S3_HEDGE_PERCENT_MAX,
            upload_memory_max_bytes: S3_UPLOAD_MEMORY_MAX_BYTES,
            cache_max_bytes: S3_CACHE_MAX_BYTES,
        }
    }
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .field("prefix", &self.prefix)
            .field("checksum", &self.checksum)
            .finish_non_exhaustive()
    }
}

impl ObjectStorageConfig {
    /// Says which setting makes no sense.
    ///
    /// # Errors
    /// [`StorageError::Config`].
    pub fn check(&self) -> Result<(), StorageError> {
        if self.reserve_percent_max > 100 {
            return Err(StorageError::Config("reserve_percent_max is a percentage, 0 to 100".to_owned()));
        }
        match self.backend {
            BackendKind::Directory => Ok(()),
            BackendKind::S3 => self.s3.check(),
        }
    }
}

impl S3Config {
    fn check(&self) -> Result<(), StorageError> {
        let problem = if self.bucket.is_empty() {
            "s3.bucket is empty"
        } else if self.access_key_id.is_empty() != self.secret_access_key.is_empty() {
            "s3.access_key_id and s3.secret_access_key go together"
        } else if self.endpoint.starts_with("http://") && !self.allow_http {
            "s3.endpoint is http:// and s3.allow_http is false: objects would travel in clear"
        } else if !self.endpoint.is_empty() && !self.endpoint.contains("://") {
            "s3.endpoint is a URL, such as https://s3.example.org"
        } else if self.request_timeout_ms == 0 || self.operation_timeout_ms < self.request_timeout_ms {
            "s3.operation_timeout_ms is at least s3.request_timeout_ms, and neither is 0"
        } else if self.breaker_open_ms == 0 {
            "s3.breaker_open_ms is not 0; s3.breaker_failures = 0 turns the breaker off"
        } else if self.hedge_percent_max > S3_HEDGE_PERCENT_LIMIT {
            "s3.hedge_percent_max is at most 10"
        } else if self.upload_memory_max_bytes < S3_UPLOAD_MEMORY_LEAST_BYTES {
            "s3.upload_memory_max_bytes is at least 16777216, 16 MiB"
        } else if self.cache_max_bytes != 0 && self.cache_max_bytes < S3_CACHE_LEAST_BYTES {
            "s3.cache_max_bytes is 0, for no cache, or at least 16777216, 16 MiB"
        } else if self.prefix.split('/').any(|part| part == "..") {
            "s3.prefix has no `..`"
        } else {
            return Ok(());
        };
        Err(StorageError::Config(problem.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(change: impl FnOnce(&mut S3Config)) -> Result<(), StorageError> {
        let mut config = ObjectStorageConfig { backend: BackendKind::S3, ..Default::default() };
        config.s3.bucket = "maxray".to_owned();
        change(&mut config.s3);
        config.check()
    }

    #[test]
    fn the_default_needs_nothing() {
        assert!(ObjectStorageConfig::default().check().is_ok());
        assert!(s3(|_| ()).is_ok());
    }

    #[test]
    fn settings_without_sense_are_refused() {
        assert!(s3(|s3| s3.bucket.clear()).is_err());
        assert!(s3(|s3| s3.access_key_id = "id".to_owned()).is_err());
        assert!(s3(|s3| s3.endpoint = "http://127.0.0.1:9000".to_owned()).is_err());
        assert!(s3(|s3| s3.endpoint = "127.0.0.1:9000".to_owned()).is_err());
        assert!(s3(|s3| s3.operation_timeout_ms = 1).is_err());
        assert!(s3(|s3| s3.prefix = "a/../b".to_owned()).is_err());
        assert!(s3(|s3| s3.breaker_open_ms = 0).is_err());
        assert!(s3(|s3| s3.hedge_percent_max = 11).is_err());
        assert!(s3(|s3| s3.upload_memory_max_bytes = (16 << 20) - 1).is_err());
        assert!(s3(|s3| s3.cache_max_bytes = (16 << 20) - 1).is_err());
        assert!(s3(|s3| s3.cache_max_bytes = 0).is_ok());
        let config = ObjectStorageConfig { reserve_percent_max: 101, ..Default::default() };
        assert!(config.check().is_err());
    }

    #[test]
    fn the_secret_is_not_shown() {
        let config = S3Config { secret_access_key: "s3cr3t".to_owned(), ..Default::default() };
        assert!(!format!("{config:?}").contains("s3cr3t"));
    }
}
