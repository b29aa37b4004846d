//! STOW-RS: instances that come as metadata and bulk data.

mod refused;

use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{
    Answer, Door,
    instances::{EXPLICIT, Sample},
    parts,
};
use crate::dicom_json::json_to_native_xml;

const JSON: &str = "multipart/related; type=\"application/dicom+json\"; boundary=B";
const XML: &str = "multipart/related; type=\"application/dicom+xml\"; boundary=B";

/// A part: its Content-Type, its Content-Location, its bytes.
type Part<'a> = (&'a str, &'a str, &'a [u8]);

fn body(list: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (content_type, location, content) in list {
        body.extend_from_slice(format!("\r\n--B\r\nContent-Type: {content_type}\r\n").as_bytes());
        if !location.is_empty() {
            body.extend_from_slice(format!("Content-Location: {location}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(content);
    }
    body.extend_from_slice(b"\r\n--B--");
    body
}

/// Metadata of a secondary capture without anything about pixels.
fn metadata(instance: &str, more: Value) -> Value {
    let text = |vr: &str, value: &str| json!({"vr": vr, "Value": [value]});
    let mut metadata = json!({
        "00080016": text("UI", "1.2.840.10008.5.1.4.1.1.7"),
        "00080018": text("UI", instance),
        "00080020": text("DA", "20240131"),
        "00080060": text("CS", "OT"),
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "M\u{fc}ller^Jane", "Ideographic": "\u{5c71}\u{7530}"}]},
        "00100020": text("LO", "P-1"),
        "0020000D": text("UI", "1.1"),
        "0020000E": text("UI", "1.1.1"),
        "00400275": {"vr": "SQ", "Value": [{"00400009": text("SH", "S1")}]},
    });
    let Value::Object(more) = more else { panic!("{more}") };
    metadata.as_object_mut().expect("object").extend(more);
    metadata
}

fn pixels(uri: &str) -> Value {
    json!({"7FE00010": {"vr": "OW", "BulkDataURI": uri}})
}

async fn store(door: &Door, data_sets: &[Value], bulk: &[Part<'_>]) -> Answer {
    let text = serde_json::to_vec(data_sets).expect("JSON");
    let mut list: Vec<Part<'_>> = vec![("application/dicom+json", "", &text)];
    list.extend_from_slice(bulk);
    door.post("/studies", JSON, body(&list)).await
}

async fn stored_metadata(door: &Door, instance: &str) -> Value {
    let path = format!("/studies/1.1/series/1.1.1/instances/{instance}/metadata");
    let answer = door.get(&path, "application/dicom+json").await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    answer.json()[0].clone()
}

async fn frame(door: &Door, instance: &str, number: usize) -> Vec<u8> {
    let path = format!("/studies/1.1/series/1.1.1/instances/{instance}/frames/{number}");
    let answer = door.get(&path, "multipart/related; type=application/octet-stream; transfer-syntax=*").await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    parts(&answer).remove(0).1
}

fn failure(answer: &Answer) -> (u64, String) {
    let json = answer.json();
    let item = if json["00081198"].is_null() {
        &json["0008119A"]["Value"][0]
    } else {
        &json["00081198"]["Value"][0]
    };
    let comment = item["00000902"]["Value"][0].as_str().unwrap_or_default().to_owned();
    (item["00081197"]["Value"][0].as_u64().expect("a reason"), comment)
}

async fn count(door: &Door) -> u64 {
    door.archive.database().counts().await.expect("counts").instances
}

/// Seven bytes of everything about four pixels by two.
fn description() -> Value {
    let number = |number: u32| json!({"vr": "US", "Value": [number]});
    json!({
        "00280002": number(1), "00280004": {"vr": "CS", "Value": ["MONOCHROME2"]}, "00280010": number(2), "00280011": number(4),
        "00280100": number(16), "00280101": number(12), "00280102": number(11), "00280103": number(0),
    })
}

fn merged(one: Value, other: &Value) -> Value {
    let mut one = one;
    one.as_object_mut().expect("object").extend(other.as_object().expect("object").clone());
    one
}

#[tokio::test]
async fn json_and_native_pixels() {
    let door = Door::open().await;
    let pixel_bytes: Vec<u8> = (0..16).collect();
    let uri = "http://pacs.example/bulk/1?a=b";
    let data_set = metadata("1.1.1.1", merged(pixels(uri), &description()));
    let answer =
        store(&door, std::slice::from_ref(&data_set), &[("application/octet-stream", uri, &pixel_bytes)])
            .await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.json()["00081199"]["Value"][0]["00081155"]["Value"][0], "1.1.1.1");
    assert_eq!(frame(&door, "1.1.1.1", 1).await, pixel_bytes);
    let found = stored_metadata(&door, "1.1.1.1").await;
    for (tag, attribute) in data_set.as_object().expect("object").iter().filter(|(tag, _)| *tag != "7FE00010")
    {
        assert_eq!(&found[tag], attribute, "{tag}");
    }
    assert_eq!(found["00083002"]["Value"][0], EXPLICIT);
    assert_eq!(
        found["7FE00010"]["BulkDataURI"],
        "/dicomweb/studies/1.1/series/1.1.1/instances/1.1.1.1/bulkdata/7FE00010"
    );
    assert_eq!(
        store(&door, &[data_set], &[("application/octet-stream", uri, &pixel_bytes)]).await.status,
        StatusCode::OK
    );
    assert_eq!(count(&door).await, 1, "the same again is the same");
}

