//! QIDO-RS.

use http::{StatusCode, header};
use model::access::Role;
use serde_json::json;

use super::{Answer, Door, instances::Sample};
use crate::DicomwebConfig;

pub async fn filled() -> Door {
    let door = Door::open().await;
    let files = [
        Sample::new("1.1", "1.1.1", "1.1.1.1"),
        Sample { number: 2, ..Sample::new("1.1", "1.1.1", "1.1.1.2") },
        Sample { modality: "CR", ..Sample::new("1.1", "1.1.2", "1.1.2.1") },
        Sample {
            patient_id: "P-2",
            patient_name: "M\u{fc}ller^Max",
            ..Sample::new("1.2", "1.2.1", "1.2.1.1")
        },
    ];
    // The samples say ISO_IR 100.
    let files: Vec<Vec<u8>> = files
        .iter()
        .map(|sample| {
            let mut file = sample.file();
            if let Some(at) = memchr::memmem::find(&file, "\u{fc}".as_bytes()) {
                file.splice(at..at + 2, [0xfc]);
                let end = memchr::memmem::find(&file, b"M\xfcller^Max").expect("name") + 10;
                file.insert(end, b' ');
            }
            file
        })
        .collect();
    assert_eq!(door.store(&files).await.status, StatusCode::OK);
    door
}

pub fn rows(answer: &Answer) -> usize {
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/dicom+json");
    answer.json().as_array().expect("rows").len()
}

#[tokio::test]
async fn the_list_of_ohif() {
    let door = filled().await;
    let path = "/studies?limit=101&offset=0&fuzzymatching=false\
                &includefield=00081030%2C00080060%2C00080090%2C00100030";
    let answer = door.get(path, "application/dicom+json").await;
    assert_eq!(rows(&answer), 2);
    let json = answer.json();
    let study = json.as_array().expect("rows").iter().find(|row| row["0020000D"]["Value"][0] == "1.1");
    let study = study.expect("study");
    assert_eq!(study["00080061"]["Value"], json!(["CR", "DX"]));
    assert_eq!((&study["00201206"]["Value"][0], &study["00201208"]["Value"][0]), (&json!(2), &json!(3)));
    assert_eq!(study["00080005"]["Value"][0], "ISO_IR 192");
    assert_eq!(study["00100010"]["Value"][0], json!({"Alphabetic": "Doe^Jane"}));
    assert_eq!(study["00081190"]["Value"][0], "/dicomweb/studies/1.1");
}

#[tokio::test]
async fn conditions() {
    let door = filled().await;
    for (query, expected) in [
        ("PatientName=*doe*", 1),
        ("PatientName=*m%C3%BCl*", 1),
        ("00100010=Muller*", 1),
        ("00100020=P-2", 1),
        ("PatientID=P-%3F", 2),
        ("StudyInstanceUID=1.1%5C%5C1.2", 2),
        ("StudyInstanceUID=1.1,1.9", 1),
        ("StudyDate=20240101-20241231", 2),
        ("StudyDate=20250101-", 0),
        ("StudyTime=10-11", 2),
        ("ModalitiesInStudy=CR", 1),
        ("Modality=CR", 1),
        ("ModalitiesInStudy=CR,MR", 1),
        ("AccessionNumber=ACC-1&StudyDescription=*thorax*", 2),
        ("SOPInstanceUID=1.1.2.1", 1),
        ("&includefield=all", 2),
        ("PatientName=nobody", 0),
        ("limit=1&offset=1", 1),
        ("offset=1000000000", 0),
        ("limit=0", 0),
        ("StudyDate=20240101-20240131&StudyTime=000000-101530", 2),
        ("StudyDate=20240101-20240131&StudyTime=230000-101529", 0),
        ("StudyDate=20240101-20240201&StudyTime=230000-000000", 2),
        ("PatientName=max+muller&fuzzymatching=true", 1),
        ("PatientName=Mueller&fuzzymatching=true", 1),
        ("PatientName=Mueller", 0),
        ("PatientName=jane*&fuzzymatching=true", 1),
        ("PatientName=jain&fuzzymatching=true", 1),
        ("StudyInstanceUID=1.1&StudyInstanceUID=1.2", 2),
        ("00400275.00400009=S1", 0),
        ("StudyID=%22%22&emptyvaluematching=true", 2),
        ("StudyID=%22%22", 0),
        ("PatientID=P-1%5CP-2&multiplevaluematching=true", 2),
        ("PatientID=P-1%5CP-2", 0),
    ] {
        let answer = door.get(&format!("/studies?{query}"), "*/*").await;
        assert_eq!(rows(&answer), expected, "{query}");
    }
}

