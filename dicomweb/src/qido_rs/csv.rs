//! RFC 4180, the rows of a search as a table for people and their spreadsheets.

use std::collections::{BTreeMap, BTreeSet};

use dicom_header::{JsonAttribute, JsonModelError, json_text, keyword_of};

use crate::dicom_json::{DataSet, Value};

/// A table with a line of keywords (tags where there is none), and a line a row; lines end in CR LF. Several values of
/// an attribute are separated by `\`. Sequences and binary values have no cell and are left out.
pub fn to_csv(rows: &[DataSet]) -> String {
    let columns: BTreeSet<u32> = rows
        .iter()
        .flat_map(|row| row.0.iter())
        .filter(|(_, (_, value))| cell(value).is_some())
        .map(|(tag, _)| *tag)
        .collect();
    let mut csv = String::new();
    let names =
        columns.iter().map(|tag| keyword_of(*tag).map_or_else(|| format!("{tag:08X}"), str::to_owned));
    push_line(&mut csv, names);
    for row in rows {
        let cells =
            columns.iter().map(|tag| row.0.get(tag).and_then(|(_, value)| cell(value)).unwrap_or_default());
        push_line(&mut csv, cells);
    }
    csv
}

fn push_line(csv: &mut String, cells: impl Iterator<Item = String>) {
    for (index, text) in cells.enumerate() {
        if index > 0 {
            csv.push(',');
        }
        push_cell(csv, &text);
    }
    csv.push_str("\r\n");
}

/// A spreadsheet takes a cell that begins with one of these for a formula and may run it: an apostrophe before it
/// makes it text. Numbers are left alone.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
        && text.parse::<f64>().map_or(true, |number| !number.is_finite())
}

fn push_cell(csv: &mut String, text: &str) {
    let guard = if is_formula(text) { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n', '\t', ';']) || text != text.trim() {
        csv.push('"');
        csv.push_str(guard);
        csv.push_str(&text.replace('"', "\"\""));
        csv.push('"');
    } else {
        csv.push_str(guard);
        csv.push_str(text);
    }
}

/// The text of a cell; `None` for what has none.
fn cell(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::PersonName(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Items(_) => None,
        Value::Stored(attribute) => stored_cell(attribute).ok().flatten(),
    }
}

fn stored_cell(attribute: &str) -> Result<Option<String>, JsonModelError> {
    let attribute: JsonAttribute<'_> = serde_json::from_str(attribute)?;
    let vr = attribute.vr()?.unwrap_or_default();
    if vr == "SQ" || attribute.bulk_data_uri()?.is_some() || attribute.inline_binary()?.is_some() {
        return Ok(None);
    }
    let mut values = Vec::new();
    attribute.each_value(|value| {
        values.push(match value.get() {
            "null" => String::new(),
            text if vr == "PN" => {
                let groups: BTreeMap<&str, String> = serde_json::from_str(text)?;
                let group = |name| groups.get(name).map_or("", String::as_str);
                let name = ["Alphabetic", "Ideographic", "Phonetic"].map(group).join("=");
                name.trim_end_matches('=').to_owned()
            }
            text if text.starts_with('"') => json_text(value)?.into_owned(),
            text => text.to_owned(),
        });
        Ok::<(), JsonModelError>(())
    })?;
    Ok(Some(values.join("\\")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_keywords() {
        let mut first = DataSet::new();
        first
            .person_name(0x0010_0010, "Doe^Jane")
            .text(0x0008_0061, "CS", "CR\\DX")
            .number(0x0020_1208, "IS", 3)
            .stored(0x0009_1001, r#"{"vr":"LO","Value":["a,b"]}"#)
            .stored(0x0008_1140, r#"{"vr":"SQ","Value":[{}]}"#)
            .stored(0x0010_1001, r#"{"vr":"PN","Value":[{"Ideographic":"x"},null]}"#);
        let mut second = DataSet::new();
        second.person_name(0x0010_0010, "");
        assert_eq!(
            to_csv(&[first, second]),
            "ModalitiesInStudy,00091001,PatientName,OtherPatientNames,NumberOfStudyRelatedInstances\r\n\
             CR\\DX,\"a,b\",Doe^Jane,=x\\,3\r\n,,,,\r\n"
                .replace(",=x", ",'=x")
        );
        assert_eq!(to_csv(&[]), "\r\n");
    }

    #[test]
    fn nothing_becomes_a_formula() {
        let guarded = |text: &str| {
            let mut csv = String::new();
            push_cell(&mut csv, text);
            csv
        };
        for text in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\u{ff1d}1+1", "-inf", "-"] {
            assert!(guarded(text).starts_with('\''), "{text}");
        }
        assert_eq!(guarded("\t=1"), "\"'\t=1\"");
        assert_eq!(guarded("=\"a\""), "\"'=\"\"a\"\"\"");
        for text in ["-1.5", "+3", "20240131", "a=b", "", "Doe^Jane"] {
            assert_eq!(guarded(text), text);
        }
        assert_eq!(guarded(" x"), "\" x\"");
    }
}
