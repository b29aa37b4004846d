//! PS3.18 8.9, Retrieve Capabilities: what this door answers, put together from the router's own table, as WADL or as
//! JSON.

use std::fmt::Write as _;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use http::Method;
use model::access::Action;
use serde_json::{Value, json};
use service::http::{bearer::Authenticated, problem::Problem};

use crate::{
    acceptable::Acceptable,
    audit::Kind,
    conditional,
    media_type::{CSV, DICOM, DICOM_JSON, DICOM_XML, OCTET_STREAM, Representation},
    multipart::Fingerprint,
    router,
    urls::Urls,
    wado_rs::{document, render::FORMATS, zipped::ZIP},
};

/// Web Application Description Language, the form of PS3.18 8.9.4.
const WADL: &str = "application/vnd.sun.wadl+xml";
const JSON: &str = "application/json";

/// One method of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// As in `GET`.
    pub method: Method,
    /// The transaction (PS3.18 table 8.9.4-1).
    pub transaction: &'static str,
    /// Media types of the request's payload.
    pub takes: Vec<String>,
    /// Media types of the answer.
    pub gives: Vec<String>,
    /// Parameters of the query.
    pub query: Vec<&'static str>,
}

fn multipart(media_type: &str) -> String {
    format!("multipart/related; type=\"{media_type}\"")
}

/// What a route does with `GET`, with `POST` where it takes instances, and with `DELETE` where it lets go of them.
pub(crate) fn operation(method: &Method, template: &str) -> Option<Operation> {
    let (transaction, gives, query): (_, Vec<String>, &[&'static str]) = match Kind::of(method, template)? {
        Kind::Store => {
            let forms = [DICOM, DICOM_JSON, DICOM_XML];
            let takes = forms.into_iter().flat_map(|form| [multipart(form), form.to_owned()]).collect();
            let gives = vec![DICOM_JSON.to_owned(), DICOM_XML.to_owned()];
            let transaction = "StoreInstances";
            return Some(Operation { method: method.clone(), transaction, takes, gives, query: Vec::new() });
        }
        Kind::Delete => ("DeleteInstances", vec![JSON.to_owned()], &[]),
        Kind::Search => (
            "Search",
            vec![DICOM_JSON.to_owned(), multipart(DICOM_XML), CSV.to_owned()],
            &[
                "limit",
                "offset",
                "orderby",
                "includefield",
                "fuzzymatching",
                "emptyvaluematching",
                "multiplevaluematching",
                "{attribute}",
            ],
        ),
        Kind::Instances => {
            let mut gives = vec![multipart(DICOM), ZIP.to_owned()];
            gives.extend(template.ends_with("{instance}").then(|| DICOM.to_owned()));
            ("RetrieveInstances", gives, &["accept"])
        }
        Kind::Rendered if template.ends_with("/wado") => {
            let gives = FORMATS.into_iter().chain(document::MEDIA_TYPES).chain([DICOM]);
            ("RetrieveURI", gives.map(str::to_owned).collect(), &URI_QUERY)
        }
        Kind::Rendered => ("RetrieveRendered", pictures(), &["accept", "window", "viewport", "quality"]),
        Kind::Capabilities => ("RetrieveCapabilities", vec![WADL.to_owned(), JSON.to_owned()], &["accept"]),
        Kind::Content => match template.rsplit('/').next()? {
            "metadata" => {
                let mut gives = vec![DICOM_JSON.to_owned(), multipart(DICOM_XML)];
                gives.extend(template.contains("{instance}").then(|| DICOM_XML.to_owned()));
                ("RetrieveMetadata", gives, &["accept"])
            }
            "thumbnail" => ("RetrieveThumbnail", pictures(), &["accept", "viewport"]),
            last => {
                let transaction = if last == "{frames}" { "RetrieveFrames" } else { "RetrieveBulkdata" };
                (
                    transaction,
                    vec![multipart(OCTET_STREAM), OCTET_STREAM.to_owned(), "image/*".to_owned()],
                    &["accept"],
                )
            }
        },
    };
    let (takes, query) = (Vec::new(), query.to_vec());
    Some(Operation { method: method.clone(), transaction, takes, gives, query })
}

/// Parameters of the URI Service (PS3.18 table 9.1.2-1) that are understood.
const URI_QUERY: [&str; 13] = [
    "requestType",
    "studyUID",
    "seriesUID",
    "objectUID",
    "contentType",
    "transferSyntax",
    "frameNumber",
    "rows",
    "columns",
    "region",
    "windowCenter",
    "windowWidth",
    "imageQuality",
];

fn pictures() -> Vec<String> {
    FORMATS.iter().map(|format| (*format).to_owned()).collect()
}

/// The resources that instances are sent to (PS3.18 10.5.1); a test compares it with what the router allows.
const STORE: [&str; 2] = ["/studies", "/studies/{study}"];

/// What can be deleted.
const DELETE: [&str; 3] = [
    "/studies/{study}",
    "/studies/{study}/series/{series}",
    "/studies/{study}/series/{series}/instances/{instance}",
];

/// Every resource with its operations, in the router's order.
pub(crate) fn resources() -> Vec<(&'static str, Vec<Operation>)> {
    let of = |path: &'static str| {
        let get = operation(&Method::GET, path);
        let post = STORE.contains(&path).then(|| operation(&Method::POST, path)).flatten();
        let delete = DELETE.contains(&path).then(|| operation(&Method::DELETE, path)).flatten();
        (path, get.into_iter().chain(post).chain(delete).collect())
    };
    router::route_paths().into_iter().map(of).collect()
}

