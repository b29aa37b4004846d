//! PS3.3 F, Basic Directory IOD, and PS3.10 8.6: the DICOMDIR of a file-set, made after its files.

use dicom_header::{VR, element_header, encode_file_meta};
use model::{SopClassUid, SopInstanceUid, TransferSyntaxUid, transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN};
use serde_json::Value;

/// Media Storage Directory Storage.
const SOP_CLASS_UID: &str = "1.2.840.10008.1.3.10";
/// What the records' links point from: the first byte of the file (PS3.3 F.3.2.2).
const NO_RECORD: u32 = 0;
/// Record In-use Flag (0004,1410): in use.
const IN_USE: u16 = 0xffff;

/// A file of the set and what its directory record says.
#[derive(Debug, Clone)]
pub struct Member {
    /// Referenced File ID (0004,1500): components with `\` between them.
    pub file_id: String,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// SOP Instance UID in the file.
    pub sop_instance_uid: String,
    /// Transfer Syntax UID of the file.
    pub transfer_syntax_uid: String,
    /// Values for the records, by tag; in UTF-8.
    values: Vec<(u32, String)>,
    /// It has rows and columns.
    is_image: bool,
}

/// Attributes of the record of each level, with their VR (PS3.3 F.5.1 to F.5.4). Those of a document are in its own.
const PATIENT: &[(u32, VR)] = &[(0x0010_0010, VR::PN), (0x0010_0020, VR::LO)];
const STUDY: &[(u32, VR)] = &[
    (0x0008_0020, VR::DA),
    (0x0008_0030, VR::TM),
    (0x0008_0050, VR::SH),
    (0x0008_1030, VR::LO),
    (0x0020_000D, VR::UI),
    (0x0020_0010, VR::SH),
];
const SERIES: &[(u32, VR)] = &[(0x0008_0060, VR::CS), (0x0020_000E, VR::UI), (0x0020_0011, VR::IS)];
const INSTANCE: &[(u32, VR)] = &[(0x0020_0013, VR::IS)];

impl Member {
    /// From a stored header in DICOM JSON; what its file will be is filled in when it is made.
    pub fn new(sop_class_uid: &str, json: &str) -> Self {
        let json: Value = serde_json::from_str(json).unwrap_or_default();
        let all = [PATIENT, STUDY, SERIES, INSTANCE].into_iter().flatten();
        let values = all.map(|(tag, _)| (*tag, text(&json, *tag))).collect();
        let is_image = !json["00280010"]["Value"].is_null() && !json["00280011"]["Value"].is_null();
        Self {
            file_id: String::new(),
            sop_class_uid: sop_class_uid.to_owned(),
            sop_instance_uid: String::new(),
            transfer_syntax_uid: String::new(),
            values,
            is_image,
        }
    }

    fn value(&self, tag: u32) -> &str {
        self.values.iter().find(|(known, _)| *known == tag).map_or("", |(_, value)| value)
    }

    /// Directory Record Type (PS3.3 F.4-1); `None` for what no record is defined for here.
    fn record_type(&self) -> Option<&'static str> {
        let class = self.sop_class_uid.strip_prefix("1.2.840.10008.5.1.4.1.1.").unwrap_or_default();
        let of = |prefix: &str| class.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
        if of("104") {
            Some("ENCAP DOC")
        } else if of("88") {
            Some("SR DOCUMENT")
        } else if of("11") {
            Some("PRESENTATION")
        } else if of("9") {
            Some("WAVEFORM")
        } else if class == "481.2" {
            Some("RT DOSE")
        } else if self.is_image {
            Some("IMAGE")
        } else {
            None
        }
    }
}

/// First value of an attribute as text. A person name has its component groups with `=`.
fn text(json: &Value, tag: u32) -> String {
    match &json[format!("{tag:08X}")]["Value"][0] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(name) => {
            let group = |key: &str| name.get(key).and_then(Value::as_str).unwrap_or_default();
            let groups = ["Alphabetic", "Ideographic", "Phonetic"].map(group).join("=");
            groups.trim_end_matches('=').to_owned()
        }
        _ => String::new(),
    }
}

