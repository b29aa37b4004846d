//! The identity rules: what each instance of a group is, decided from what is known, without the database.
//!
//! - Same SOP Instance UID and same data set: a duplicate. Same UID, other data set: a conflict version, or refused.
//! - A UID that is known under another study, series or patient is refused: nothing moves by being sent.
//! - A new study under a known Patient ID joins the patient whose demographics it does not contradict; else it gets a
//!   patient record of its own and both are flagged. Empty values contradict nothing. No record is ever changed by
//!   what comes later; instead every combination that was taken is kept, and a newcomer is compared with all of them.

use std::collections::{BTreeMap, BTreeSet};

use model::event::Event;
use uuid::Uuid;

use super::{
    ConflictPolicy, REINDEX, RESTORE, StoreInstanceError, StoreOutcome, key_use,
    known::{Known, KnownSeries, KnownStudy, Variant, Variants, Version},
    prepare::{Demographics, Prepared},
    restorable,
};
use crate::{AuditOutcome, AuditRecord};

/// An instance to write.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedInstance {
    /// Place in the group.
    pub(super) index: usize,
    pub(super) series: Uuid,
    pub(super) current: bool,
}

/// What to write for a group, and what to answer once it is committed. Maps by UID, so that nodes write in the same
/// order; values are the place in the group whose rows to take, and keys.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Patient key: place in the group, flagged.
    pub(super) patients: BTreeMap<Uuid, (usize, bool)>,
    pub(super) demographics: Vec<Variant>,
    /// Study Instance UID: place in the group, key, patient.
    pub(super) studies: BTreeMap<String, (usize, Uuid, Uuid)>,
    /// Series Instance UID: place in the group, key, study.
    pub(super) series: BTreeMap<String, (usize, Uuid, Uuid)>,
    /// Patient keys that get their patient: key, patient.
    pub(super) patient_keys: BTreeMap<Uuid, Uuid>,
    pub(super) instances: Vec<PlannedInstance>,
    pub(super) review_patients: BTreeSet<Uuid>,
    pub(super) review_studies: BTreeSet<Uuid>,
    pub(super) events: Vec<Event>,
    pub(super) audit: Vec<AuditRecord>,
    pub(super) outcomes: Vec<Result<StoreOutcome, StoreInstanceError>>,
}

/// Decides for every instance of the group, in order: an earlier one counts as known for a later one.
pub(super) fn resolve(group: &[Prepared], mut known: Known) -> Plan {
    let mut plan = Plan::default();
    for (index, new) in group.iter().enumerate() {
        let outcome = resolve_one(index, new, &mut known, &mut plan);
        let patient = known.studies.get(&new.study_instance_uid).map(|study| study.patient);
        audit(new, patient, &outcome, &mut plan);
        plan.outcomes.push(outcome.map(|(outcome, _)| outcome));
    }
    plan
}

/// The outcome, and whether this very call wrote it.
fn resolve_one(
    index: usize,
    new: &Prepared,
    known: &mut Known,
    plan: &mut Plan,
) -> Result<(StoreOutcome, Written), StoreInstanceError> {
    let versions = known.versions.get(&new.sop_instance_uid).map_or(&[][..], Vec::as_slice);
    let elsewhere = |version: &Version| {
        version.study_instance_uid != new.study_instance_uid
            || version.series_instance_uid != new.series_instance_uid
    };
    if versions.iter().any(elsewhere) {
        return Err(StoreInstanceError::ForeignStudy);
    }
    if let Some(same) = versions.iter().find(|version| version.data_set_sha256 == new.data_set_sha256) {
        return Ok(match (same.id == new.id, same.current) {
            // An earlier attempt of this very call was committed after all.
            (true, true) => (StoreOutcome::Stored { id: new.id }, Written::Before),
            (true, false) => (StoreOutcome::Conflict { id: new.id }, Written::Before),
            (false, _) => (StoreOutcome::Duplicate { id: same.id }, Written::Now),
        });
    }
    let current = !versions.iter().any(|version| version.current);
    restorable::refuse_purged(new, known)?;
    refuse_foreign(new, known)?;
    if !current && new.conflict_policy == ConflictPolicy::Refuse {
        return Err(StoreInstanceError::ConflictRefused);
    }
    key_use::refuse_foreign_key(new, known)?;
    let study = study_of(index, new, known, plan);
    key_use::bind_key(new, known, plan);
    let series = series_of(index, new, study, known, plan);
    plan.instances.push(PlannedInstance { index, series, current });
    known.versions.entry(new.sop_instance_uid.clone()).or_default().push(Version {
        id: new.id,
        data_set_sha256: new.data_set_sha256.to_vec(),
        current,
        study_instance_uid: new.study_instance_uid.clone(),
        series_instance_uid: new.series_instance_uid.clone(),
    });
    plan.events.push(event(new, current));
    let id = new.id;
    Ok((if current { StoreOutcome::Stored { id } } else { StoreOutcome::Conflict { id } }, Written::Now))
}

