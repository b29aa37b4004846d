//! Writes what was decided for a group: one statement a table, whatever the size of the group, and all of them in one trip.

use fail_point::Point;
use model::worklist::StepStatus;
use serde_json::Value;
use uuid::Uuid;

use super::{
    StoreInstanceError, StoreOutcome,
    group_commit::Failure,
    known::demographics_values,
    prepare::Prepared,
    resolve::{Plan, PlannedInstance},
};
use crate::{
    DatabaseError,
    audit::insert_audit,
    batch::Batch,
    engine::Tx,
    outbox::add_events,
    search::{NAME_WORDS, name_word_rows},
    statement::{Statement, rows, uuid_value},
    worklist::{Sign, follow},
};

static PATIENTS: Statement = Statement::new(
    "INSERT INTO patient (id, review, patient_id, patient_id_folded, issuer_of_patient_id, \
     issuer_of_patient_id_folded, patient_name, patient_name_folded, patient_birth_date, patient_sex, \
     has_name_words, created_at) \
     SELECT id, review, patient_id, patient_id_folded, issuer_of_patient_id, issuer_of_patient_id_folded, \
     patient_name, patient_name_folded, patient_birth_date, patient_sex, true, $2 \
     FROM ROWS($1: id uuid, review boolean, patient_id text, patient_id_folded text, issuer_of_patient_id text, \
     issuer_of_patient_id_folded text, patient_name text, patient_name_folded text, patient_birth_date text, \
     patient_sex text) AS r WHERE true",
);

static DEMOGRAPHICS: Statement = Statement::new(
    "INSERT INTO patient_demographics (patient, patient_id, issuer_of_patient_id, patient_name_folded, \
     patient_birth_date, patient_sex, created_at) \
     SELECT patient, patient_id, issuer_of_patient_id, patient_name_folded, patient_birth_date, patient_sex, $2 \
     FROM ROWS($1: patient uuid, patient_id text, issuer_of_patient_id text, patient_name_folded text, \
     patient_birth_date text, patient_sex text) AS r WHERE true ON CONFLICT DO NOTHING",
);

static STUDIES: Statement = Statement::new(
    "INSERT INTO study (id, patient, review, study_instance_uid, study_date, study_time, accession_number, \
     accession_number_folded, study_id, study_id_folded, study_description, study_description_folded, \
     referring_physician_name, referring_physician_name_folded, uploaded_by, created_at) \
     SELECT id, patient, review, study_instance_uid, study_date, study_time, accession_number, \
     accession_number_folded, study_id, study_id_folded, study_description, study_description_folded, \
     referring_physician_name, referring_physician_name_folded, uploaded_by, $2 \
     FROM ROWS($1: id uuid, patient uuid, review boolean, study_instance_uid text, study_date text, study_time text, \
     accession_number text, accession_number_folded text, study_id text, study_id_folded text, \
     study_description text, study_description_folded text, referring_physician_name text, \
     referring_physician_name_folded text, uploaded_by uuid) AS r WHERE true ON CONFLICT DO NOTHING",
);

static SERIES: Statement = Statement::new(
    "INSERT INTO series (id, study, series_instance_uid, modality, series_number, series_date, series_time, \
     series_description, series_description_folded, body_part_examined, laterality, protocol_name, \
     protocol_name_folded, manufacturer, manufacturer_folded, institution_name, institution_name_folded, \
     station_name, station_name_folded, performed_procedure_step_start_date, performed_procedure_step_start_time, \
     scheduled_procedure_step_id, scheduled_procedure_step_id_folded, requested_procedure_id, \
     requested_procedure_id_folded, created_at) \
     SELECT id, study, series_instance_uid, modality, series_number, series_date, series_time, \
     series_description, series_description_folded, body_part_examined, laterality, protocol_name, \
     protocol_name_folded, manufacturer, manufacturer_folded, institution_name, institution_name_folded, \
     station_name, station_name_folded, performed_procedure_step_start_date, performed_procedure_step_start_time, \
     scheduled_procedure_step_id, scheduled_procedure_step_id_folded, requested_procedure_id, \
     requested_procedure_id_folded, $2 \
     FROM ROWS($1: id uuid, study uuid, series_instance_uid text, modality text, series_number integer, \
     series_date text, series_time text, series_description text, series_description_folded text, \
     body_part_examined text, laterality text, protocol_name text, protocol_name_folded text, manufacturer text, \
     manufacturer_folded text, institution_name text, institution_name_folded text, station_name text, \
     station_name_folded text, performed_procedure_step_start_date text, performed_procedure_step_start_time text, \
     scheduled_procedure_step_id text, scheduled_procedure_step_id_folded text, requested_procedure_id text, \
     requested_procedure_id_folded text) AS r WHERE true ON CONFLICT DO NOTHING",
);

