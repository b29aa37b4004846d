//! PS3.18 8.2, target resources: the URLs of studies, series and instances in our own answers.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use model::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid};
use service::http::forwarded::public_url;

use crate::{
    config::{DicomwebConfig, MOUNT_PATH},
    state::App,
};

/// Makes URLs below one base. Extracted, it is that of the request: its answer holds it, so its entity tag does too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    base: String,
}

impl Urls {
    /// URLs below the configured one; without it below the one that the client came by, where that is known; or
    /// absolute paths.
    pub fn new(config: &DicomwebConfig, came_by: Option<&str>) -> Self {
        let configured = config.public_url.trim_end_matches('/');
        let base = if configured.is_empty() {
            format!("{}{MOUNT_PATH}", came_by.unwrap_or_default())
        } else {
            configured.to_owned()
        };
        Self { base }
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

impl FromRequestParts<App> for Urls {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::new(&app.config, public_url(parts).as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_unless_a_public_url_is_known() {
        let study = StudyInstanceUid::parse("1.2").expect("UID");
        let config = DicomwebConfig::default();
        assert_eq!(Urls::new(&config, None).study(&study), "/dicomweb/studies/1.2");
        let came_by = Some("https://y.example");
        assert_eq!(Urls::new(&config, came_by).study(&study), "https://y.example/dicomweb/studies/1.2");
        let config = DicomwebConfig { public_url: "https://x.example/pacs/".into(), ..config };
        assert_eq!(Urls::new(&config, came_by).study(&study), "https://x.example/pacs/studies/1.2");
    }
}
