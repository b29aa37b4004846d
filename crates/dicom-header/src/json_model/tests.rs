//! Reading DICOM JSON: what is borrowed, what is refused, what is made of it.

use super::*;

#[test]
fn borrows_one_level() {
    let text = r#"{"00100010":{"Value":[{"Alphabetic":"A^B"}],"vr":"PN"},"7fe00010":{"vr":"OW","BulkDataURI":"b/1"},
        "00081140":{"vr":"SQ","Value":[{},{"00081150":{"vr":"UI"}}]}}"#;
    let data_set = JsonDataSet::parse(text).expect("valid");
    assert_eq!(data_set.0.keys().copied().collect::<Vec<_>>(), [0x0008_1140, 0x0010_0010, 0x7FE0_0010]);
    let pixel = data_set.0[&0x7FE0_0010];
    assert!(matches!(pixel.bulk_data_uri(), Ok(Some(Cow::Borrowed("b/1")))));
    assert_eq!(pixel.vr().expect("a string").as_deref(), Some("OW"));
    let mut items = Vec::new();
    data_set.0[&0x0008_1140]
        .each_value(|item| {
            items.push(JsonDataSet::parse(item.get())?.0.len());
            Ok::<(), JsonModelError>(())
        })
        .expect("items");
    assert_eq!(items, [0, 1]);
}

#[test]
fn strings_are_unescaped_only_when_they_must() {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("JSON");
    assert!(matches!(json_text(&raw("\"a\"")), Ok(Cow::Borrowed("a"))));
    assert_eq!(json_text(&raw(r#""a\u00e9\\""#)).expect("a string"), "a\u{e9}\\");
    assert!(json_text(&raw("1")).is_err() && json_text(&raw("null")).is_err());
}

// threats.md row 35.
#[test]
fn what_is_no_data_set_is_refused_without_its_words() {
    for text in [
        "",
        "[]",
        "1",
        "null",
        "{\"x\":{}}",
        "{\"0010001\":{}}",
        "{\"00100010\":1}",
        "{\"00100010\":{\"vr\":1",
        "{\"00100010\":{},}",
        "{\"00100010\":{},\"00100010\":{}}",
        "{\"00100010\":{},\"0010001\\u0030\":{}}",
        "{\"00100010\":{\"vr\":\"PN\",\"vr\":\"LO\"}}",
        "{} x",
        "{\"00100010\":{\"vr\":\"\\ud800\"}}x",
    ] {
        let error = JsonDataSet::parse(text).map(|_| ()).expect_err(text);
        assert!(error.to_string().contains("at line"), "{text}: {error}");
    }
    let secret = JsonDataSet::parse("{\"Canary^Jane\":{}}").map(|_| ()).expect_err("no tag");
    assert!(!secret.to_string().contains("Canary"));
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!(
        "{{\"00081140\":{{\"vr\":\"SQ\",\"Value\":{}{}}}}}",
        "[".repeat(1 << 20),
        "]".repeat(1 << 20)
    );
    let data_set = JsonDataSet::parse(&deep).expect("an unread value");
    assert!(data_set.0[&0x0008_1140].value.is_some());
    assert!(JsonDataSet::parse(&deep[..deep.len() - 3]).is_err());
}

#[test]
fn elements_one_by_one() {
    let count = |text: &str| {
        let mut count = 0;
        each_element(text, |_| {
            count += 1;
            Ok::<(), JsonModelError>(())
        })
        .map(|()| count)
    };
    assert_eq!(count("[1, {\"a\":[2]}, null]"), Ok(3));
    assert_eq!(count("[]"), Ok(0));
    for text in ["[1,]", "{}", "[1", "[] []"] {
        assert!(count(text).is_err(), "{text}");
    }
    let stopped = each_element("[1,2,3]", |_| Err(JsonModelError::Json { line: 7, column: 7 }));
    assert_eq!(stopped, Err(JsonModelError::Json { line: 7, column: 7 }));
}
