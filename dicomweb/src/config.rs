//! Section `[dicomweb]` of the configuration.

use serde::{Deserialize, Serialize};

/// Where the program mounts this door.
pub const MOUNT_PATH: &str = "/dicomweb";

/// Settings of the DICOMweb door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DicomwebConfig {
    /// URL of this door as clients see it, as in `https://xray.example.org/dicomweb`. Empty: URLs in answers begin as the
    /// proxy says or the client asked, or with `/dicomweb` where that is not known; see `urls`.
    pub public_url: String,
    /// Origins of web viewers served from elsewhere, as in `https://viewer.example.org`; `*` for any. Empty: none.
    pub cors_allowed_origins: Vec<String>,
    /// Rows of one QIDO-RS page: the default and the most.
    pub search_page_max: u32,
    /// Rows that a QIDO-RS search counts at most for `X-Total-Count`, when there are more than one page and an index
    /// leads to them. 0: none.
    pub search_count_max: u64,
    /// Longest body of one STOW-RS request; each instance has the archive's own limit.
    pub store_request_length_max_bytes: u64,
    /// Most instances in one STOW-RS request.
    pub store_request_parts_max: usize,
    /// Longest metadata of one STOW-RS request, in DICOM JSON or XML; they are held in memory, their bulk data are not.
    pub store_metadata_length_max_bytes: u64,
    /// Longest wait for the next bytes of a STOW-RS request.
    pub store_idle_timeout_ms: u64,
    /// Instances of one STOW-RS request that may wait for their commit while the next one is read.
    pub store_commits_max: usize,
    /// Frames decoded, rendered or made anew at once, for all doors together: C-GET and C-MOVE convert in the same places.
    pub renders_max: usize,
    /// Longest wait for one of these places before the answer is 503.
    pub render_wait_timeout_ms: u64,
    /// Frames that were made anew and pictures that are kept in memory for whoever asks next. 0: none.
    pub frame_cache_max_bytes: u64,
    /// Longest encoded frame that is rendered.
    pub render_frame_length_max_bytes: u64,
}

impl Default for DicomwebConfig {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            cors_allowed_origins: Vec::new(),
            search_page_max: 1000,
            search_count_max: 1000,
            store_request_length_max_bytes: 64 << 30,
            store_request_parts_max: 50_000,
            store_metadata_length_max_bytes: 16 << 20,
            store_idle_timeout_ms: 60_000,
            store_commits_max: 16,
            renders_max: 4,
            render_wait_timeout_ms: 10_000,
            frame_cache_max_bytes: 64 << 20,
            render_frame_length_max_bytes: 512 << 20,
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DicomwebConfigError {
    /// `public_url` is no plain http or https URL.
    #[error("dicomweb.public_url must be an http or https URL without query, quotes or white space")]
    PublicUrl,
    /// An origin is none.
    #[error("dicomweb.cors_allowed_origins: {0:?} is no origin like https://viewer.example.org, nor *")]
    Origin(String),
    /// A limit of 0 stops the door.
    #[error("dicomweb.{0} must be at least 1")]
    Zero(&'static str),
}

impl DicomwebConfig {
    /// What of it a [`conversion::Converter`] keeps to.
    pub fn converter_limits(&self) -> conversion::ConverterLimits {
        conversion::ConverterLimits {
            frames_at_once_max: self.renders_max,
            wait: std::time::Duration::from_millis(self.render_wait_timeout_ms),
            frame_length_max_bytes: self.render_frame_length_max_bytes,
        }
    }

    /// Checks what cannot be seen from the types.
    ///
    /// # Errors
    /// See [`DicomwebConfigError`].
    pub fn check(&self) -> Result<(), DicomwebConfigError> {
        let plain = |url: &str| {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            let safe = |byte: u8| byte.is_ascii_graphic() && !b"\"\\?#<>,;".contains(&byte);
            rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(safe))
        };
        if !self.public_url.is_empty() && !plain(&self.public_url) {
            return Err(DicomwebConfigError::PublicUrl);
        }
        let bad_origin = |origin: &&String| *origin != "*" && !plain(origin);
        if let Some(origin) = self.cors_allowed_origins.iter().find(bad_origin) {
            return Err(DicomwebConfigError::Origin(origin.clone()));
        }
        for (name, value) in [
            ("search_page_max", self.search_page_max as usize),
            ("store_request_parts_max", self.store_request_parts_max),
            ("store_commits_max", self.store_commits_max),
            ("renders_max", self.renders_max),
        ] {
            if value == 0 {
                return Err(DicomwebConfigError::Zero(name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_limits_are_checked() {
        let with = |public_url: &str, origin: &str| DicomwebConfig {
            public_url: public_url.into(),
            cors_allowed_origins: vec![origin.into()],
            ..DicomwebConfig::default()
        };
        assert_eq!(DicomwebConfig::default().check(), Ok(()));
        assert_eq!(with("https://x.example/dicomweb", "https://viewer.example").check(), Ok(()));
        for url in ["x", "ftp://x", "https://", "https://x/\"", "https://x y"] {
            assert_eq!(with(url, "*").check(), Err(DicomwebConfigError::PublicUrl), "{url}");
        }
        assert!(with("", "viewer.example").check().is_err());
        assert!(DicomwebConfig { renders_max: 0, ..DicomwebConfig::default() }.check().is_err());
    }
}
