//! `maxray erase patient`: prints a receipt, one JSON object a patient record.

use anyhow::bail;
use database::{DatabaseError, Erased, Erasure};

use super::{EraseCommand, ErasePatientOptions, close, open, operator, records};
use crate::settings::Settings;

/// `maxray erase ...`.
pub async fn erase(settings: Settings, command: EraseCommand) -> anyhow::Result<()> {
    let EraseCommand::Patient(options) = command;
    if options.reason.trim().is_empty() {
        bail!("--reason is empty");
    }
    let (archive, lock) = open(&settings).await?;
    let found =
        chosen(records(archive.database(), &options.patient_id, options.issuer.as_deref()).await?, &options)?;
    let erasure = Erasure { reason: &options.reason, any_name: options.any_name };
    for patient in found {
        let erased = archive.erase_patient(patient.id, erasure, &operator()).await.map_err(explain)?;
        println!("{:#}", receipt(&erased, &options.reason));
    }
    close(archive, lock.is_some()).await
}

fn chosen(
    found: Vec<database::PatientFound>,
    options: &ErasePatientOptions,
) -> anyhow::Result<Vec<database::PatientFound>> {
    if let Some(record) = options.record {
        let one: Vec<_> = found.into_iter().filter(|patient| patient.id == record).collect();
        if one.is_empty() {
            bail!("no patient record with this Patient ID has the id {record}");
        }
        return Ok(one);
    }
    if found.len() > 1 && !options.all_records {
        let list: Vec<String> = found
            .iter()
            .map(|patient| {
                let issuer = &patient.issuer_of_patient_id;
                format!("  --record {}   issuer \"{issuer}\", {} studies", patient.id, patient.studies)
            })
            .collect();
        bail!(
            "several patient records have this Patient ID; choose one, or say --all-records:\n{}",
            list.join("\n")
        );
    }
    Ok(found)
}

fn explain(error: archive::StoreError) -> anyhow::Error {
    match error {
        archive::StoreError::Database(DatabaseError::Conflict(why)) => {
            anyhow::anyhow!("{why}: see maxray hold list")
        }
        error => anyhow::Error::from(error)
            .context("the erasure is not finished; the running server or the next start goes on with it"),
    }
}

fn receipt(erased: &Erased, reason: &str) -> serde_json::Value {
    serde_json::json!({
        "erased": "patient",
        "record": erased.patient,
        "at": erased.at,
        "reason": reason,
        "studies": erased.studies,
        "instances": erased.instances,
        "consultations_without_name": erased.consultations,
        "consultations_left_for_another_name": erased.consultations_left,
        "worklist_items_left_for_another_name": erased.worklist_items_left,
        "grants_left_for_another_patient": erased.grants_left,
        "emergency_accesses_left_for_another_patient": erased.emergency_accesses_left,
        "objects_removed": erased.objects.len(),
        "keys_destroyed": erased.keys,
    })
}
