//! The command lines of `maxray echo`, `maxray send` and `maxray query`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use model::AeTitle;
use pacs::find_scu::QueryLevel;

/// Who is called.
#[derive(Debug, Args)]
pub struct Peer {
    /// An AE title that `maxray ae` knows a host and port of, or TITLE@HOST:PORT
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// AE title to call by [default: pacs.ae_title]
    #[arg(long, value_name = "TITLE")]
    pub calling: Option<AeTitle>,
    /// Call TITLE@HOST:PORT by TLS: it has to show a certificate for HOST that pacs.call.tls.ca_file signs for
    #[arg(long)]
    pub tls: bool,
}

/// Options of `echo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    maxray echo MAXRAY@127.0.0.1:11112    this server\n  \
    maxray ae set PACS --call-host 192.0.2.7 --call-port 104 && maxray echo PACS\n\n\
    A rejection names its reason: \"reason 3\" is a calling AE title that the other side does not know, \
    \"reason 7\" a called one. Register us there, or say --calling.")]
pub struct EchoOptions {
    #[command(flatten)]
    pub peer: Peer,
}

/// Options of `send`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    maxray send PACS@192.0.2.7:104 image.dcm\n  \
    maxray send WORKSTATION ./studies      everything below a directory\n\n\
    Data sets are sent in the transfer syntax that they are in, and nothing is converted: what the other side does not \
    take is named at the end, and the exit code is 1.")]
pub struct SendOptions {
    #[command(flatten)]
    pub peer: Peer,
    /// Files, and directories with everything below them
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// Options of `query`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    maxray query PACS@192.0.2.7:104                                  every study\n  \
    maxray query PACS -k PatientName='DOE*' -k StudyDate=20260101-   wildcards and ranges\n  \
    maxray query PACS --level series -k StudyInstanceUID=1.2.3 -k Modality -k SeriesDescription\n\n\
    A key without a value is shown, one with a value has to match as well (PS3.4 C.2.2.2). Series need the \
    StudyInstanceUID, instances the SeriesInstanceUID too.")]
pub struct QueryOptions {
    #[command(flatten)]
    pub peer: Peer,
    /// What to look for
    #[arg(long, value_enum, default_value_t = LevelName::Study)]
    pub level: LevelName,
    /// A key, by keyword or tag: PatientName='DOE*', StudyDate, 00080050=A1; can be given several times
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub key: Vec<String>,
    /// Cancel after so many answers
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Print each answer as a line of DICOM JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Levels of the Study Root model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LevelName {
    /// Studies
    Study,
    /// Series of a study
    Series,
    /// Instances of a series
    Instance,
}

impl From<LevelName> for QueryLevel {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Study => Self::Study,
            LevelName::Series => Self::Series,
            LevelName::Instance => Self::Image,
        }
    }
}