/// A record before its links are known.
struct Record {
    /// Patient 0, study 1, series 2, instance 3.
    level: usize,
    content: Vec<u8>,
}

/// The file. Files that no record is defined for are in the set without one.
pub fn encode(files: &[Member], sop_instance_uid: &SopInstanceUid) -> Vec<u8> {
    let records = records(files);
    let mut data_set = element(0x0004_1130, VR::CS, b"");
    let meta = meta(sop_instance_uid);
    // Offsets count from the preamble: (0004,1130) of 8 bytes, two links of 12, a flag of 10, the sequence's header.
    let first = meta.len() + 8 + 12 + 12 + 10 + 12;
    let mut offsets = Vec::with_capacity(records.len());
    let mut at = first;
    for record in &records {
        offsets.push(at as u32);
        at += 8 + LINKS_BYTES + record.content.len();
    }
    let roots: Vec<u32> =
        records.iter().zip(&offsets).filter(|(record, _)| record.level == 0).map(|(_, at)| *at).collect();
    data_set.extend(element(0x0004_1200, VR::UL, &roots.first().copied().unwrap_or(NO_RECORD).to_le_bytes()));
    data_set.extend(element(0x0004_1202, VR::UL, &roots.last().copied().unwrap_or(NO_RECORD).to_le_bytes()));
    data_set.extend(element(0x0004_1212, VR::US, &0_u16.to_le_bytes()));
    let length = (at - first) as u32;
    data_set.extend(element_header(false, 0x0004_1220, VR::SQ, Some(length)));
    for (index, record) in records.iter().enumerate() {
        let rest = &records[index + 1..];
        let siblings = rest.iter().take_while(|other| other.level >= record.level);
        let next = siblings.clone().position(|other| other.level == record.level);
        let lower = rest.first().filter(|other| other.level > record.level).map(|_| index + 1);
        let offset =
            |index: Option<usize>| index.and_then(|index| offsets.get(index)).copied().unwrap_or(NO_RECORD);
        data_set.extend_from_slice(b"\xfe\xff\x00\xe0");
        data_set.extend(((LINKS_BYTES + record.content.len()) as u32).to_le_bytes());
        data_set.extend(element(
            0x0004_1400,
            VR::UL,
            &offset(next.map(|next| index + 1 + next)).to_le_bytes(),
        ));
        data_set.extend(element(0x0004_1410, VR::US, &IN_USE.to_le_bytes()));
        data_set.extend(element(0x0004_1420, VR::UL, &offset(lower).to_le_bytes()));
        data_set.extend_from_slice(&record.content);
    }
    [meta, data_set].concat()
}

/// Next record, flag, lower record.
const LINKS_BYTES: usize = 12 + 10 + 12;

fn meta(sop_instance_uid: &SopInstanceUid) -> Vec<u8> {
    let class = SopClassUid::parse(SOP_CLASS_UID);
    let syntax = TransferSyntaxUid::parse(EXPLICIT_VR_LITTLE_ENDIAN);
    match (class, syntax) {
        (Ok(class), Ok(syntax)) => encode_file_meta(&class, sop_instance_uid, &syntax, None),
        _ => Vec::new(),
    }
}

/// Patients, their studies, their series, their files, each before what is below it. Files come sorted by series.
fn records(files: &[Member]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut open: [String; 3] = Default::default();
    let levels =
        [("PATIENT", PATIENT, 0x0010_0020), ("STUDY", STUDY, 0x0020_000D), ("SERIES", SERIES, 0x0020_000E)];
    for file in files {
        let Some(kind) = file.record_type() else { continue };
        let mut changed = records.is_empty();
        for (level, (name, attributes, key)) in levels.into_iter().enumerate() {
            changed |= open[level] != file.value(key);
            if changed {
                file.value(key).clone_into(&mut open[level]);
                records.push(Record { level, content: content(name, file, attributes) });
            }
        }
        records.push(Record { level: 3, content: content(kind, file, INSTANCE) });
    }
    records
}

