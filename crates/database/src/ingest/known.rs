//! What the archive knows about the instances of one group: a few statements, each over indexes and bounded.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::{
    found::{FOUND, FoundRow},
    key_use::{self, KeptPatient},
    prepare::{Demographics, Prepared},
    restorable,
};
use crate::{
    DatabaseError,
    engine::Tx,
    statement::{Dialect, Statement, rows, text_rows, uuid_rows},
};

/// Demographics of one Patient ID that are compared at most. Beyond that (an ID such as `TEST`) only an exact match
/// joins an existing patient.
pub(super) const VARIANTS_MAX: usize = 64;

/// One stored version of an instance.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: Uuid,
    pub(super) data_set_sha256: Vec<u8>,
    pub(super) current: bool,
    pub(super) study_instance_uid: String,
    pub(super) series_instance_uid: String,
}

/// A study and whose it is.
#[derive(Debug, Clone)]
pub(super) struct KnownStudy {
    pub(super) key: Uuid,
    pub(super) patient: Uuid,
    pub(super) demographics: Demographics,
    pub(super) review: bool,
    /// The account that sent its first instance.
    pub(super) uploaded_by: Option<Uuid>,
}

/// A series and its study.
#[derive(Debug, Clone)]
pub(super) struct KnownSeries {
    pub(super) key: Uuid,
    pub(super) study_instance_uid: String,
}

/// Demographics taken for a patient.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    pub(super) patient: Uuid,
    pub(super) demographics: Demographics,
}

/// What is known under one Patient ID and issuer, the oldest patient first.
#[derive(Debug, Default)]
pub(super) struct Variants {
    pub(super) list: Vec<Variant>,
    /// There are more than `VARIANTS_MAX`.
    pub(super) more: bool,
}

/// Patient ID and issuer.
pub(super) type PatientKey = (String, String);

/// What the archive knows, by UIDs.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) versions: HashMap<String, Vec<Version>>,
    pub(super) studies: HashMap<String, KnownStudy>,
    pub(super) series: HashMap<String, KnownSeries>,
    pub(super) patients: HashMap<PatientKey, Variants>,
    /// Patient keys that were given to somebody.
    pub(super) patient_keys: HashMap<Uuid, KeyUse>,
    /// Whom the keys of what comes back serve, or did before the index was removed.
    pub(super) kept_patients: HashMap<Uuid, KeptPatient>,
    /// Objects of what was deleted and can be given back.
    pub(super) restorable: HashSet<Uuid>,
}

/// Whom a patient key serves, and whether it may seal what comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyUse {
    pub(super) patient: Uuid,
    pub(super) usable: bool,
    /// It opens what is there, while that is sealed anew.
    pub(super) retired: bool,
}

static VARIANTS: Statement = Statement::new(
    "SELECT d.patient, d.patient_id, d.issuer_of_patient_id, d.patient_name_folded, d.patient_birth_date, \
     d.patient_sex FROM ROWS($1: patient_id text, issuer text) AS r CROSS JOIN patient_demographics d \
     WHERE d.patient_id = r.patient_id AND d.issuer_of_patient_id = r.issuer LIMIT $2",
);

static EXACT_VARIANTS: Statement = Statement::new(
    "SELECT d.patient, d.patient_id, d.issuer_of_patient_id, d.patient_name_folded, d.patient_birth_date, \
     d.patient_sex FROM ROWS($1: patient_id text, issuer text, name text, birth_date text, sex text) AS r \
     CROSS JOIN patient_demographics d WHERE d.patient_id = r.patient_id AND d.issuer_of_patient_id = r.issuer \
     AND d.patient_name_folded = r.name AND d.patient_birth_date = r.birth_date AND d.patient_sex = r.sex",
);

/// Two nodes that first meet one Patient ID with clashing demographics must see each other: one waits here. In the
/// order of the keys, so that they do not wait for each other.
static LOCK_PATIENTS: Statement = Statement::new(
    "SELECT COUNT(pg_advisory_xact_lock(key)) FROM (SELECT DISTINCT hashtextextended(patient_id || chr(31) || issuer, 0) \
     AS key FROM ROWS($1: patient_id text, issuer text) AS r ORDER BY 1) AS keys",
);

type VariantRow = (Uuid, String, String, String, String, String);