#[tokio::test]
async fn xml_is_the_same() {
    let door = Door::open().await;
    let sets: Vec<String> = ["1.1.1.1", "1.1.1.2"]
        .iter()
        .map(|instance| {
            let data_set = metadata(instance, merged(pixels(&format!("bulk/{instance}")), &description()));
            json_to_native_xml(&data_set.to_string()).expect("XML")
        })
        .collect();
    let (one, two): (Vec<u8>, Vec<u8>) = ((0..16).collect(), (16..32).collect());
    let list: [Part<'_>; 4] = [
        ("application/dicom+xml; transfer-syntax=1.2.840.10008.1.2.1", "", sets[0].as_bytes()),
        ("application/dicom+xml", "", sets[1].as_bytes()),
        ("application/octet-stream", "bulk/1.1.1.2", &two),
        ("application/octet-stream", "bulk/1.1.1.1", &one),
    ];
    let answer = door.post("/studies/1.1", XML, body(&list)).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!((frame(&door, "1.1.1.1", 1).await, frame(&door, "1.1.1.2", 1).await), (one, two));
    let found = stored_metadata(&door, "1.1.1.2").await;
    assert_eq!(found["00100010"]["Value"][0]["Ideographic"], "\u{5c71}\u{7530}");
}

#[tokio::test]
async fn metadata_by_themselves() {
    let door = Door::open().await;
    let one = metadata("1.1.1.1", json!({"00091001": {"vr": "OB", "InlineBinary": "AQIDBA=="}}));
    let answer = door.post("/studies", "application/dicom+json", one.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let two = json!([metadata("1.1.1.2", json!({})), metadata("1.1.1.3", json!({}))]);
    assert_eq!(
        door.post("/studies", "application/json", format!("\u{feff}{two}")).await.status,
        StatusCode::OK
    );
    let xml = json_to_native_xml(&metadata("1.1.1.4", json!({})).to_string()).expect("XML");
    assert_eq!(door.post("/studies", "application/dicom+xml", xml).await.status, StatusCode::OK);
    assert_eq!(count(&door).await, 4);
    assert_eq!(stored_metadata(&door, "1.1.1.1").await["00091001"]["InlineBinary"], "AQIDBA==");
}

/// A JPEG and a PNG of two rows and four columns, as this door makes them.
async fn picture(media_type: &str) -> Vec<u8> {
    let door = Door::open().await;
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
    let answer = door.get("/studies/1.1/series/1.1.1/instances/1.1.1.1/rendered", media_type).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), media_type);
    answer.body.to_vec()
}

