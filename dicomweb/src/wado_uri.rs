//! PS3.18 9, the URI Service: one instance, or a picture of it, by its UIDs in the query.

mod rendering_parameters;

use std::cmp::Reverse;

use axum::{
    extract::{FromRequestParts, State},
    http::HeaderMap,
    response::Response,
};
use database::HeaderRecord;
use http::request::Parts;
use model::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, access::Action, uid::UidError};
use rendering::Output;
use service::http::{bearer::Authenticated, problem::Problem};

use self::rendering_parameters::looks;
use crate::{
    acceptable::Acceptable,
    audit::Kind,
    media_type::{Accept, DICOM, Representation, choose},
    problems, query_string,
    resource::Resource,
    state::App,
    wado_rs::{
        document, find_one, guard, header,
        instances::respond as respond_instances,
        render::{self, FORMATS},
        rendered,
    },
};

/// The query of one request (PS3.18 table 9.1.2-1), its names in any case.
#[derive(Debug, Clone, Default)]
pub(crate) struct UriQuery {
    pairs: Vec<(String, String)>,
    accept: Vec<String>,
}

impl UriQuery {
    fn value(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn uid<T>(&self, name: &'static str, parse: fn(&str) -> Result<T, UidError>) -> Result<T, Problem> {
        let text = self.value(name).ok_or_else(|| refused(name, "a UID is required"))?;
        parse(text).map_err(|error| refused(name, &error.to_string()))
    }

    /// What the UIDs name.
    pub(crate) fn resource(&self) -> Result<Resource, Problem> {
        Ok(Resource {
            study: Some(self.uid("studyUID", StudyInstanceUid::parse)?),
            series: Some(self.uid("seriesUID", SeriesInstanceUid::parse)?),
            instance: Some(self.uid("objectUID", SopInstanceUid::parse)?),
            rest: String::new(),
        })
    }

    /// What is asked for before anything else: the instance itself, or what it shows.
    pub(crate) fn kind(&self) -> Kind {
        let wanted = self.value("contentType").and_then(|_| self.wanted().ok());
        let first = wanted.as_ref().and_then(|accept| accept.ranges.first());
        let is_instance = first.is_some_and(|range| range.quality > 0 && range.media_type.is(DICOM));
        if is_instance { Kind::Instances } else { Kind::Rendered }
    }

    /// Acceptable media types: those of `contentType` in their order, or else those of Accept.
    fn wanted(&self) -> Result<Accept, Problem> {
        let Some(types) = self.value("contentType") else {
            return Accept::parse(self.accept.iter().map(String::as_str)).map_err(problems::accept);
        };
        let mut accept = Accept::parse([types]).map_err(problems::accept)?;
        accept.ranges.sort_by_key(|range| Reverse(range.quality));
        Ok(accept)
    }

    /// Which of the offers is sent: of a list in `contentType` the first that can be.
    fn choose<'a>(
        &self,
        accept: &Accept,
        offers: &'a [Representation],
    ) -> Result<&'a Representation, Problem> {
        let index = if self.value("contentType").is_some() {
            let mut wanted = accept.ranges.iter().filter(|range| range.quality > 0);
            wanted.find_map(|range| {
                // Its transfer syntax has a parameter of its own.
                if range.media_type.is(DICOM) {
                    return offers.iter().position(|offer| offer.media_type == DICOM);
                }
                choose(&Accept { ranges: vec![range.clone()] }, offers)
            })
        } else {
            choose(accept, offers)
        };
        index.and_then(|index| offers.get(index)).ok_or_else(|| problems::not_acceptable(offers))
    }

    /// Index of the frame that is asked for.
    fn frame(&self) -> Result<Option<usize>, Problem> {
        match self.number("frameNumber", 1.0, f64::from(u32::MAX))? {
            Some(number) if number.fract() == 0.0 => Ok(Some(number as usize - 1)),
            Some(_) => Err(refused("frameNumber", "a whole number from 1")),
            None => Ok(None),
        }
    }

    fn number(&self, name: &'static str, least: f64, most: f64) -> Result<Option<f64>, Problem> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let number = text.trim().parse::<f64>().ok().filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| refused(name, &format!("a number from {least} to {most}")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for UriQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let pairs = query_string::parse(parts.uri.query()).map_err(problems::query_string)?;
        let fields = parts.headers.get_all(http::header::ACCEPT).iter();
        let accept = fields.filter_map(|field| field.to_str().ok()).map(str::to_owned).collect();
        Ok(Self { pairs, accept })
    }
}