static INSTANCES: Statement = Statement::new(
    "INSERT INTO instance (id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, \
     number_of_frames, rows, columns, bits_allocated, content_date, content_time, acquisition_date, \
     acquisition_time, image_type, view_position, object_key, object_seal, object_length_bytes, data_set_offset, \
     data_set_length_bytes, data_set_sha256, series, current, stored_at) \
     SELECT id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, number_of_frames, r_rows, \
     r_columns, bits_allocated, content_date, content_time, acquisition_date, acquisition_time, image_type, \
     view_position, object_key, object_seal, object_length_bytes, data_set_offset, data_set_length_bytes, data_set_sha256, \
     series, r_current, $2 \
     FROM ROWS($1: id uuid, sop_instance_uid text, sop_class_uid text, transfer_syntax_uid text, \
     instance_number integer, number_of_frames integer, r_rows integer, r_columns integer, bits_allocated integer, \
     content_date text, content_time text, acquisition_date text, acquisition_time text, image_type text, \
     view_position text, object_key uuid, object_seal bytes, object_length_bytes bigint, data_set_offset bigint, \
     data_set_length_bytes bigint, data_set_sha256 bytes, series uuid, r_current boolean) AS r \
     WHERE true ON CONFLICT DO NOTHING",
);

static HEADERS: Statement = Statement::new(
    "INSERT INTO instance_header (instance, dicom_json, layout) \
     SELECT instance, dicom_json, layout FROM ROWS($1: instance uuid, dicom_json bytes, layout bytes) AS r WHERE true",
);

static PREVIEWS: Statement = Statement::new(
    "INSERT INTO preview (instance, state, attempts, reason, created_at, updated_at) \
     SELECT instance, 'pending', 0, '', $2, $2 FROM ROWS($1: instance uuid) AS r WHERE true",
);

static PATIENT_KEYS: Statement = Statement::new(
    "INSERT INTO patient_key (key_id, patient, state, created_at) SELECT key_id, patient, 'active', $2 \
     FROM ROWS($1: key_id uuid, patient uuid) AS r WHERE true ON CONFLICT DO NOTHING",
);

static REVIEW_PATIENTS: Statement = Statement::new(
    "UPDATE patient SET review = true WHERE id IN (SELECT id FROM ROWS($1: id uuid) AS r) AND NOT review",
);

static REVIEW_STUDIES: Statement = Statement::new(
    "UPDATE study SET review = true WHERE id IN (SELECT id FROM ROWS($1: id uuid) AS r) AND NOT review",
);

/// Writes the plan; gives what to answer once it is committed.
pub(super) async fn write(
    tx: &mut Tx,
    group: &[Prepared],
    mut plan: Plan,
) -> Result<Vec<Result<StoreOutcome, StoreInstanceError>>, Failure> {
    let patients = plan.patients.iter().map(|(key, (index, flagged))| {
        with(vec![uuid_value(*key), Value::from(*flagged)], &group[*index].patient)
    });
    let mut writes = Writes::of(tx);
    writes.insert(&PATIENTS, patients.collect());
    let words = plan
        .patients
        .iter()
        .flat_map(|(key, (index, _))| name_word_rows(*key, &group[*index].demographics.patient_name_folded));
    writes.insert_or_skip(&NAME_WORDS, words.collect());
    let demographics = plan
        .demographics
        .iter()
        .map(|variant| with(vec![uuid_value(variant.patient)], &demographics_values(&variant.demographics)));
    // An equal row can only be there already: it means the same.
    writes.insert_or_skip(&DEMOGRAPHICS, demographics.collect());
    let studies = plan.studies.values().map(|(index, key, patient)| {
        let head = vec![uuid_value(*key), uuid_value(*patient), Value::from(false)];
        with(head, &group[*index].study)
    });
    writes.insert(&STUDIES, studies.collect());
    let series = plan
        .series
        .values()
        .map(|(index, key, study)| with(vec![uuid_value(*key), uuid_value(*study)], &group[*index].series));
    writes.insert(&SERIES, series.collect());
    let keys = plan.patient_keys.iter().map(|(key, patient)| vec![uuid_value(*key), uuid_value(*patient)]);
    writes.insert(&PATIENT_KEYS, keys.collect());
    insert_instances(&mut writes, group, &mut plan.instances);
    add_events(&mut writes.rest, writes.tx, &plan.events)?;
    writes.update(&REVIEW_PATIENTS, plan.review_patients.iter().copied());
    writes.update(&REVIEW_STUDIES, plan.review_studies.iter().copied());
    let updates = writes.insert_now().await?;
    fail_point::reach(Point::K14StudyWritten).map_err(sqlx::Error::Io)?;
    fail_point::reach(Point::K13InstanceWritten).map_err(sqlx::Error::Io)?;
    fail_point::reach(Point::K15EventWritten).map_err(sqlx::Error::Io)?;
    let new_series = plan.series.values().map(|(index, ..)| {
        let new = &group[*index];
        Sign {
            new_study: plan.studies.get(&new.study_instance_uid).map(|(_, key, _)| *key),
            study_instance_uid: &new.study_instance_uid,
            accession_number: &new.accession_number,
            patient_id: &new.demographics.patient_id,
            issuer_of_patient_id: &new.demographics.issuer_of_patient_id,
            modality: &new.modality,
            step_id: &new.scheduled_procedure_step_id,
            status: StepStatus::Started,
            seen: "images came",
            actor: &new.actor,
        }
    });
    follow(tx, &new_series.collect::<Vec<_>>()).await?;
    updates.run(tx).await?;
    insert_audit(tx, &plan.audit).await?;
    Ok(plan.outcomes)
}

