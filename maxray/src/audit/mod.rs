//! `maxray audit`: checks the audit trail, and hands it to other systems.

mod export;
mod signed;
mod trail;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::settings::Settings;

pub use trail::Trail;

/// `audit ...`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Find what was changed, taken away, put in or cut off in the audit trail; works while the server runs.
    /// Exit code 0: all as written; 2: altered; 3: records are missing; 4: the witness file is missing
    Verify(VerifyOptions),
    /// Write the trail for other systems: FHIR AuditEvent, DICOM audit messages, or plain JSON; works while the server
    /// runs
    Export(export::ExportOptions),
}

/// Options of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyOptions {
    /// First record of each chain to check [default: 1]
    #[arg(long, value_name = "SEQ")]
    pub from: Option<i64>,
    /// Last record of each chain to check [default: the end]
    #[arg(long, value_name = "SEQ")]
    pub to: Option<i64>,
    /// Checkpoints to compare with, instead of those in the data directory: a copy that was kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub witness: Option<PathBuf>,
    /// Public key (base64) that this node's checkpoints must be signed by, instead of that in the data directory
    #[arg(long, value_name = "BASE64")]
    pub key: Option<String>,
}

/// How a command ended that has more to say than success and failure.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Verdict {
    /// Exit code.
    pub code: u8,
    text: String,
}

/// Runs a command.
pub async fn run(settings: Settings, command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(options) => verify::run(settings, options).await,
        AuditCommand::Export(options) => export::run(settings, options).await,
    }
}