/// Nothing moves to another study or patient by being sent.
fn refuse_foreign(new: &Prepared, known: &Known) -> Result<(), StoreInstanceError> {
    if let Some(series) = known.series.get(&new.series_instance_uid)
        && series.study_instance_uid != new.study_instance_uid
    {
        return Err(StoreInstanceError::ForeignSeries);
    }
    if let Some(study) = known.studies.get(&new.study_instance_uid)
        && is_of_another_patient(&study.demographics, &new.demographics)
    {
        return Err(StoreInstanceError::StudyOfAnotherPatient);
    }
    if let Some(study) = known.studies.get(&new.study_instance_uid)
        && new.own_studies_only
        && study.uploaded_by != new.actor.user_id
    {
        return Err(StoreInstanceError::StudyOfAnotherSender);
    }
    Ok(())
}

fn event(new: &Prepared, current: bool) -> Event {
    let (xray_id, study_instance_uid) = (new.id, new.study_instance_uid.clone());
    let sop_instance_uid = new.sop_instance_uid.clone();
    if current {
        let series_instance_uid = new.series_instance_uid.clone();
        let again = [REINDEX, RESTORE].contains(&new.door);
        Event::InstanceStored { xray_id, study_instance_uid, series_instance_uid, sop_instance_uid, again }
    } else {
        Event::InstanceConflicted { xray_id, study_instance_uid, sop_instance_uid }
    }
}

/// When what is answered became true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Now,
    Before,
}

fn audit(
    new: &Prepared,
    patient: Option<Uuid>,
    outcome: &Result<(StoreOutcome, Written), StoreInstanceError>,
    plan: &mut Plan,
) {
    let (detail, subject) = match outcome {
        // The sender does not hear of the second: the instance comes again under another key.
        Ok((_, Written::Before)) | Err(StoreInstanceError::PatientKeyUnusable) => return,
        Ok((StoreOutcome::Stored { id }, _)) => (format!("{}: stored", new.door), *id),
        Ok((StoreOutcome::Duplicate { id }, _)) => (format!("{}: duplicate", new.door), *id),
        Ok((StoreOutcome::Conflict { id }, _)) => (format!("{}: conflict", new.door), *id),
        Err(error) => (format!("{}: {error}", new.door), new.id),
    };
    let mut record =
        AuditRecord::success(&new.actor, "store_instance").about(subject).of_study(&new.study_instance_uid);
    if outcome.is_err() {
        record.outcome = AuditOutcome::Refused;
    }
    (record.detail, record.patient) = (detail, patient);
    plan.audit.push(record);
}

fn study_of(index: usize, new: &Prepared, known: &mut Known, plan: &mut Plan) -> Uuid {
    if let Some(study) = known.studies.get_mut(&new.study_instance_uid) {
        if !study.review && !is_compatible(&study.demographics, &new.demographics) {
            study.review = true;
            plan.review_studies.insert(study.key);
            plan.review_patients.insert(study.patient);
            plan.events.push(Event::PatientClashed {
                patient: study.patient,
                other: study.patient,
                study_instance_uid: new.study_instance_uid.clone(),
            });
        }
        return study.key;
    }
    let (patient, demographics) = patient_of(index, new, known, plan);
    let key = Uuid::now_v7();
    plan.studies.insert(new.study_instance_uid.clone(), (index, key, patient));
    let uploaded_by = new.actor.user_id;
    let study = KnownStudy { key, patient, demographics, review: false, uploaded_by };
    known.studies.insert(new.study_instance_uid.clone(), study);
    key
}

