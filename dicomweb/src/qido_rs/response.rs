//! PS3.18 10.6.3, the rows of a search: tables 10.6.3-3 to 10.6.3-5.

use database::{SearchRow, SeriesRow};
use model::instance::{InstanceAttributes, PatientAttributes, SeriesAttributes, StudyAttributes};

use super::request::IncludeFields;
use crate::{
    dicom_json::{DataSet, tag},
    urls::Urls,
};

/// Which levels' attributes a row has: those below what the path fixes, and the one searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Patient and study attributes.
    pub study: bool,
    /// Series attributes.
    pub series: bool,
}

/// One row. `include` brings back attributes of levels that `shape` leaves out.
pub fn row(found: &SearchRow, shape: Shape, include: &IncludeFields, urls: &Urls) -> DataSet {
    let mut row = DataSet::utf8();
    row.text(tag::INSTANCE_AVAILABILITY, "CS", "ONLINE");
    let mut above = DataSet::new();
    let study = if shape.study { &mut row } else { &mut above };
    add_patient(study, &found.patient);
    add_study(study, &found.study);
    add_study_counts(study, found);
    if let Some(series) = &found.series {
        let target = if shape.series { &mut row } else { &mut above };
        add_series(target, series);
    }
    if let Some(instance) = &found.instance {
        add_instance(&mut row, &instance.attributes);
    }
    row.0.extend(above.0.into_iter().filter(|(tag, _)| include.contains(*tag)));
    add_identity(&mut row, found, urls);
    row
}

/// The UIDs down to the row's level, always: clients build URLs of them.
fn add_identity(row: &mut DataSet, found: &SearchRow, urls: &Urls) {
    let study = &found.study.study_instance_uid;
    row.text(0x0020_000D, "UI", study.as_str());
    let mut url = urls.study(study);
    if let Some(series) = &found.series {
        let series = &series.attributes.series_instance_uid;
        row.text(0x0020_000E, "UI", series.as_str());
        url = urls.series(study, series);
        if let Some(instance) = &found.instance {
            url = urls.instance(study, series, &instance.attributes.sop_instance_uid);
        }
    }
    row.text(tag::RETRIEVE_URL, "UR", &url);
}

fn add_patient(row: &mut DataSet, patient: &PatientAttributes) {
    row.person_name(0x0010_0010, &patient.patient_name)
        .text(0x0010_0020, "LO", &patient.patient_id)
        .text_if_any(0x0010_0021, "LO", &patient.issuer_of_patient_id)
        .text(0x0010_0030, "DA", &patient.patient_birth_date)
        .text(0x0010_0040, "CS", &patient.patient_sex);
}

fn add_study(row: &mut DataSet, study: &StudyAttributes) {
    row.text(0x0008_0020, "DA", &study.study_date)
        .text(0x0008_0030, "TM", &study.study_time)
        .text(0x0008_0050, "SH", &study.accession_number)
        .person_name(0x0008_0090, &study.referring_physician_name)
        .text_if_any(0x0008_1030, "LO", &study.study_description)
        .text(0x0020_0010, "SH", &study.study_id);
}

