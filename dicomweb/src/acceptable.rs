//! PS3.18 8.3.3.1 and 8.4.1: what a request takes, from its Accept fields or its `accept` parameter.

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use service::http::problem::Problem;

use crate::{
    media_type::{Accept, Form, Representation, choose},
    problems, query_string,
};

/// The query of a request and what it takes; refuses with 400 what cannot be read.
#[derive(Debug, Clone, Default)]
pub struct Acceptable {
    /// Acceptable media types.
    pub accept: Accept,
    /// The query, decoded, without `accept`.
    pub query: Vec<(String, String)>,
}

impl Acceptable {
    /// The offer to send.
    pub fn choose<'a>(&self, offers: &'a [Representation]) -> Result<&'a Representation, Problem> {
        let index = self.choose_index(offers)?;
        offers.get(index).ok_or_else(|| problems::not_acceptable(offers))
    }

    /// Which offer to send.
    pub fn choose_index(&self, offers: &[Representation]) -> Result<usize, Problem> {
        choose(&self.accept, offers).ok_or_else(|| problems::not_acceptable(offers))
    }

    /// For answers that exist as DICOM JSON only.
    ///
    /// Some viewers ask for metadata with the Accept of frames; JSON is what they read then.
    pub fn json(&self) -> Result<(), Problem> {
        let json = Representation::plain(crate::media_type::DICOM_JSON);
        let frames = Representation::new(Form::Multipart, crate::media_type::OCTET_STREAM, "");
        if choose(&self.accept, &[json.clone(), frames]).is_some() {
            return Ok(());
        }
        Err(problems::not_acceptable(&[json]))
    }

    /// The values of a query parameter, its name in any case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Acceptable {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut query = query_string::parse(parts.uri.query()).map_err(problems::query_string)?;
        let mut fields: Vec<String> = Vec::new();
        query.retain(|(name, value)| {
            let accept = name.eq_ignore_ascii_case("accept");
            if accept {
                fields.push(value.clone());
            }
            !accept
        });
        // The parameter stands for the field, for clients that cannot set one.
        if fields.is_empty() {
            let values = parts.headers.get_all(header::ACCEPT).iter();
            fields = values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
        }
        let accept = Accept::parse(fields.iter().map(String::as_str)).map_err(problems::accept)?;
        Ok(Self { accept, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn extract(uri: &str, accept: &[&str]) -> Result<Acceptable, Problem> {
        let mut request = http::Request::builder().uri(uri);
        for field in accept {
            request = request.header(header::ACCEPT, *field);
        }
        let (mut parts, ()) = request.body(()).expect("request").into_parts();
        Acceptable::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn the_parameter_wins_and_is_no_matching_key() {
        let acceptable = extract("/studies?accept=image/png&limit=1", &["image/jpeg"]).await.expect("valid");
        assert_eq!(acceptable.accept.ranges[0].media_type.essence, "image/png");
        assert_eq!(acceptable.parameter("LIMIT"), Some("1"));
        assert_eq!(acceptable.query.len(), 1);
    }

    #[tokio::test]
    async fn the_parameter_has_names_with_a_plus() {
        let of_parts = "multipart/related;type=application/dicom";
        for (value, essence, of) in [
            ("application/dicom+json".to_owned(), "application/dicom+json", None),
            (format!("{of_parts}+xml"), "multipart/related", Some("application/dicom+xml")),
            (format!("{of_parts}%2Bxml"), "multipart/related", Some("application/dicom+xml")),
        ] {
            let acceptable = extract(&format!("/studies?accept={value}"), &[]).await.expect("valid");
            let found = &acceptable.accept.ranges[0].media_type;
            assert_eq!((found.essence.as_str(), found.parameter("type")), (essence, of), "{value}");
        }
    }

    #[tokio::test]
    async fn metadata_for_everyone_but_those_who_want_xml() {
        let tail = "multipart/related; type=application/octet-stream; transfer-syntax=*";
        for accept in [tail, "*/*", "application/json", "text/html,*/*;q=0.8", "application/dicom+json"] {
            assert!(extract("/", &[accept]).await.expect("valid").json().is_ok(), "{accept}");
        }
        assert!(extract("/", &[]).await.expect("valid").json().is_ok());
        let refused = extract("/", &["application/dicom+xml"]).await.expect("valid").json();
        assert_eq!(refused.expect_err("XML").status, 406);
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        assert_eq!(extract("/", &["nonsense"]).await.expect_err("Accept").status, 400);
        assert_eq!(extract("/?a=%zz", &[]).await.expect_err("query").status, 400);
    }
}