/// `GET /wado?requestType=WADO&studyUID=..&seriesUID=..&objectUID=..`.
pub(crate) async fn retrieve_by_uri(
    State(app): State<App>,
    who: Authenticated,
    query: Result<UriQuery, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    who.authorize(Action::ReadStudy)?;
    let query = query?;
    if query.value("requestType") != Some("WADO") {
        return Err(refused("requestType", "WADO is the one kind of request there is"));
    }
    for name in ["anonymize", "presentationUID", "presentationSeriesUID"] {
        if query.value(name).is_some() {
            return Err(refused(name, "this server does not do that: ask again without it"));
        }
    }
    let resource = query.resource()?;
    if query.kind() == Kind::Instances {
        return instance(app, who, resource, &query, headers).await;
    }
    let (wanted, frame) = (query.wanted()?, query.frame()?);
    let (options, quality) = looks(&query)?;
    let found = find_one(&app, &who, &resource).await?;
    let carried = document::media_type(&found);
    let pictures = carried.map_or_else(|| FORMATS.to_vec(), |media_type| vec![media_type]);
    let offers: Vec<Representation> =
        pictures.into_iter().chain([DICOM]).map(Representation::plain).collect();
    let chosen = query.choose(&wanted, &offers)?;
    if chosen.media_type == DICOM {
        return instance(app, who, resource, &query, headers).await;
    }
    let header = header(&app, &found).await?;
    if let Some(media_type) = carried {
        let (guard, all) = (guard(&app, &who, &resource)?, Acceptable::default());
        let sent = document::respond(&app, &all, &headers, &found, &header, media_type).await?;
        return Ok(guard.cover(sent));
    }
    let index = index_of(frame, &header)?;
    let output = Output { options, format: render::format_of(&chosen.media_type, quality) };
    Box::pin(rendered::respond(&app, &headers, &found, &header, index, output)).await
}

/// The instance itself.
async fn instance(
    app: App,
    who: Authenticated,
    resource: Resource,
    query: &UriQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let acceptable = Acceptable { accept: part10(query)?, query: Vec::new() };
    let mut response = respond_instances(app, who, resource, acceptable, headers).await?;
    response.extensions_mut().insert(Kind::Instances);
    Ok(response)
}

/// PS3.18 9.5.2: a frame that the instance does not have is the client's mistake.
fn index_of(frame: Option<usize>, header: &HeaderRecord) -> Result<usize, Problem> {
    let Some(index) = frame else { return Ok(rendered::representative(header)) };
    let frames = header.frame_table.len().max(1);
    if index < frames {
        Ok(index)
    } else {
        Err(refused("frameNumber", &format!("a whole number from 1 to {frames}")))
    }
}

fn refused(name: &str, message: &str) -> Problem {
    Problem::bad_request("a query parameter cannot be understood; see errors").field(name, message)
}

/// PS3.18 9.1.2.2.4: the transfer syntax that is asked for, Explicit VR Little Endian without one.
fn part10(query: &UriQuery) -> Result<Accept, Problem> {
    let field = match query.value("transferSyntax") {
        None => DICOM.to_owned(),
        Some(uid) if uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'*') => {
            format!("{DICOM}; transfer-syntax={uid}")
        }
        Some(_) => return Err(refused("transferSyntax", "a UID")),
    };
    Accept::parse([field.as_str()]).map_err(problems::accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn query(pairs: &[(&str, &str)]) -> UriQuery {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        UriQuery { pairs, accept: Vec::new() }
    }

    #[test]
    fn media_types_have_an_order() {
        let image = ["image/jpeg", "image/png", DICOM].map(Representation::plain);
        let document = ["application/pdf", DICOM].map(Representation::plain);
        for (types, of_image, of_document) in [
            ("image/png,image/jpeg", Some("image/png"), None),
            ("image/jpeg,application/dicom", Some("image/jpeg"), Some(DICOM)),
            ("application/dicom,image/jpeg", Some(DICOM), Some(DICOM)),
            ("application/dicom;transfer-syntax=*", Some(DICOM), Some(DICOM)),
            ("image/jpeg;q=0.5,application/dicom", Some(DICOM), Some(DICOM)),
            ("application/dicom;q=0, image/*", Some("image/jpeg"), None),
            ("application/pdf, */*", Some("image/jpeg"), Some("application/pdf")),
            ("application/dicom+json", None, None),
            ("video/mpeg", None, None),
        ] {
            let query = query(&[("contentType", types)]);
            let wanted = query.wanted().expect(types);
            for (offers, expected) in [(&image[..], of_image), (&document[..], of_document)] {
                let chosen = query.choose(&wanted, offers);
                let chosen = chosen.map(|offer| offer.media_type.as_str()).map_err(|problem| problem.status);
                assert_eq!(chosen, expected.ok_or(406), "{types}");
            }
            let is_first = of_image == Some(DICOM);
            assert_eq!(query.kind(), if is_first { Kind::Instances } else { Kind::Rendered }, "{types}");
        }
        assert_eq!(query(&[("contentType", "nonsense")]).wanted().expect_err("no media type").status, 400);
    }

    #[test]
    fn a_transfer_syntax_is_a_uid() {
        assert_eq!(part10(&query(&[("transferSyntax", "1.2;q=0")])).expect_err("no UID").status, 400);
    }
}
