//! The list that outlives the server: what it acknowledged, and with which content.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::Mutex,
};

use crate::{digest::sha256_hex, multipart, part10, session::Session, synthetic::Synthetic};

/// The Accept of a client that wants instances as they were stored.
pub const STORED_INSTANCES: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

/// One acknowledged instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Series Instance UID.
    pub series_instance_uid: String,
    /// SHA-256 of the data set as sent.
    pub data_set_sha256: String,
}

impl Acknowledged {
    fn of(instance: &Synthetic, data_set: &[u8]) -> Self {
        Self {
            study_instance_uid: instance.study_instance_uid.clone(),
            series_instance_uid: instance.series_instance_uid.clone(),
            data_set_sha256: sha256_hex(data_set),
        }
    }
}

/// One line of a ledger's file, as `maxray verify --ledger` takes it.
fn line(sop_instance_uid: &str, place: &Acknowledged, status: u16) -> serde_json::Value {
    serde_json::json!({
        "sop_instance_uid": sop_instance_uid,
        "study_instance_uid": place.study_instance_uid,
        "series_instance_uid": place.series_instance_uid,
        "data_set_sha256": place.data_set_sha256,
        "status": status,
        "at_ms": std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_millis() as u64),
    })
}

/// Acknowledged instances by SOP Instance UID; the first content counts (later ones become conflict versions).
#[derive(Debug, Default)]
pub struct Ledger {
    acknowledged: Mutex<BTreeMap<String, Acknowledged>>,
    file: Option<Mutex<File>>,
}

impl Ledger {
    /// One that is kept in a file as well, every answer synced before the next is asked for: JSON lines as
    /// `maxray verify --ledger` takes them. What is in the file stays.
    ///
    /// # Panics
    /// When the file cannot be opened.
    pub fn in_file(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).expect("a file for the ledger");
        Self { acknowledged: Mutex::default(), file: Some(Mutex::new(file)) }
    }

    /// Writes down an answer, whatever it was: only a success counts as acknowledged.
    ///
    /// # Panics
    /// When the file takes no more.
    pub fn answered(&self, instance: &Synthetic, data_set: &[u8], status: u16) {
        if let Some(file) = &self.file {
            let (uid, place) = (&instance.sop_instance_uid, Acknowledged::of(instance, data_set));
            let mut file = file.lock().expect("the ledger's file");
            writeln!(file, "{}", line(uid, &place, status))
                .and_then(|()| file.sync_data())
                .expect("the ledger is written");
        }
        if status == 0 {
            self.acknowledge_synthetic(instance, data_set);
        }
    }

    /// Writes down a success.
    ///
    /// # Panics
    /// When another thread panicked while writing.
    pub fn acknowledge(&self, sop_instance_uid: &str, acknowledged: Acknowledged) {
        self.acknowledged
            .lock()
            .expect("a ledger")
            .entry(sop_instance_uid.to_owned())
            .or_insert(acknowledged);
    }

    /// Writes down a synthetic instance.
    pub fn acknowledge_synthetic(&self, instance: &Synthetic, data_set: &[u8]) {
        self.acknowledge(&instance.sop_instance_uid, Acknowledged::of(instance, data_set));
    }

    /// Adds every acknowledged instance to a file for `maxray verify --ledger`.
    ///
    /// # Panics
    /// When the file takes no more.
    pub fn append_to(&self, path: &Path) {
        let mut file =
            OpenOptions::new().create(true).append(true).open(path).expect("a file for the ledger");
        for (uid, place) in self.entries() {
            writeln!(file, "{}", line(&uid, &place, 0)).expect("the ledger is written");
        }
    }

    /// How many lines such a file has.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn count_in(path: &Path) -> usize {
        std::fs::read_to_string(path).expect("the ledger's file").lines().count()
    }

    /// Everything written down, by SOP Instance UID.
    ///
    /// # Panics
    /// As [`Self::acknowledge`].
    pub fn entries(&self) -> BTreeMap<String, Acknowledged> {
        self.acknowledged.lock().expect("a ledger").clone()
    }

    /// Number of instances.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Nothing was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Retrieves every instance and compares its data set: what is wrong, one sentence each.
    pub async fn differences(&self, session: &Session) -> Vec<String> {
        let mut differences = Vec::new();
        for (sop_instance_uid, entry) in self.entries() {
            match retrieve(session, &entry, &sop_instance_uid).await {
                Ok(file) if sha256_hex(part10::data_set(&file)) == entry.data_set_sha256 => {}
                Ok(_) => differences.push(format!("{sop_instance_uid}: other bytes than were sent")),
                Err(why) => differences.push(format!("{sop_instance_uid}: {why}")),
            }
        }
        differences
    }

    /// Fails when any acknowledged instance is missing or differs.
    ///
    /// # Panics
    /// With the first twenty of them.
    pub async fn check(&self, session: &Session, when: &str) {
        let differences = self.differences(session).await;
        let shown: Vec<&String> = differences.iter().take(20).collect();
        assert!(differences.is_empty(), "{when}: {} of {} wrong: {shown:#?}", differences.len(), self.len());
    }
}

/// WADO-RS of one instance as stored: the Part 10 file.
///
/// # Errors
/// Says what came instead.
pub async fn retrieve(
    session: &Session,
    entry: &Acknowledged,
    sop_instance_uid: &str,
) -> Result<Vec<u8>, String> {
    let Acknowledged { study_instance_uid, series_instance_uid, .. } = entry;
    let path = format!(
        "/dicomweb/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}"
    );
    let answer = session.get_as(&path, STORED_INSTANCES).await;
    let status = answer.status();
    let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_owned();
    let body = answer.bytes().await.map_err(|error| format!("{status}, then {error}"))?;
    if !status.is_success() {
        return Err(format!("{status} {}", String::from_utf8_lossy(&body)));
    }
    let mut parts = multipart::decode(&media_type, &body);
    match (parts.pop(), parts.is_empty()) {
        (Some(part), true) => Ok(part.body),
        _ => Err("not exactly one part".to_owned()),
    }
}
