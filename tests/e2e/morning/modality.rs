//! A modality: a study every now and then, each over an association of its own.

use std::{sync::Arc, time::Duration};

use tests::{
    digest::sha256_hex,
    ledger::Acknowledged,
    scu::{Association, Proposal},
    synthetic::{Synthetic, new_uid},
};

use super::Morning;

/// Instances of a study, but for the last one.
const STUDY_INSTANCES: u64 = 4;
/// AE titles that a modality calls by, and those that it calls.
const TITLES: u64 = 4;
/// What comes before the pixels is shorter.
const HEADER_BYTES: usize = 4096;
/// Bytes of a counter that makes the pixels of each instance differ.
const COUNTER_BYTES: usize = 8;

/// One machine, and what it will send.
#[derive(Debug)]
pub struct Modality {
    /// From 0 to 99.
    pub number: u64,
    /// How many instances.
    pub instances: u64,
    /// What they look like.
    pub templates: Arc<Templates>,
}

/// A small image, a CR and a radiograph, made once: making pixels costs more than sending them.
#[derive(Debug)]
pub struct Templates([Template; 3]);

/// A data set with room for other identifiers.
#[derive(Debug)]
struct Template {
    instance: Synthetic,
    data_set: Vec<u8>,
}

impl Templates {
    /// Radiographs have so many rows and columns.
    pub fn new(radiograph: (u16, u16)) -> Self {
        Self([(64, 64), (512, 512), radiograph].map(|(rows, columns)| Template::new(rows, columns)))
    }
}

impl Modality {
    /// Sends everything, spread over the time that the morning lasts: the bytes that were acknowledged.
    ///
    /// # Panics
    /// When an association is refused or breaks, or a status is a failure.
    pub fn work(&self, morning: &Morning) -> u64 {
        let (mut sent, mut bytes) = (0, 0);
        let studies = self.instances.div_ceil(STUDY_INSTANCES).max(1);
        for study in 0..studies {
            // Machines do not begin all at once.
            let part = (study as f64 + self.number as f64 / 24.0) / studies as f64;
            let due = morning.begins + Duration::from_secs_f64(morning.lasts.as_secs_f64() * part);
            std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
            let count = STUDY_INSTANCES.min(self.instances - sent);
            bytes += self.send_study(morning, study, sent, count);
            sent += count;
        }
        bytes
    }

    fn send_study(&self, morning: &Morning, study: u64, first: u64, count: u64) -> u64 {
        let calling = format!("MOD{}_{}", self.number, study % TITLES);
        let called = format!("ARCHIVE{}", study / TITLES % TITLES);
        let templates = &self.templates.0;
        let proposal = templates[0].proposal();
        let proposals = std::slice::from_ref(&proposal);
        let mut association = Association::request_as(&calling, morning.server, &called, proposals)
            .unwrap_or_else(|error| panic!("{calling} to {called}: {error:?}"));
        let patient_id = patient_id(self.number);
        let (study_uid, series_uid) = (fixed_uid(), fixed_uid());
        let mut bytes = 0;
        for number in first..first + count {
            // Half of what a hospital sends is middling, one in ten a radiograph.
            let template = &templates[match number % 10 {
                0 => 2,
                1..=5 => 1,
                _ => 0,
            }];
            let sop_instance_uid = fixed_uid();
            let data_set =
                template.data_set([&patient_id, &study_uid, &series_uid, &sop_instance_uid], number);
            let status = association.store(&proposal, &sop_instance_uid, &data_set);
            assert!(matches!(status, Ok(0)), "{calling}: {sop_instance_uid}: {status:?}");
            bytes += data_set.len() as u64;
            let place = Acknowledged {
                study_instance_uid: study_uid.clone(),
                series_instance_uid: series_uid.clone(),
                data_set_sha256: sha256_hex(&data_set),
            };
            morning.ledger.acknowledge(&sop_instance_uid, place);
        }
        association.release().unwrap_or_else(|error| panic!("{calling}: {error:?}"));
        bytes
    }
}

impl Template {
    fn new(rows: u16, columns: u16) -> Self {
        let instance = Synthetic {
            study_instance_uid: fixed_uid(),
            series_instance_uid: fixed_uid(),
            sop_instance_uid: fixed_uid(),
            ..Synthetic::cr(&patient_id(0), rows, columns)
        };
        let data_set = instance.data_set();
        Self { instance, data_set }
    }

    fn proposal(&self) -> Proposal {
        Proposal::new(&self.instance.sop_class_uid, &self.instance.transfer_syntax_uid)
    }

    /// With a Patient ID and UIDs of study, series and instance, each as long as that of the template.
    fn data_set(&self, identifiers: [&str; 4], number: u64) -> Vec<u8> {
        let Synthetic { patient_id, study_instance_uid, series_instance_uid, sop_instance_uid, .. } =
            &self.instance;
        let mut bytes = self.data_set.clone();
        let header = bytes.len().min(HEADER_BYTES);
        for (old, new) in [patient_id, study_instance_uid, series_instance_uid, sop_instance_uid]
            .into_iter()
            .zip(identifiers)
        {
            let places: Vec<usize> = memchr::memmem::find_iter(&bytes[..header], old.as_bytes()).collect();
            assert!(!places.is_empty() && old.len() == new.len(), "{old} becomes {new}");
            for at in places {
                bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
            }
        }
        let pixels_end = bytes.len() - COUNTER_BYTES;
        // Of 12-bit samples: four bits in each byte that is the lower one.
        for (index, byte) in bytes[pixels_end..].iter_mut().enumerate() {
            *byte = if index % 2 == 0 { (number >> (4 * index)) as u8 } else { 0 };
        }
        bytes
    }
}

/// The patient whom a machine makes images of.
pub fn patient_id(number: u64) -> String {
    format!("MORNING-{number:02}")
}

/// A UID whose length is always the same.
pub fn fixed_uid() -> String {
    format!("{:0<60}", format!("{}.1", new_uid()))
}
