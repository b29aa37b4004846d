//! PS3.18 10.1, what a path names: a study, a series of it, an instance of that.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use model::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, uid::UidError};
use service::http::problem::Problem;

/// The UIDs of a path, each parsed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource {
    /// `{study}`.
    pub study: Option<StudyInstanceUid>,
    /// `{series}`.
    pub series: Option<SeriesInstanceUid>,
    /// `{instance}`.
    pub instance: Option<SopInstanceUid>,
    /// `{frames}`, `{path}`: the rest of the path, decoded but not checked.
    pub rest: String,
}

impl Resource {
    /// The study; every retrieve route has one.
    pub fn study(&self) -> Result<&StudyInstanceUid, Problem> {
        self.study.as_ref().ok_or_else(Problem::not_found)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Resource {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::bad_request("the path cannot be read as UTF-8"))?;
        let mut resource = Self::default();
        for (name, value) in &parameters {
            match name {
                "study" => resource.study = Some(parse(name, StudyInstanceUid::parse(value))?),
                "series" => resource.series = Some(parse(name, SeriesInstanceUid::parse(value))?),
                "instance" => resource.instance = Some(parse(name, SopInstanceUid::parse(value))?),
                _ => value.clone_into(&mut resource.rest),
            }
        }
        Ok(resource)
    }
}

fn parse<T>(name: &str, parsed: Result<T, UidError>) -> Result<T, Problem> {
    parsed.map_err(|error| {
        Problem::bad_request("the path has something that is no UID").field(name, error.to_string())
    })
}
