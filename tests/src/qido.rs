//! PS3.18 10.6, search answers: rows page by page, and values of a row.

use serde_json::Value;

use crate::{ledger::Acknowledged, session::Session};

/// Rows asked for at a time.
const PAGE: usize = 500;

/// All rows of a search; `path` begins below `/dicomweb` and may have a query.
///
/// # Panics
/// When an answer is no success or no JSON array.
pub async fn rows(session: &Session, path: &str) -> Vec<Value> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut rows = Vec::new();
    loop {
        let path = format!("/dicomweb{path}{joint}limit={PAGE}&offset={}", rows.len());
        let page = session.get_json(&path).await;
        let page = page.as_array().unwrap_or_else(|| panic!("{path}: not an array: {page}")).clone();
        let is_last = page.len() < PAGE;
        rows.extend(page);
        if is_last {
            return rows;
        }
    }
}

/// First value of an attribute as text; empty when there is none. `tag` is eight upper-case digits.
pub fn text(row: &Value, tag: &str) -> String {
    match &row[tag]["Value"][0] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Object(name) => name.get("Alphabetic").and_then(Value::as_str).unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

/// SOP Instance UID (0008,0018).
pub const SOP_INSTANCE_UID: &str = "00080018";
/// Study Instance UID (0020,000D).
pub const STUDY_INSTANCE_UID: &str = "0020000D";
/// Series Instance UID (0020,000E).
pub const SERIES_INSTANCE_UID: &str = "0020000E";
/// Number of Study Related Instances (0020,1208).
pub const NUMBER_OF_STUDY_RELATED_INSTANCES: &str = "00201208";

/// Where an instance lies, found by its SOP Instance UID; the digest is left to the caller.
pub async fn locate(session: &Session, sop_instance_uid: &str) -> Option<Acknowledged> {
    let rows = rows(session, &format!("/instances?SOPInstanceUID={sop_instance_uid}")).await;
    rows.first().map(|row| Acknowledged {
        study_instance_uid: text(row, STUDY_INSTANCE_UID),
        series_instance_uid: text(row, SERIES_INSTANCE_UID),
        data_set_sha256: String::new(),
    })
}
