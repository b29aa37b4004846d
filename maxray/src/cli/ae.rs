//! The command line of `maxray ae`.

use clap::{Args, Subcommand};
use model::{
    AeTitle, SopClassUid, TransferSyntaxUid,
    ae::{AeOperation, Network},
};

/// `ae ...`
#[derive(Debug, Subcommand)]
pub enum AeCommand {
    /// Let an application entity associate from an address
    Add {
        /// Its AE title
        title: AeTitle,
        /// Addresses and networks (CIDR) it calls from, as in 192.0.2.17 or 192.0.2.0/24
        #[arg(required = true)]
        addresses: Vec<Network>,
        #[command(flatten)]
        options: AeOptions,
    },
    /// Change what an application entity is registered with; what is not named stays
    Set {
        /// Its AE title
        title: AeTitle,
        /// Addresses and networks (CIDR) in place of those that are registered
        addresses: Vec<Network>,
        #[command(flatten)]
        options: AeOptions,
    },
    /// Show one registration
    Show {
        /// Its AE title
        title: AeTitle,
    },
    /// List the registered application entities
    List,
    /// Refuse an application entity from now on
    Remove {
        /// Its AE title
        title: AeTitle,
    },
}

/// What an application entity is registered with.
#[derive(Debug, Default, Args)]
pub struct AeOptions {
    /// The certificate it has to show: a PEM file, sha256:DIGEST of its public key, dns:NAME or ip:ADDRESS
    #[arg(long, value_name = "CERTIFICATE")]
    pub certificate: Option<String>,
    /// It has no certificate
    #[arg(long, conflicts_with = "certificate")]
    pub no_certificate: bool,
    /// What it may do: store, find, move, get, commit, worklist, mpps; echo it always may; can be given several times [default: echo store]
    #[arg(long, value_name = "OPERATION")]
    pub operation: Vec<AeOperation>,
    /// AE title it may call us by; can be given several times
    #[arg(long, value_name = "TITLE")]
    pub called_title: Vec<AeTitle>,
    /// It may call us by whatever the door takes
    #[arg(long, conflicts_with = "called_title")]
    pub any_called_title: bool,
    /// SOP class it may send; can be given several times
    #[arg(long, value_name = "UID")]
    pub sop_class: Vec<SopClassUid>,
    /// It may send every storage class
    #[arg(long, conflicts_with = "sop_class")]
    pub any_sop_class: bool,
    /// Transfer syntax it may send in; can be given several times
    #[arg(long, value_name = "UID")]
    pub transfer_syntax: Vec<TransferSyntaxUid>,
    /// It may send in every transfer syntax
    #[arg(long, conflicts_with = "transfer_syntax")]
    pub any_transfer_syntax: bool,
    /// Account as which it queries and retrieves: it sees what that account may read, as `maxray grant` says
    #[arg(long, value_name = "USERNAME")]
    pub reads_as: Option<String>,
    /// It sees every study when it may query or retrieve; so does one that is registered without an account
    #[arg(long, conflicts_with = "reads_as")]
    pub reads_everything: bool,
    /// Whether it sees of the worklist what is scheduled for its own AE title alone
    #[arg(long, value_name = "true|false")]
    pub own_worklist: Option<bool>,
    /// Whether it is told, at --call-host and --call-port, when the instances of a study are available
    #[arg(long, value_name = "true|false")]
    pub notify_availability: Option<bool>,
    /// Associations at once; 0: as many as the door gives to any
    #[arg(long, value_name = "N")]
    pub associations_max: Option<u32>,
    /// Whether it may associate
    #[arg(long, value_name = "true|false")]
    pub enabled: Option<bool>,
    /// Where it stands, for people
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Host it is called at, as the destination of C-MOVE and of `maxray send`, and to hear what was committed to
    #[arg(long, value_name = "HOST")]
    pub call_host: Option<String>,
    /// Port it is called at
    #[arg(long, value_name = "PORT")]
    pub call_port: Option<u16>,
    /// Whether it is called by TLS; it has to show its registered certificate then, or one for --call-host
    #[arg(long, value_name = "true|false")]
    pub call_tls: Option<bool>,
}
