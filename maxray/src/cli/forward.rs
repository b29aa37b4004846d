//! The command line of `maxray forward`.

use clap::{Args, Subcommand};
use model::{
    AeTitle,
    forward::{ForwardPriority, ForwardState},
};
use uuid::Uuid;

/// `forward ...`
#[derive(Debug, Subcommand)]
pub enum ForwardCommand {
    /// Make a rule: whatever is stored from now on and fits it is sent to a registered application entity
    #[command(after_help = "The destination has to be registered with where it is called:\n  \
                      maxray ae add CENTRAL 192.0.2.9 --call-host central.example.org --call-port 104\n  \
                      maxray forward add all-to-central CENTRAL\n  \
                      maxray forward add chests CENTRAL --where Modality=CR,DX --where 'BodyPartExamined=CHEST*'\n\n\
                      What cannot be sent is tried again for a week, longer and longer apart; what a destination refuses three \
                      times is given up: maxray forward queue --state dead, maxray forward retry.")]
    Add {
        /// Name of the rule
        name: String,
        /// AE title of whom it is sent to
        destination: AeTitle,
        #[command(flatten)]
        options: ForwardOptions,
    },
    /// List the rules
    List,
    /// Let a rule count, or not
    Set {
        /// Name of the rule
        name: String,
        /// Whether it counts
        #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
        enabled: bool,
    },
    /// Remove a rule, and what waits by it
    Remove {
        /// Name of the rule
        name: String,
    },
    /// List what is on its way, the newest first
    Queue {
        /// Only those that are pending, sent or dead
        #[arg(long)]
        state: Option<ForwardState>,
        /// Most lines
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Send again what was given up
    Retry {
        /// One of them, by the id that the queue shows; all of them when left out
        id: Option<Uuid>,
    },
}

/// Of what a rule holds.
#[derive(Debug, Default, Args)]
pub struct ForwardOptions {
    /// AE title of whom it came from over DICOM; can be given several times
    #[arg(long, value_name = "TITLE")]
    pub from: Vec<AeTitle>,
    /// Attribute that it has, as in a query: Modality=CR,DX, StationName=ROOM*, StudyDate=20270101-; can be given several times
    #[arg(long = "where", value_name = "KEYWORD=VALUE")]
    pub attributes: Vec<String>,
    /// What goes first of what waits: low, medium, high
    #[arg(long, default_value_t, value_name = "PRIORITY")]
    pub priority: ForwardPriority,
}
