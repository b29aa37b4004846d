//! PS3.18 9, the URI Service: one instance, or a picture of it, by its UIDs in the query.

use axum::{
    extract::{FromRequestParts, State},
    http::HeaderMap,
    response::Response,
};
use http::request::Parts;
use model::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, access::Action, uid::UidError};
use rendering::{Output, Region, RenderOptions, VoiFunction};
use service::http::{bearer::Authenticated, problem::Problem};

use crate::{
    acceptable::Acceptable,
    media_type::{Accept, DICOM, Representation},
    problems, query_string,
    resource::Resource,
    state::App,
    wado_rs::{
        find_one, header,
        instances::respond as respond_instances,
        render::{self, FORMATS},
        rendered,
    },
};

/// Quality of JPEG where none is asked for.
const JPEG_QUALITY: u8 = 90;

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

    /// Whether the instance itself is asked for, not a picture of it.
    pub(crate) fn wants_instance(&self) -> bool {
        self.value("contentType").is_some_and(|types| types.to_ascii_lowercase().contains(DICOM))
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
    if query.wants_instance() {
        let acceptable = Acceptable { accept: part10(&query)?, query: Vec::new() };
        return respond_instances(app, who, resource, acceptable, headers).await;
    }
    let output = output(&query)?;
    let instance = find_one(&app, &who, &resource).await?;
    let header = header(&app, &instance).await?;
    let index = match query.number("frameNumber", 1.0, f64::from(u32::MAX))? {
        Some(number) if number.fract() == 0.0 => number as usize - 1,
        Some(_) => return Err(refused("frameNumber", "a whole number from 1")),
        None => rendered::representative(&header),
    };
    rendered::respond(&app, &headers, &instance, &header, index, output).await
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

/// PS3.18 9.1.2.2: how the picture should look.
fn output(query: &UriQuery) -> Result<Output, Problem> {
    let fields: Vec<&str> = match query.value("contentType") {
        Some(types) => vec![types],
        None => query.accept.iter().map(String::as_str).collect(),
    };
    let accept = Accept::parse(fields).map_err(problems::accept)?;
    let acceptable = Acceptable { accept, query: Vec::new() };
    let quality = query.number("imageQuality", 1.0, 100.0)?.map_or(JPEG_QUALITY, |quality| quality as u8);
    let offers = FORMATS.map(Representation::plain);
    let format = render::format_of(&acceptable.choose(&offers)?.media_type, quality);
    let side = |name| query.number(name, 1.0, f64::from(render::SIDE_MAX_PIXELS));
    let (rows, columns) = (side("rows")?, side("columns")?);
    let most = f64::from(render::SIDE_MAX_PIXELS);
    let size_max = (rows.is_some() || columns.is_some())
        .then(|| (columns.unwrap_or(most) as u32, rows.unwrap_or(most) as u32));
    let centre = query.number("windowCenter", f64::MIN, f64::MAX)?;
    let width = query.number("windowWidth", f64::MIN_POSITIVE, f64::MAX)?;
    let window = match (centre, width) {
        (Some(centre), Some(width)) => Some((centre, width, VoiFunction::Linear)),
        (None, None) => None,
        _ => return Err(refused("windowCenter", "windowCenter and windowWidth come together")),
    };
    let region = query.value("region").map(region).transpose()?;
    let options = RenderOptions { window, size_max, enlarge: size_max.is_some(), region };
    options.check().map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(Output { options, format })
}

/// Left, top, right, bottom as shares of the width and height (PS3.18 9.1.2.2.3).
fn region(text: &str) -> Result<Region, Problem> {
    let numbers: Vec<f64> = text.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let region = match numbers[..] {
        [left, top, right, bottom] => Region::shares(left, top, right, bottom),
        _ => None,
    };
    region.ok_or_else(|| refused("region", "left,top,right,bottom from 0.0 to 1.0, the second pair greater"))
}

#[cfg(test)]
mod tests {
    use rendering::ImageFormat;

    use super::*;

    fn query(pairs: &[(&str, &str)]) -> UriQuery {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        UriQuery { pairs, accept: Vec::new() }
    }

    #[test]
    fn wishes() {
        let plain = output(&query(&[])).expect("valid");
        assert_eq!(plain.format, ImageFormat::Jpeg { quality: 90 });
        let all = query(&[
            ("contentType", "image/png"),
            ("rows", "100"),
            ("columns", "50"),
            ("WINDOWCENTER", "40"),
            ("windowWidth", "400"),
            ("region", "0.25,0,0.75,1"),
        ]);
        let output = output(&all).expect("valid");
        assert_eq!(output.format, ImageFormat::Png);
        assert_eq!(output.options.size_max, Some((50, 100)));
        assert_eq!(output.options.window, Some((40.0, 400.0, VoiFunction::Linear)));
        assert_eq!(output.options.region, Region::shares(0.25, 0.0, 0.75, 1.0));
    }

    #[test]
    fn absurd_wishes_are_refused() {
        for (name, value) in [
            ("rows", "0"),
            ("rows", "1e9"),
            ("columns", "x"),
            ("imageQuality", "0"),
            ("imageQuality", "NaN"),
            ("windowCenter", "40"),
            ("region", "0,0,1"),
            ("region", "0.5,0,0.5,1"),
            ("region", "0,0,1,2"),
            ("region", "NaN,0,1,1"),
        ] {
            assert_eq!(output(&query(&[(name, value)])).expect_err(value).status, 400, "{name}={value}");
        }
        assert_eq!(output(&query(&[("contentType", "video/mpeg")])).expect_err("none").status, 406);
        assert_eq!(part10(&query(&[("transferSyntax", "1.2;q=0")])).expect_err("no UID").status, 400);
    }
}