#[tokio::test]
async fn a_jpeg_describes_itself() {
    let jpeg = picture("image/jpeg").await;
    let door = Door::open().await;
    for (instance, content_type) in [
        ("1.1.1.1", "image/jpeg"),
        ("1.1.1.2", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"),
        ("1.1.1.3", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.50"),
    ] {
        let answer = store(&door, &[metadata(instance, pixels("x"))], &[(content_type, "x", &jpeg)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        let mut kept = frame(&door, instance, 1).await;
        kept.truncate(jpeg.len());
        assert_eq!(kept, jpeg, "{content_type}");
        let found = stored_metadata(&door, instance).await;
        assert_eq!(found["00083002"]["Value"][0], "1.2.840.10008.1.2.4.50");
        if instance == "1.1.1.3" {
            continue;
        }
        assert_eq!((&found["00280010"]["Value"][0], &found["00280011"]["Value"][0]), (&json!(2), &json!(4)));
        assert_eq!(found["00282110"]["Value"][0], "01");
        let path = format!("/studies/1.1/series/1.1.1/instances/{instance}/rendered");
        let rendered = door.get(&path, "image/png").await;
        assert_eq!(rendered.status, StatusCode::OK, "{:?}", rendered.body);
    }
    let wrong = "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70";
    let answer = store(&door, &[metadata("1.1.1.4", pixels("x"))], &[(wrong, "x", &jpeg)]).await;
    assert_eq!(
        failure(&answer),
        (0xC000, "the part is not of the transfer syntax that it states".to_owned())
    );
}

#[tokio::test]
async fn a_png_becomes_native_pixels() {
    let png = picture("image/png").await;
    let door = Door::open().await;
    let answer = store(&door, &[metadata("1.1.1.1", pixels("x"))], &[("image/png", "x", &png)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let found = stored_metadata(&door, "1.1.1.1").await;
    assert_eq!((&found["00280010"]["Value"][0], &found["00280011"]["Value"][0]), (&json!(2), &json!(4)));
    assert_eq!(found["00083002"]["Value"][0], EXPLICIT);
    let again = door.get("/studies/1.1/series/1.1.1/instances/1.1.1.1/rendered", "image/png").await;
    assert_eq!(again.status, StatusCode::OK);
    let cut = &png[..png.len() - 20];
    let answer = store(&door, &[metadata("1.1.1.2", pixels("x"))], &[("image/png", "x", cut)]).await;
    assert_eq!((answer.status, failure(&answer).0), (StatusCode::CONFLICT, 0xC000));
    assert_eq!(count(&door).await, 1);
}

#[tokio::test]
async fn frames_in_as_many_parts() {
    let door = Door::open().await;
    let jpeg = picture("image/jpeg").await;
    let frames: [Part<'_>; 3] = [("image/jpeg", "x", &jpeg); 3];
    let answer = store(&door, &[metadata("1.1.1.1", pixels("x"))], &frames).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(stored_metadata(&door, "1.1.1.1").await["00280008"]["Value"][0], 3);
    for number in 1..=3 {
        assert!(frame(&door, "1.1.1.1", number).await.starts_with(&jpeg));
    }
    let (one, two): (Vec<u8>, Vec<u8>) = ((0..16).collect(), (16..32).collect());
    let native =
        merged(merged(pixels("y"), &description()), &json!({"00280008": {"vr": "IS", "Value": [2]}}));
    let list: [Part<'_>; 2] =
        [("application/octet-stream", "y", &one), ("application/octet-stream", "y", &two)];
    assert_eq!(store(&door, &[metadata("1.1.1.2", native)], &list).await.status, StatusCode::OK);
    assert_eq!((frame(&door, "1.1.1.2", 1).await, frame(&door, "1.1.1.2", 2).await), (one, two));
}

#[tokio::test]
async fn documents_and_films() {
    let door = Door::open().await;
    let pdf = b"%PDF-1.4 of odd length";
    let pdf = &pdf[..21];
    let data_set = metadata("1.1.1.1", json!({"00420011": {"vr": "OB", "BulkDataURI": "report"}}));
    let answer = store(&door, &[data_set], &[("application/pdf", "report", pdf)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let found = stored_metadata(&door, "1.1.1.1").await;
    assert_eq!(found["00420012"]["Value"][0], "application/pdf");
    assert_eq!(found["00420015"]["Value"][0], 21);
    let film = vec![7; 100_001];
    let answer = store(&door, &[metadata("1.1.1.2", pixels("film"))], &[("video/mp4", "film", &film)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(stored_metadata(&door, "1.1.1.2").await["00083002"]["Value"][0], "1.2.840.10008.1.2.4.102");
    assert!(frame(&door, "1.1.1.2", 1).await.starts_with(&film));
}

#[tokio::test]
async fn long_bulk_data_come_back() {
    let door = Door::open().await;
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let number = |number: u32| json!({"vr": "US", "Value": [number]});
    let size = json!({"00280010": number(1000), "00280011": number(1500)});
    let data_set = metadata("1.1.1.1", merged(merged(pixels("x"), &description()), &size));
    let private = json!({"00091001": {"vr": "UN", "BulkDataURI": "y"}});
    let list: [Part<'_>; 2] =
        [("application/octet-stream", "y", &long[..999_999]), ("application/octet-stream", "x", &long)];
    let answer = store(&door, &[merged(data_set, &private)], &list).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(frame(&door, "1.1.1.1", 1).await, long);
    let path = "/studies/1.1/series/1.1.1/instances/1.1.1.1/bulkdata/00091001";
    let private = parts(&door.get(path, "*/*").await).remove(0).1;
    assert_eq!(private.len(), 1_000_000);
    assert_eq!(private[..999_999], long[..999_999]);
}
