//! `maxray key`, `maxray erase`, `maxray deletion` and `maxray hold`: the encryption keys, what goes, and what stays.

mod deletion;
mod erase;
mod hold;
mod rotate;
mod status;

use anyhow::{Context, bail};
use archive::Archive;
use clap::{Args, Subcommand};
use database::{AuditActor, Database};
use model::clock::Clock;
use uuid::Uuid;

use crate::{home, settings::Settings};

pub use deletion::{DeletionCommand, deletion};
pub use erase::erase;
pub use hold::hold;

/// `key ...`
#[derive(Debug, Subcommand)]
pub enum EncryptionKeyCommand {
    /// Say which root key is in use, how many keys there are, and which work on them is open
    Status,
    /// Change keys: the root key, one patient's, or every patient's; can be stopped and goes on by itself
    Rotate(RotateOptions),
}

/// Options of `key rotate`.
#[derive(Debug, Args)]
#[group(skip)]
pub struct RotateOptions {
    /// Make a new root key and wrap every patient key by it; objects are not touched
    #[arg(long, group = "what", required_unless_present_any = ["patient", "all_patients"])]
    pub root: bool,
    /// Give this patient (Patient ID) a new key and encrypt everything of the patient anew
    #[arg(long, group = "what", value_name = "PATIENT_ID")]
    pub patient: Option<String>,
    /// Only the patient of this issuer (Issuer of Patient ID)
    #[arg(long, requires = "patient")]
    pub issuer: Option<String>,
    /// Do the same for every patient, one after the other
    #[arg(long, group = "what")]
    pub all_patients: bool,
}

/// `erase ...`
#[derive(Debug, Subcommand)]
pub enum EraseCommand {
    /// Erase a patient: rows, encryption keys and objects. There is no way back
    Patient(ErasePatientOptions),
}

/// Options of `erase patient`.
#[derive(Debug, Args)]
pub struct ErasePatientOptions {
    /// Patient ID (0010,0020)
    pub patient_id: String,
    /// Only the patient of this issuer (Issuer of Patient ID)
    #[arg(long)]
    pub issuer: Option<String>,
    /// Why; goes into the audit trail, so name nobody
    #[arg(long)]
    pub reason: String,
    /// Which of several patient records with this Patient ID
    #[arg(long, value_name = "ID")]
    pub record: Option<Uuid>,
    /// Consultations under this Patient ID whose name of the patient is written in another way go, too, and grants and emergency
    /// accesses that may mean another patient record; without it the receipt lists them
    #[arg(long)]
    pub any_name: bool,
    /// Erase every patient record with this Patient ID
    #[arg(long, conflicts_with = "record")]
    pub all_records: bool,
}

/// `hold ...`
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Keep a patient from being erased
    Add {
        /// Patient ID (0010,0020)
        patient_id: String,
        /// Only the patient of this issuer (Issuer of Patient ID)
        #[arg(long)]
        issuer: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// List the holds
    List,
    /// Take a hold back
    Remove {
        /// Its id, as `hold list` shows it
        id: Uuid,
    },
}

/// `maxray key ...`.
pub async fn key(settings: Settings, command: EncryptionKeyCommand) -> anyhow::Result<()> {
    match command {
        EncryptionKeyCommand::Status => status::status(settings).await,
        EncryptionKeyCommand::Rotate(options) => Box::pin(rotate::rotate(settings, options)).await,
    }
}

fn operator() -> AuditActor {
    AuditActor { role: "operator".into(), ..AuditActor::default() }
}

/// The archive: owned when no server works on the data directory, beside it otherwise. True when owned.
async fn open(settings: &Settings) -> anyhow::Result<(Archive, Option<home::Lock>)> {
    let (clock, directory) = (Clock::system(), home::existing(settings).await?);
    Ok(match home::lock(&directory)? {
        Some(lock) => (home::open_archive(settings, &directory, &clock).await?, Some(lock)),
        None => (home::attach_archive(settings, &directory, &clock).await?, None),
    })
}

/// Ends what was opened; unused spare keys go when nobody else uses the store.
async fn close(archive: Archive, owned: bool) -> anyhow::Result<()> {
    if owned {
        archive.storage().keys().discard_spares().await?;
    }
    archive.database().close().await;
    Ok(())
}

/// The patient records with a Patient ID; an error when there is none.
async fn records(
    database: &Database,
    patient_id: &str,
    issuer: Option<&str>,
) -> anyhow::Result<Vec<database::PatientFound>> {
    let found = database
        .patients_by_patient_id(patient_id, issuer)
        .await
        .context("the patient cannot be looked up")?;
    if found.is_empty() {
        bail!(
            "there is no patient with this Patient ID{}",
            if issuer.is_some() { " and issuer" } else { "" }
        );
    }
    Ok(found)
}
