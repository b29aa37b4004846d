//! PS3.18 8.2, target resources: the URLs of studies, series and instances in our own answers.

use model::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid};

use crate::config::{DicomwebConfig, MOUNT_PATH};

/// Makes URLs below one base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    base: String,
}

impl Urls {
    /// URLs below the configured one, or absolute paths.
    pub fn new(config: &DicomwebConfig) -> Self {
        let configured = config.public_url.trim_end_matches('/');
        Self { base: if configured.is_empty() { MOUNT_PATH } else { configured }.to_owned() }
    }

    /// What every URL begins with.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A study.
    pub fn study(&self, study: &StudyInstanceUid) -> String {
        format!("{}/studies/{study}", self.base)
    }

    /// A series.
    pub fn series(&self, study: &StudyInstanceUid, series: &SeriesInstanceUid) -> String {
        format!("{}/studies/{study}/series/{series}", self.base)
    }

    /// An instance.
    pub fn instance(
        &self,
        study: &StudyInstanceUid,
        series: &SeriesInstanceUid,
        sop: &SopInstanceUid,
    ) -> String {
        format!("{}/studies/{study}/series/{series}/instances/{sop}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_unless_a_public_url_is_known() {
        let study = StudyInstanceUid::parse("1.2").expect("UID");
        let config = DicomwebConfig::default();
        assert_eq!(Urls::new(&config).study(&study), "/dicomweb/studies/1.2");
        let config = DicomwebConfig { public_url: "https://x.example/pacs/".into(), ..config };
        assert_eq!(Urls::new(&config).study(&study), "https://x.example/pacs/studies/1.2");
    }
}