#[tokio::test]
async fn every_nested_form() {
    let door = filled().await;
    for (path, expected) in [
        ("/series", 3),
        ("/instances", 4),
        ("/studies/1.1/series", 2),
        ("/studies/1.1/instances", 3),
        ("/studies/1.1/series/1.1.1/instances", 2),
        ("/studies/1.1/series?Modality=CR", 1),
        ("/studies/1.1/instances?InstanceNumber=2", 1),
        ("/studies/1.9/series", 0),
    ] {
        assert_eq!(rows(&door.get(path, "application/dicom+json").await), expected, "{path}");
    }
    let series = door.get("/studies/1.1/series?includefield=00080021%2C00100010", "*/*").await.json();
    assert_eq!(series[0]["0020000D"]["Value"][0], "1.1");
    assert!(series[0].get("00100010").is_some() && series[0].get("00100020").is_none());
    assert_eq!(series[0]["00081190"]["Value"][0].as_str().expect("URL").split('/').count(), 6);
    let instances = door.get("/studies/1.1/series/1.1.1/instances?includefield=all", "*/*").await.json();
    assert_eq!(instances[0]["00280004"]["Value"][0], "MONOCHROME2");
    assert!(instances[0].get("7FE00010").is_none());
}

#[tokio::test]
async fn a_cut_list_says_so() {
    let door = filled().await;
    let cut = door.get("/instances?limit=2", "*/*").await;
    assert!(cut.header(header::WARNING).starts_with("299 "), "{:?}", cut.headers);
    let whole = door.get("/instances?limit=4", "*/*").await;
    assert_eq!(whole.header(header::WARNING), "");
    let config = DicomwebConfig { search_page_max: 1, ..DicomwebConfig::default() };
    let small = Door::with(config).await;
    small
        .store(&[
            Sample::new("1.1", "1.1.1", "1.1.1.1").file(),
            Sample::new("1.1", "1.1.1", "1.1.1.2").file(),
        ])
        .await;
    assert_eq!(rows(&small.get("/instances", "*/*").await), 1);
}

#[tokio::test]
async fn malformed_queries() {
    let door = Door::open().await;
    for query in [
        "StudyDate=x",
        "limit=-1",
        "offset=x",
        "PatientID=%ff",
        "StudyInstanceUID=1.2/3",
        "Nonsense=1",
        "orderby=Nonsense",
        "orderby=InstanceNumber",
        "fuzzymatching=perhaps",
    ] {
        let answer = door.get(&format!("/studies?{query}"), "*/*").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(door.get("/studies/x%2Fy/series", "*/*").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(door.get("/studies", "image/png").await.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_doctor_finds_nothing_that_is_not_linked() {
    let door = filled().await;
    let token = door.token(Role::Doctor, Some(uuid::Uuid::from_u128(5)));
    for (path, status) in [
        ("/studies", StatusCode::OK),
        ("/studies/1.1", StatusCode::NOT_FOUND),
        ("/studies/1.1/metadata", StatusCode::NOT_FOUND),
        ("/studies/1.1/thumbnail", StatusCode::NOT_FOUND),
        ("/studies/1.1/series/1.1.1/instances/1.1.1.1/frames/1", StatusCode::NOT_FOUND),
        ("/studies/1.1/series/1.1.1/instances/1.1.1.1/rendered", StatusCode::NOT_FOUND),
        ("/studies/1.1/series/1.1.1/instances/1.1.1.1/bulkdata/7FE00010", StatusCode::NOT_FOUND),
    ] {
        let request = http::Request::builder().uri(path).header(header::AUTHORIZATION, &token);
        let answer = door.send(request.body(axum::body::Body::empty()).expect("request")).await;
        assert_eq!(answer.status, status, "{path}");
        if status == StatusCode::OK {
            assert_eq!(answer.body, "[]");
            continue;
        }
        let unknown = door.get(&path.replace("1.1", "7.7"), "*/*").await;
        assert_eq!((unknown.status, unknown.body), (answer.status, answer.body), "{path}");
    }
}