fn content(kind: &str, file: &Member, attributes: &[(u32, VR)]) -> Vec<u8> {
    let mut content = element(0x0004_1430, VR::CS, kind.as_bytes());
    if attributes == INSTANCE {
        content.extend(element(0x0004_1500, VR::CS, file.file_id.as_bytes()));
        content.extend(element(0x0004_1510, VR::UI, file.sop_class_uid.as_bytes()));
        content.extend(element(0x0004_1511, VR::UI, file.sop_instance_uid.as_bytes()));
        content.extend(element(0x0004_1512, VR::UI, file.transfer_syntax_uid.as_bytes()));
    }
    // The header's texts are in UTF-8, whatever they were in.
    content.extend(element(0x0008_0005, VR::CS, b"ISO_IR 192"));
    for (tag, vr) in attributes {
        content.extend(element(*tag, *vr, file.value(*tag).as_bytes()));
    }
    content
}

fn element(tag: u32, vr: VR, value: &[u8]) -> Vec<u8> {
    let length = value.len().next_multiple_of(2);
    let mut element = element_header(false, tag, vr, Some(length as u32));
    element.extend_from_slice(value);
    element.resize(element.len() + length - value.len(), if vr == VR::UI { 0 } else { b' ' });
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: usize, patient: &str, series: &str, rows: bool) -> Member {
        let json = serde_json::json!({
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Ä", "Ideographic": "山田"}]},
            "00100020": {"vr": "LO", "Value": [patient]},
            "0020000D": {"vr": "UI", "Value": ["1.2"]},
            "0020000E": {"vr": "UI", "Value": [series]},
            "00200013": {"vr": "IS", "Value": [number]},
            "00280010": if rows { serde_json::json!({"vr": "US", "Value": [2]}) } else { Value::Null },
            "00280011": {"vr": "US", "Value": [2]},
        });
        Member {
            file_id: format!("DICOM\\S\\I{number}"),
            sop_instance_uid: "1.2.3".to_owned(),
            transfer_syntax_uid: EXPLICIT_VR_LITTLE_ENDIAN.to_owned(),
            ..Member::new("1.2.840.10008.5.1.4.1.1.1", &json.to_string())
        }
    }

    #[test]
    fn links_lead_to_records() {
        let files = [
            file(1, "P-1", "1.2.1", true),
            file(2, "P-1", "1.2.1", true),
            file(3, "P-1", "1.2.2", true),
            file(4, "P-1", "1.2.2", false),
            file(5, "P-2", "1.2.3", true),
        ];
        let uid = SopInstanceUid::parse("1.2.3.4").expect("a UID");
        let bytes = encode(&files, &uid);
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        // The flag of a link stands behind its tag, VR and length: 12 bytes after the item's own header is the next one.
        let next = |record: u32| number(record as usize + 16);
        let lower = |record: u32| number(record as usize + 38);
        let kind = |record: u32| {
            let at = record as usize + 8 + LINKS_BYTES + 8;
            String::from_utf8_lossy(&bytes[at..at + 7]).trim_end_matches(['\0', ' ', '\x04']).to_owned()
        };
        let links = bytes.windows(4).position(|window| window == b"\x04\0\0\x12").expect("the first link");
        let patient = number(links + 8);
        assert_eq!(kind(patient), "PATIENT");
        let other = next(patient);
        assert!(kind(other) == "PATIENT" && next(other) == NO_RECORD && number(links + 20) == other);
        let study = lower(patient);
        assert!(kind(study).starts_with("STUDY") && next(study) == NO_RECORD);
        let series = lower(study);
        assert!(kind(series).starts_with("SERIES") && kind(next(series)).starts_with("SERIES"));
        let image = lower(series);
        assert!(kind(image).starts_with("IMAGE") && lower(image) == NO_RECORD);
        assert!(next(image) != NO_RECORD && next(next(image)) == NO_RECORD, "two images in the first series");
        // The file without a record type has none.
        assert_eq!(next(lower(next(series))), NO_RECORD);
        assert_eq!(next(next(series)), NO_RECORD);
    }
}
