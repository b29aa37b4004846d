//! The command line of `maxray grant`.

use clap::{Args, Subcommand};
use uuid::Uuid;

/// `grant ...`
#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// Let an account read a study, a patient's studies, or everything; works while the server runs
    Add(GrantAddOptions),
    /// List the grants that were not taken back
    List {
        /// Of one account
        #[arg(long)]
        username: Option<String>,
    },
    /// Take a grant back, at once
    Remove {
        /// Its id, as `grant list` shows it
        id: Uuid,
    },
}

/// Options of `grant add`.
#[derive(Debug, Args)]
pub struct GrantAddOptions {
    /// The account: a viewer's, or a doctor's for a study or a patient
    #[arg(long)]
    pub username: String,
    #[command(flatten)]
    pub what: GrantWhat,
    /// Issuer of Patient ID, with --patient; without it any
    #[arg(long, value_name = "ISSUER", requires = "patient")]
    pub issuer: Option<String>,
    /// Hours after which it ends by itself; never, when left out
    #[arg(long, value_name = "HOURS")]
    pub hours: Option<u32>,
}

/// One of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct GrantWhat {
    /// A study by its UID; it may come later
    #[arg(long, value_name = "UID")]
    pub study: Option<String>,
    /// Every study of a patient
    #[arg(long, value_name = "PATIENT_ID")]
    pub patient: Option<String>,
    /// Every study, also those to come
    #[arg(long)]
    pub everything: bool,
}
