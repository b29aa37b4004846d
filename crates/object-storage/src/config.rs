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
    /// Longest wait for one operation with its retries.
    pub operation_timeout_ms: u64,
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
        let config = ObjectStorageConfig { reserve_percent_max: 101, ..Default::default() };
        assert!(config.check().is_err());
    }

    #[test]
    fn the_secret_is_not_shown() {
        let config = S3Config { secret_access_key: "s3cr3t".to_owned(), ..Default::default() };
        assert!(!format!("{config:?}").contains("s3cr3t"));
    }
}