/// Reads what is known about the group, in a transaction that holds its keys.
pub(super) async fn read(tx: &mut Tx, group: &[Prepared]) -> Result<Known, DatabaseError> {
    let mut known = Known::default();
    let sql = FOUND.on(tx.dialect());
    let instances = distinct(group.iter().map(|new| new.sop_instance_uid.as_str()));
    let studies = distinct(group.iter().map(|new| new.study_instance_uid.as_str()));
    let series = distinct(group.iter().map(|new| new.series_instance_uid.as_str()));
    let keys = uuid_rows(group.iter().map(|new| new.patient_key_id).collect::<BTreeSet<_>>());
    let found: Vec<FoundRow> = on_tx!(tx, connection => sqlx::query_as(sql)
        .bind(instances)
        .bind(studies)
        .bind(series)
        .bind(keys)
        .fetch_all(connection)
        .await?);
    for row in found {
        row.add_to(&mut known)?;
    }
    read_patients(tx, group, &mut known).await?;
    known.restorable = restorable::read(tx, group).await?;
    known.kept_patients = key_use::read(tx, group).await?;
    Ok(known)
}

/// Sorted, so that nodes meet the rows in the same order.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    text_rows(texts.collect::<BTreeSet<_>>())
}

/// The patients that new studies may belong to.
async fn read_patients(tx: &mut Tx, group: &[Prepared], known: &mut Known) -> Result<(), DatabaseError> {
    let newcomers: Vec<&Demographics> = group
        .iter()
        .filter(|new| !known.studies.contains_key(&new.study_instance_uid))
        .map(|new| &new.demographics)
        .filter(|demographics| !demographics.patient_id.is_empty())
        .collect();
    let keys: BTreeSet<PatientKey> = newcomers
        .iter()
        .map(|demographics| (demographics.patient_id.clone(), demographics.issuer_of_patient_id.clone()))
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    if tx.dialect() == Dialect::Postgres {
        let sql = LOCK_PATIENTS.on(Dialect::Postgres);
        let list = key_rows(&keys);
        on_tx!(tx, connection => sqlx::query(sql).bind(list).execute(connection).await.map(|_| ())?);
    }
    let limit = keys.len() * VARIANTS_MAX;
    let found = variants(tx, &keys, limit + 1).await?;
    if found.len() <= limit {
        add(known, found);
    } else {
        // Some ID has very many: each alone, so that none takes the room of the others.
        for key in &keys {
            let found = variants(tx, &BTreeSet::from([key.clone()]), VARIANTS_MAX + 1).await?;
            let more = found.len() > VARIANTS_MAX;
            if !more {
                add(known, found);
            }
            known.patients.entry(key.clone()).or_default().more = more;
        }
        add(known, exact_variants(tx, &newcomers).await?);
    }
    for variants in known.patients.values_mut() {
        variants.list.sort_by_key(|variant| variant.patient);
    }
    Ok(())
}

fn add(known: &mut Known, found: Vec<VariantRow>) {
    for (patient, patient_id, issuer_of_patient_id, name, birth_date, sex) in found {
        let key = (patient_id.clone(), issuer_of_patient_id.clone());
        let demographics = Demographics {
            patient_id,
            issuer_of_patient_id,
            patient_name_folded: name,
            patient_birth_date: birth_date,
            patient_sex: sex,
        };
        known.patients.entry(key).or_default().list.push(Variant { patient, demographics });
    }
}

fn key_rows(keys: &BTreeSet<PatientKey>) -> String {
    rows(keys.iter().map(|(id, issuer)| vec![id.as_str().into(), issuer.as_str().into()]).collect())
}

async fn variants(
    tx: &mut Tx,
    keys: &BTreeSet<PatientKey>,
    limit: usize,
) -> Result<Vec<VariantRow>, DatabaseError> {
    let sql = VARIANTS.on(tx.dialect());
    let (list, limit) = (key_rows(keys), i64::try_from(limit).unwrap_or(i64::MAX));
    Ok(on_tx!(tx, connection => sqlx::query_as(sql).bind(list).bind(limit).fetch_all(connection).await?))
}

async fn exact_variants(tx: &mut Tx, newcomers: &[&Demographics]) -> Result<Vec<VariantRow>, DatabaseError> {
    let sql = EXACT_VARIANTS.on(tx.dialect());
    let list = rows(newcomers.iter().map(|demographics| demographics_values(demographics)).collect());
    Ok(on_tx!(tx, connection => sqlx::query_as(sql).bind(list).fetch_all(connection).await?))
}

/// The five columns that are compared.
pub(super) fn demographics_values(demographics: &Demographics) -> Vec<serde_json::Value> {
    vec![
        demographics.patient_id.as_str().into(),
        demographics.issuer_of_patient_id.as_str().into(),
        demographics.patient_name_folded.as_str().into(),
        demographics.patient_birth_date.as_str().into(),
        demographics.patient_sex.as_str().into(),
    ]
}
