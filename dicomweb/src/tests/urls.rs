//! With what the URLs in answers begin.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use model::access::Role;
use service::http::forwarded::Arrival;

use super::{Answer, Door, instances::Sample};
use crate::DicomwebConfig;

const INSTANCE: &str = "/studies/1.1/series/1.1.1/instances/1.1.1.1";
const OVER_TLS: Arrival = Arrival { is_encrypted: true, is_from_proxy: false, port: 443 };
const PROXIED: Arrival = Arrival { is_encrypted: false, is_from_proxy: true, port: 8080 };

/// Over a connection that came so.
async fn ask(door: &Door, arrival: Arrival, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder()
        .uri(path)
        .extension(arrival)
        .header(header::AUTHORIZATION, door.token(Role::Service, None));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    door.send(request.body(Body::empty()).expect("request")).await
}

async fn store(door: &Door, arrival: Arrival, host: &str) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/studies")
        .extension(arrival)
        .header(header::HOST, host)
        .header(header::AUTHORIZATION, door.token(Role::Service, None))
        .header(header::CONTENT_TYPE, "application/dicom")
        .body(Body::from(Sample::new("1.1", "1.1.1", "1.1.1.1").file()));
    door.send(request.expect("request")).await
}

#[tokio::test]
async fn every_answer_begins_as_the_client_came() {
    let door = Door::open().await;
    let stored = store(&door, OVER_TLS, "xray.example").await;
    assert_eq!(stored.status, StatusCode::OK, "{:?}", stored.body);
    let study = "https://xray.example/dicomweb/studies/1.1";
    assert_eq!(stored.json()["00081190"]["Value"][0], study);
    let url = format!("https://xray.example/dicomweb{INSTANCE}");
    assert_eq!(stored.json()["00081199"]["Value"][0]["00081190"]["Value"][0], url);

    let host = ("host", "xray.example");
    let forwarded = ("forwarded", "host=\"a.example:8443\";proto=https");
    let (mut of_metadata, mut of_instances) = (BTreeSet::new(), BTreeSet::new());
    for (arrival, fields, base) in [
        (OVER_TLS, &[host][..], "https://xray.example/dicomweb"),
        (PROXIED, &[host, forwarded], "https://a.example:8443/dicomweb"),
        // Nobody is believed who is no proxy, and what is no host is none.
        (OVER_TLS, &[host, forwarded], "/dicomweb"),
        (OVER_TLS, &[("host", "\"><script>")], "/dicomweb"),
    ] {
        let rows = ask(&door, arrival, "/studies", fields).await.json();
        assert_eq!(rows[0]["00081190"]["Value"][0], format!("{base}/studies/1.1"));
        let path = format!("{INSTANCE}/metadata");
        let metadata = ask(&door, arrival, &path, fields).await;
        let bulk = format!("{base}{INSTANCE}/bulkdata/7FE00010");
        assert_eq!(metadata.json()[0]["7FE00010"]["BulkDataURI"], bulk);
        of_metadata.insert(metadata.header(header::ETAG).to_owned());
        let of_xml = [fields, &[("accept", "application/dicom+xml")]].concat();
        let xml = ask(&door, arrival, &path, &of_xml).await.body;
        let xml = String::from_utf8_lossy(&xml);
        assert!(xml.contains(&format!("<BulkData uri=\"{bulk}\"")), "{xml}");
        let capabilities = ask(&door, arrival, "/", fields).await.body;
        assert!(String::from_utf8_lossy(&capabilities).contains(&format!("<resources base=\"{base}\">")));
        of_instances.insert(ask(&door, arrival, INSTANCE, fields).await.header(header::ETAG).to_owned());
    }
    // What is cached under one URL is not taken for what another one leads to; instances hold none.
    assert_eq!((of_metadata.len(), of_instances.len()), (3, 1));
}

#[tokio::test]
async fn what_is_configured_comes_first() {
    let public_url = "https://configured.example/pacs/".to_owned();
    let door = Door::with(DicomwebConfig { public_url, ..DicomwebConfig::default() }).await;
    let stored = store(&door, OVER_TLS, "xray.example").await;
    assert_eq!(stored.json()["00081190"]["Value"][0], "https://configured.example/pacs/studies/1.1");
}
