//! What `native_xml_read` must hold.

use dicom_header::{JsonDataSet, encode_json};

use super::*;
use crate::dicom_json::json_to_native_xml;

fn wrap(inner: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<NativeDicomModel xml:space=\"preserve\">{inner}</NativeDicomModel>")
}

fn read(inner: &str) -> serde_json::Value {
    let json = native_xml_to_json(&wrap(inner)).expect(inner);
    serde_json::from_str(&json).expect(&json)
}

#[test]
fn what_we_write_we_read() {
    let json = r#"{"00080008":{"vr":"CS","Value":["ORIGINAL",null,"<x>&\"\\n"]},
        "00090010":{"vr":"LO","Value":["ACME"]},"00091001":{"vr":"UN","InlineBinary":"AQI="},
        "00100010":{"vr":"PN","Value":[{"Alphabetic":"Yamada^Tarou^^Dr.","Phonetic":"x"},{"Ideographic":"\u5c71"}]},
        "00280010":{"vr":"US","Value":[7]},
        "00400275":{"vr":"SQ","Value":[{},{"00400009":{"vr":"SH","Value":["S1"]},"00081140":{"vr":"SQ","Value":[{}]}}]},
        "00104000":{"vr":"LT"},"7FE00010":{"vr":"OW","BulkDataURI":"a?b&c"}}"#;
    let again = native_xml_to_json(&json_to_native_xml(json).expect("XML")).expect("read");
    let encoded = |json: &str| {
        let data_set = JsonDataSet::parse(json).expect("a data set");
        encode_json(&data_set, &BTreeMap::new()).expect("encodes")
    };
    assert_eq!(encoded(&again), encoded(json), "{again}");
}

#[test]
fn namespaces_white_space_and_sections() {
    let found = native_xml_to_json(
        "<n:NativeDicomModel xmlns:n=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\">\n <!-- a -->\n \
         <n:DicomAttribute keyword=\"StudyID\" vr='SH' tag=\"00200010\">\n  <n:Value number=\"1\"> a<![CDATA[<b>]]>&#x26;&lt;&#33; </n:Value>\n \
         </n:DicomAttribute></n:NativeDicomModel>\n",
    );
    assert_eq!(found.expect("valid"), r#"{"00200010":{"vr":"SH","Value":[" a<b>&<! "]}}"#);
}

#[test]
fn a_private_creator_that_is_only_named_is_added() {
    let found = read(
        "<DicomAttribute tag=\"00091001\" vr=\"LO\" privateCreator=\"ACME\"><Value number=\"1\">x</Value></DicomAttribute>",
    );
    assert_eq!(found["00090010"]["Value"][0], "ACME");
    let found = read(
        "<DicomAttribute tag=\"00090010\" vr=\"LO\"><Value number=\"1\">B</Value></DicomAttribute>\
         <DicomAttribute tag=\"00091001\" vr=\"LO\" privateCreator=\"ACME\"/>",
    );
    assert_eq!(found["00090010"]["Value"][0], "B");
}

// threats.md row 35, for XML.
#[test]
fn hostile_documents() {
    let bomb =
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]>".to_owned() + &wrap("");
    let deep = "<DicomAttribute tag=\"00081140\" vr=\"SQ\"><Item number=\"1\">".repeat(100_000);
    for xml in [
        String::new(),
        "x".to_owned(),
        bomb,
        wrap("&a;"),
        wrap("&#xD800;"),
        wrap("<DicomAttribute/>"),
        wrap("<DicomAttribute tag=\"+0080018\" vr=\"UI\"/>"),
        wrap("<DicomAttribute tag=\"00080018\" tag=\"00080018\"/>"),
        wrap("<Item/>"),
        wrap("<DicomAttribute tag=\"00080018\"><Value number=\"9999999\">1</Value></DicomAttribute>"),
        wrap("<DicomAttribute tag=\"00080018\"><Value number=\"1\"/><Value number=\"1\"/></DicomAttribute>"),
        wrap("<DicomAttribute tag=\"00080018\"><Value number=\"-1\"/></DicomAttribute>"),
        wrap(
            "<DicomAttribute tag=\"00100010\"><PersonName number=\"1\"><Nick/></PersonName></DicomAttribute>",
        ),
        wrap("<DicomAttribute tag=\"7FE00010\"><BulkData/></DicomAttribute>"),
        wrap("<DicomAttribute tag=\"00080018\">"),
        wrap(&deep),
        format!("{}{}", wrap(""), wrap("")),
        wrap("")[..40].to_owned(),
    ] {
        assert!(native_xml_to_json(&xml).is_err(), "{xml:.100}");
    }
    let error = native_xml_to_json(&wrap("<Canary/>")).expect_err("unknown").to_string();
    assert!(error.contains("before byte") && !error.contains("Canary"), "{error}");
}