fn insert_instances(writes: &mut Writes<'_>, group: &[Prepared], instances: &mut [PlannedInstance]) {
    instances
        .sort_by(|one, other| group[one.index].sop_instance_uid.cmp(&group[other.index].sop_instance_uid));
    let list = instances.iter().map(|planned| {
        let mut values = group[planned.index].instance.clone();
        values.extend([uuid_value(planned.series), Value::from(planned.current)]);
        values
    });
    writes.insert(&INSTANCES, list.collect());
    let headers = instances.iter().map(|planned| group[planned.index].header.clone());
    writes.insert(&HEADERS, headers.collect());
    let previews = instances
        .iter()
        .filter(|planned| planned.current && group[planned.index].has_pixel_data)
        .map(|planned| vec![uuid_value(group[planned.index].id)]);
    writes.insert(&PREVIEWS, previews.collect());
}

fn with(mut head: Vec<Value>, rest: &[Value]) -> Vec<Value> {
    head.extend_from_slice(rest);
    head
}

/// What is written, in as few trips as the engine allows.
struct Writes<'a> {
    tx: &'a mut Tx,
    /// Rows that must all be new.
    new: Batch,
    new_rows: u64,
    /// Rows that come with them.
    rest: Batch,
    /// What changes rows, those from before included.
    updates: Batch,
}

impl<'a> Writes<'a> {
    fn of(tx: &'a mut Tx) -> Self {
        Self { tx, new: Batch::default(), new_rows: 0, rest: Batch::default(), updates: Batch::default() }
    }

    /// Inserts rows that must not be there.
    fn insert(&mut self, statement: &'static Statement, list: Vec<Vec<Value>>) {
        self.new_rows += list.len() as u64;
        add(&mut self.new, self.tx, statement, list);
    }

    /// Inserts, and gives what is to be updated. A row that another node wrote meanwhile is a lost race, and so is one that refers to
    /// a row of ours that is not there for that reason, or that is there with the one that it belongs to.
    async fn insert_now(self) -> Result<Batch, Failure> {
        match self.new.run_at_once(self.rest, self.tx).await.map_err(DatabaseError::from) {
            Ok(written) if written == self.new_rows => Ok(self.updates),
            Ok(_) => Err(Failure::LostRace),
            Err(error) if error.is_foreign_key_violation() => Err(Failure::LostRace),
            Err(error) if error.is_unique_violation() => Err(Failure::LostRace),
            Err(error) => Err(error.into()),
        }
    }

    /// Inserts rows that may be there.
    fn insert_or_skip(&mut self, statement: &'static Statement, list: Vec<Vec<Value>>) {
        add(&mut self.rest, self.tx, statement, list);
    }

    fn update(&mut self, statement: &'static Statement, ids: impl Iterator<Item = Uuid>) {
        let list = ids.map(|id| vec![uuid_value(id)]);
        add(&mut self.updates, self.tx, statement, list.collect());
    }
}

fn add(batch: &mut Batch, tx: &Tx, statement: &'static Statement, list: Vec<Vec<Value>>) {
    if list.is_empty() {
        return;
    }
    let (sql, list) = (statement.on(tx.dialect()), rows(list));
    // Not every table says when a row was made.
    if sql.contains("$2") {
        batch.push(sql, [list.into(), tx.now.into()]);
    } else {
        batch.push(sql, [list.into()]);
    }
}