/// `GET` and `OPTIONS` of the door itself.
pub(crate) async fn retrieve_capabilities(
    who: Authenticated,
    acceptable: Acceptable,
    urls: Urls,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    who.authorize(Action::ReadStudy)?;
    let offers = [WADL, JSON].map(Representation::plain);
    let media_type = acceptable.choose(&offers)?.media_type.clone();
    let document = if media_type == JSON { json_document(urls.base()) } else { wadl(urls.base()) };
    let mut fingerprint = Fingerprint::new("capabilities");
    fingerprint.add(document.as_bytes());
    let entity_tag = fingerprint.finish().entity_tag();
    if conditional::is_known(&headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let mut response = Response::new(Body::from(document));
    let media_type = if media_type == JSON { JSON } else { WADL };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    conditional::tag(&mut response, &entity_tag);
    Ok(response)
}

fn json_document(base: &str) -> String {
    let operations = |operations: &[Operation]| -> Vec<Value> {
        let one = |operation: &Operation| {
            json!({
                "method": operation.method.as_str(),
                "transaction": operation.transaction,
                "request": { "query": operation.query, "media_types": operation.takes },
                "response": { "media_types": operation.gives },
            })
        };
        operations.iter().map(one).collect()
    };
    let resources: Vec<Value> = resources()
        .iter()
        .map(|(path, found)| json!({ "path": path, "methods": operations(found) }))
        .collect();
    json!({ "base": base, "resources": resources }).to_string()
}

fn wadl(base: &str) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<application xmlns=\"http://wadl.dev.java.net/2009/02\">");
    let _ = writeln!(xml, "  <resources base=\"{}\">", escape(base));
    for (path, operations) in resources() {
        let _ = writeln!(xml, "    <resource path=\"{}\">", escape(path.trim_start_matches('/')));
        for name in path.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}')) {
            let _ = writeln!(xml, "      <param name=\"{name}\" style=\"template\"/>");
        }
        for operation in operations {
            let _ = writeln!(
                xml,
                "      <method name=\"{}\" id=\"{}\">",
                operation.method, operation.transaction
            );
            let _ = writeln!(xml, "        <request>");
            for name in operation.query {
                let _ = writeln!(xml, "          <param name=\"{name}\" style=\"query\"/>");
            }
            for media_type in operation.takes {
                let _ = writeln!(xml, "          <representation mediaType=\"{}\"/>", escape(&media_type));
            }
            let _ = writeln!(xml, "        </request>\n        <response status=\"200\">");
            for media_type in operation.gives {
                let _ = writeln!(xml, "          <representation mediaType=\"{}\"/>", escape(&media_type));
            }
            let _ = writeln!(xml, "        </response>\n      </method>");
        }
        let _ = writeln!(xml, "    </resource>");
    }
    xml.push_str("  </resources>\n</application>\n");
    xml
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described() {
        for (path, operations) in resources() {
            let get = operations.iter().find(|operation| operation.method == Method::GET).expect(path);
            assert!(!get.gives.is_empty() && !get.transaction.is_empty(), "{path}");
        }
        let all = resources();
        let (_, studies) = all.iter().find(|(path, _)| *path == "/studies").expect("a route");
        assert_eq!(studies.len(), 2, "search and store");
    }

    #[test]
    fn both_documents_name_every_route() {
        let (json, wadl) = (json_document("/dicomweb"), wadl("/dicomweb"));
        let parsed: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(parsed["resources"].as_array().map(Vec::len), Some(resources().len()));
        for (path, _) in resources() {
            assert!(wadl.contains(&format!("path=\"{}\"", path.trim_start_matches('/'))), "{path}");
        }
        assert_eq!(wadl.matches("<resource ").count(), wadl.matches("</resource>").count());
    }
}