fn add_study_counts(row: &mut DataSet, found: &SearchRow) {
    // Viewers read the first value without asking whether there is one.
    row.text_if_any(tag::MODALITIES_IN_STUDY, "CS", &found.modalities_in_study.join("\\"))
        .number(tag::NUMBER_OF_STUDY_RELATED_SERIES, "IS", count(found.number_of_study_related_series))
        .number(tag::NUMBER_OF_STUDY_RELATED_INSTANCES, "IS", count(found.number_of_study_related_instances));
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn add_series(row: &mut DataSet, series: &SeriesRow) {
    let related = count(series.number_of_series_related_instances);
    let SeriesRow { attributes: series, .. } = series;
    row.number(tag::NUMBER_OF_SERIES_RELATED_INSTANCES, "IS", related)
        .text(0x0008_0060, "CS", &series.modality)
        .text_if_any(0x0008_0021, "DA", &series.series_date)
        .text_if_any(0x0008_0031, "TM", &series.series_time)
        .text_if_any(0x0008_0070, "LO", &series.manufacturer)
        .text_if_any(0x0008_0080, "LO", &series.institution_name)
        .text_if_any(0x0008_1010, "SH", &series.station_name)
        .text_if_any(0x0008_103E, "LO", &series.series_description)
        .text_if_any(0x0018_0015, "CS", &series.body_part_examined)
        .text_if_any(0x0018_1030, "LO", &series.protocol_name)
        .text_if_any(0x0020_0060, "CS", &series.laterality)
        .text_if_any(0x0040_0244, "DA", &series.performed_procedure_step_start_date)
        .text_if_any(0x0040_0245, "TM", &series.performed_procedure_step_start_time)
        .sequence_if_any(tag::REQUEST_ATTRIBUTES_SEQUENCE, request_attributes(series));
    match series.series_number {
        Some(number) => row.number(0x0020_0011, "IS", i64::from(number)),
        None => row.text(0x0020_0011, "IS", ""),
    };
}

fn request_attributes(series: &SeriesAttributes) -> Vec<DataSet> {
    if series.scheduled_procedure_step_id.is_empty() && series.requested_procedure_id.is_empty() {
        return Vec::new();
    }
    let mut item = DataSet::new();
    item.text(0x0040_0009, "SH", &series.scheduled_procedure_step_id).text(
        0x0040_1001,
        "SH",
        &series.requested_procedure_id,
    );
    vec![item]
}

fn add_instance(row: &mut DataSet, instance: &InstanceAttributes) {
    row.text(0x0008_0016, "UI", instance.sop_class_uid.as_str())
        .text(0x0008_0018, "UI", instance.sop_instance_uid.as_str())
        .text(tag::AVAILABLE_TRANSFER_SYNTAX_UID, "UI", instance.transfer_syntax_uid.as_str())
        .text_if_any(0x0008_0008, "CS", &instance.image_type)
        .text_if_any(0x0008_0022, "DA", &instance.acquisition_date)
        .text_if_any(0x0008_0023, "DA", &instance.content_date)
        .text_if_any(0x0008_0032, "TM", &instance.acquisition_time)
        .text_if_any(0x0008_0033, "TM", &instance.content_time)
        .text_if_any(0x0018_5101, "CS", &instance.view_position)
        .number_if_any(0x0028_0008, "IS", instance.number_of_frames)
        .number_if_any(0x0028_0010, "US", instance.rows)
        .number_if_any(0x0028_0011, "US", instance.columns)
        .number_if_any(0x0028_0100, "US", instance.bits_allocated);
    match instance.instance_number {
        Some(number) => row.number(0x0020_0013, "IS", i64::from(number)),
        None => row.text(0x0020_0013, "IS", ""),
    };
}

#[cfg(test)]
mod tests {
    use database::InstanceRow;
    use model::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::config::DicomwebConfig;

    fn series() -> SeriesRow {
        let empty = String::new;
        SeriesRow {
            attributes: SeriesAttributes {
                series_instance_uid: SeriesInstanceUid::parse("1.1.1").expect("UID"),
                modality: "DX".into(),
                series_number: Some(3),
                series_date: empty(),
                series_time: empty(),
                series_description: empty(),
                body_part_examined: empty(),
                laterality: empty(),
                protocol_name: empty(),
                manufacturer: empty(),
                institution_name: empty(),
                station_name: empty(),
                performed_procedure_step_start_date: empty(),
                performed_procedure_step_start_time: empty(),
                scheduled_procedure_step_id: "S1".into(),
                requested_procedure_id: empty(),
            },
            number_of_series_related_instances: 4,
        }
    }

    fn found() -> SearchRow {
        let empty = String::new;
        SearchRow {
            patient: PatientAttributes {
                patient_id: "P1".into(),
                patient_name: "Doe^Jane".into(),
                ..PatientAttributes::default()
            },
            study: StudyAttributes {
                study_instance_uid: StudyInstanceUid::parse("1.1").expect("UID"),
                study_date: "20240131".into(),
                study_time: empty(),
                accession_number: empty(),
                study_id: empty(),
                study_description: empty(),
                referring_physician_name: empty(),
            },
            review: false,
            number_of_study_related_series: 2,
            number_of_study_related_instances: 5,
            modalities_in_study: Vec::new(),
            series: Some(series()),
            instance: Some(InstanceRow {
                id: Uuid::from_u128(1),
                attributes: InstanceAttributes {
                    sop_instance_uid: SopInstanceUid::parse("1.1.1.1").expect("UID"),
                    sop_class_uid: SopClassUid::parse("1.2.840.10008.5.1.4.1.1.1.1").expect("UID"),
                    transfer_syntax_uid: TransferSyntaxUid::parse("1.2.840.10008.1.2.1").expect("UID"),
                    instance_number: None,
                    number_of_frames: None,
                    rows: Some(10),
                    columns: Some(20),
                    bits_allocated: Some(16),
                    content_date: empty(),
                    content_time: empty(),
                    acquisition_date: empty(),
                    acquisition_time: empty(),
                    image_type: "ORIGINAL\\PRIMARY".into(),
                    view_position: empty(),
                },
            }),
        }
    }

    fn json_row(found: &SearchRow, shape: Shape, include: &IncludeFields) -> Value {
        let urls = Urls::new(&DicomwebConfig::default(), None);
        serde_json::from_str(&row(found, shape, include, &urls).to_json()).expect("JSON")
    }

    const WHOLE: Shape = Shape { study: true, series: true };

    #[test]
    fn a_study_row_has_counts_and_no_modalities_without_value() {
        let study = SearchRow { series: None, instance: None, ..found() };
        let row = json_row(&study, WHOLE, &IncludeFields::default());
        assert_eq!(row["00201206"], json!({"vr": "IS", "Value": [2]}));
        assert_eq!(row["00201208"]["Value"][0], 5);
        assert_eq!(row["00081190"]["Value"][0], "/dicomweb/studies/1.1");
        assert_eq!(row["00080050"], json!({"vr": "SH"}));
        assert_eq!(row["00100010"]["Value"][0], json!({"Alphabetic": "Doe^Jane"}));
        assert!(row.get("00080061").is_none() && row.get("0020000E").is_none());
        let study = SearchRow { modalities_in_study: vec!["CR".into(), "DX".into()], ..study };
        let row = json_row(&study, WHOLE, &IncludeFields::default());
        assert_eq!(row["00080061"]["Value"], json!(["CR", "DX"]));
    }

    #[test]
    fn a_series_of_a_study_names_its_study() {
        let series = SearchRow { instance: None, ..found() };
        let shape = Shape { study: false, series: true };
        let row = json_row(&series, shape, &IncludeFields::default());
        assert_eq!(row["0020000D"]["Value"][0], "1.1");
        assert_eq!(row["00201209"]["Value"][0], 4);
        assert_eq!(row["00400275"]["Value"][0]["00400009"]["Value"][0], "S1");
        assert!(row.get("00100010").is_none());
        let include = IncludeFields { all: false, tags: [0x0010_0010].into() };
        assert!(json_row(&series, shape, &include).get("00100010").is_some());
    }

    #[test]
    fn an_instance_row_leads_to_the_instance() {
        let row = json_row(&found(), Shape { study: false, series: false }, &IncludeFields::default());
        assert_eq!(row["00081190"]["Value"][0], "/dicomweb/studies/1.1/series/1.1.1/instances/1.1.1.1");
        assert_eq!(row["00200013"], json!({"vr": "IS"}));
        assert_eq!(row["00083002"]["Value"][0], "1.2.840.10008.1.2.1");
        assert_eq!(row["00080008"]["Value"], json!(["ORIGINAL", "PRIMARY"]));
        assert!(row.get("00080060").is_none() && row.get("00280008").is_none());
    }
}