fn series_of(index: usize, new: &Prepared, study: Uuid, known: &mut Known, plan: &mut Plan) -> Uuid {
    if let Some(series) = known.series.get(&new.series_instance_uid) {
        return series.key;
    }
    let key = Uuid::now_v7();
    plan.series.insert(new.series_instance_uid.clone(), (index, key, study));
    let study_instance_uid = new.study_instance_uid.clone();
    known.series.insert(new.series_instance_uid.clone(), KnownSeries { key, study_instance_uid });
    key
}

/// The patient of a new study, and that patient's demographics.
fn patient_of(index: usize, new: &Prepared, known: &mut Known, plan: &mut Plan) -> (Uuid, Demographics) {
    let theirs = &new.demographics;
    let kept = key_use::kept_patient(new, known).map(|kept| (kept.patient, kept.named.is_some()));
    let there = kept.filter(|(patient, is_there)| *is_there || plan.patients.contains_key(patient));
    let make = |plan: &mut Plan, flagged: bool| {
        let patient = kept.map_or_else(Uuid::now_v7, |(patient, _)| patient);
        plan.patients.insert(patient, (index, flagged));
        patient
    };
    if theirs.patient_id.is_empty() || new.patient_id_too_long {
        return (there.map_or_else(|| make(plan, false), |(patient, _)| patient), theirs.clone());
    }
    let key = (theirs.patient_id.clone(), theirs.issuer_of_patient_id.clone());
    let variants = known.patients.entry(key).or_default();
    if let Some(same) = exact(variants, theirs)
        && kept.is_none_or(|(patient, _)| patient == same)
    {
        return (same, theirs.clone());
    }
    let joined = if kept.is_none() { agreeing(variants, theirs) } else { there.map(|(patient, _)| patient) };
    let patient = joined.unwrap_or_else(|| {
        let other = variants.list.first().map(|variant| variant.patient);
        let patient = make(plan, other.is_some() || variants.more);
        if let Some(other) = other {
            plan.review_patients.insert(other);
            plan.events.push(Event::PatientClashed {
                patient,
                other,
                study_instance_uid: new.study_instance_uid.clone(),
            });
        }
        patient
    });
    let variant = Variant { patient, demographics: theirs.clone() };
    variants.list.push(variant.clone());
    plan.demographics.push(variant);
    (patient, theirs.clone())
}

/// The patient that a new study is going to join; `None` when it gets one of its own.
pub(super) fn joined_patient(new: &Prepared, known: &Known) -> Option<Uuid> {
    let theirs = &new.demographics;
    if theirs.patient_id.is_empty() || new.patient_id_too_long {
        return None;
    }
    let key = (theirs.patient_id.clone(), theirs.issuer_of_patient_id.clone());
    let variants = known.patients.get(&key)?;
    exact(variants, theirs).or_else(|| agreeing(variants, theirs))
}

/// The patient with exactly these demographics.
fn exact(variants: &Variants, theirs: &Demographics) -> Option<Uuid> {
    let same = variants.list.iter().find(|variant| variant.demographics == *theirs);
    same.map(|variant| variant.patient)
}

/// The oldest patient that these demographics do not contradict, when all of them could be compared.
fn agreeing(variants: &Variants, theirs: &Demographics) -> Option<Uuid> {
    if variants.more {
        return None;
    }
    let contradicted: BTreeSet<Uuid> = variants
        .list
        .iter()
        .filter(|variant| !is_compatible(&variant.demographics, theirs))
        .map(|variant| variant.patient)
        .collect();
    let agreeing = variants.list.iter().find(|variant| !contradicted.contains(&variant.patient));
    agreeing.map(|variant| variant.patient)
}

/// Both texts say something, and not the same.
pub(super) fn differ(one: &str, other: &str) -> bool {
    !one.is_empty() && !other.is_empty() && one != other
}

fn is_of_another_patient(known: &Demographics, new: &Demographics) -> bool {
    differ(&known.patient_id, &new.patient_id)
        || differ(&known.issuer_of_patient_id, &new.issuer_of_patient_id)
}

/// Nothing that both say contradicts; names are compared group by group (PS3.5 6.2.1.2).
fn is_compatible(one: &Demographics, other: &Demographics) -> bool {
    let names = one.patient_name_folded.split('=').zip(other.patient_name_folded.split('='));
    !differ(&one.patient_birth_date, &other.patient_birth_date)
        && !differ(&one.patient_sex, &other.patient_sex)
        && names.into_iter().all(|(one, other)| !differ(one, other))
}
