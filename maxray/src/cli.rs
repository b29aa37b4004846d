//! The command line.

pub mod ae;
pub mod dicom_client;
pub mod forward;
pub mod grant;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use uuid::Uuid;

use crate::roles::Role;

/// Receives X-rays over DICOM and DICOMweb, keeps them safely, and shows them to doctors in consultations.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "With nothing configured MaxRay keeps everything under ./maxray-data (SQLite, a directory) and \
                  listens on this machine only.\n\n\
                  First steps:\n  \
                  maxray demo                 see it work with built-in X-rays\n  \
                  maxray serve                start it; the first start prints an admin password\n  \
                  storescu -aec MAXRAY 127.0.0.1 11112 image.dcm    send an X-ray with DCMTK\n  \
                  maxray config check         show every setting as it is in effect\n\n\
                  Settings: maxray.toml in the working directory, or --config FILE (MAXRAY_CONFIG); every key can \
                  be overridden as MAXRAY_SECTION__KEY, as in MAXRAY_HTTP__LISTEN=127.0.0.1:9000."
)]
pub struct Arguments {
    /// Configuration file [default: maxray.toml in the working directory, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "MAXRAY_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server: DICOM, DICOMweb and REST
    #[command(
        after_help = "Several nodes over one PostgreSQL are one archive, whichever of them is asked. Each does everything, \
                            unless --roles (or roles in the settings) shares it out:\n  \
                            maxray serve --roles pacs\n  \
                            maxray serve --roles dicomweb,doctor-api\n  \
                            maxray serve --roles worker\n\n\
                            Without PostgreSQL one process does it all."
    )]
    Serve {
        /// Do only this, beside other nodes
        #[arg(long, value_name = "ROLE", value_delimiter = ',')]
        roles: Vec<Role>,
    },
    /// Ask a running server whether it can serve: exit code 0 when it can, 1 when not; for health checks of containers
    Health(crate::health::HealthOptions),
    /// Start a throw-away server, fill it with synthetic X-rays and a consultation, print links and curl lines
    Demo(DemoOptions),
    /// Store every DICOM file below a directory, as of a patient CD, or one file; can be stopped and run again
    Import(ImportOptions),
    /// Check everything that must hold of the archive, beside a running server or without one; changes nothing
    Verify(crate::verify::VerifyOptions),
    /// Make the index of the archive again from its objects, when the database is lost or wrong
    Reindex(crate::reindex::ReindexOptions),
    /// Bring the schema of the database up to date, or say what there is to do
    Migrate(crate::migrate::MigrateOptions),
    /// Manage the accounts that sign in over HTTP
    #[command(subcommand)]
    User(UserCommand),
    /// Manage service accounts: programs that prove a secret
    #[command(subcommand)]
    Client(ClientCommand),
    /// Manage keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Manage what viewers and doctors may read beyond what is theirs
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    /// Manage the DICOM application entities that may send, query and retrieve from other machines
    #[command(subcommand)]
    Ae(ae::AeCommand),
    /// Manage what is sent on to other archives by itself: rules, and what waits or was given up
    #[command(subcommand)]
    Forward(forward::ForwardCommand),
    /// Ask another DICOM application entity whether it answers (C-ECHO)
    Echo(dicom_client::EchoOptions),
    /// Send DICOM files to another application entity (C-STORE), each as it lies in its file
    Send(dicom_client::SendOptions),
    /// Ask another application entity which studies, series or instances it has (C-FIND)
    Query(dicom_client::QueryOptions),
    /// Certificates for encrypted connections
    #[command(subcommand)]
    Tls(TlsCommand),
    /// Check or export the audit trail
    #[command(subcommand)]
    Audit(crate::audit::AuditCommand),
    /// Erase what is kept of somebody, for good; works while the server runs
    #[command(subcommand)]
    Erase(crate::keys::EraseCommand),
    /// List and restore studies, series and instances that were deleted
    #[command(subcommand)]
    Deletion(crate::keys::DeletionCommand),
    /// Keep a patient from being erased or deleted from (legal hold)
    #[command(subcommand)]
    Hold(crate::keys::HoldCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Decode pixels for the server (started by it, not by people)
    #[command(hide = true)]
    Decoder {
        #[arg(long)]
        memory_max_bytes: u64,
        #[arg(long)]
        processor_max_seconds: u64,
        /// Try to get out of the sandbox and tell what could be reached
        #[arg(long)]
        probe: bool,
    },
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoOptions {
    /// Keep the data here instead of in a temporary directory that is removed at the end
    #[arg(long, value_name = "DIRECTORY")]
    pub keep: Option<PathBuf>,
    /// Stop after printing instead of serving on
    #[arg(long)]
    pub exit: bool,
}

/// Options of `import`.
#[derive(Debug, Args)]
pub struct ImportOptions {
    /// Directory to read, with everything below it, or a single file
    #[arg(value_name = "PATH")]
    pub source: PathBuf,
    /// Files at once [default: twice the cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Read files again that an earlier import of the same path stored
    #[arg(long)]
    pub again: bool,
}

/// `user ...`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account; works while the server runs
    Add(UserAddOptions),
    /// List accounts: name, kind, role, state, id
    List,
    /// Refuse an account and all its tokens
    Deactivate {
        /// Its name
        username: String,
    },
    /// Let an account sign in again
    Activate {
        /// Its name
        username: String,
    },
    /// Set a new password; ends the account's sessions
    Password(PasswordOptions),
    /// Change what an account may do; ends its sessions
    Role {
        /// Its name
        username: String,
        /// admin, doctor, paramedic, viewer, service
        role: model::access::Role,
        /// The doctor this account belongs to; needed with the role doctor
        #[arg(long, value_name = "ID", required_if_eq("role", "doctor"))]
        doctor_id: Option<Uuid>,
    },
    /// List where an account is signed in, devices included
    Sessions {
        /// Its name
        username: String,
    },
    /// End every session of an account; it may sign in again
    Revoke {
        /// Its name
        username: String,
    },
}

/// Options of `user password`.
#[derive(Debug, Args)]
pub struct PasswordOptions {
    /// Name of the account
    pub username: String,
    /// Read the password from standard input instead of making and printing one
    #[arg(long)]
    pub password_stdin: bool,
}

/// `client ...`
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Make a service account and print its id and secret, once
    Add {
        /// What people call it
        name: String,
        /// service (stores instances, books consultations) or viewer (sees what it is granted)
        #[arg(long)]
        role: model::access::Role,
    },
    /// Give a service account a new secret; the old one and its tokens are refused
    Secret {
        /// Its name
        name: String,
    },
}

/// `key ...`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Status and rotation of the encryption keys
    #[command(flatten)]
    Encryption(crate::keys::EncryptionKeyCommand),
    /// Sign access tokens with a new key; older tokens stay good until they end
    RotateSigning {
        /// Refuse every older token at once: the old key may have leaked
        #[arg(long)]
        drop_old: bool,
    },
}

/// Options of `user add`.
#[derive(Debug, Args)]
pub struct UserAddOptions {
    /// Name to sign in with
    #[arg(long)]
    pub username: String,
    /// admin (manages, reads no images), doctor (own consultations), paramedic (sends X-rays, sees own cases), viewer
    /// (reads what `maxray grant` gives it), service (stores and reads every study)
    #[arg(long)]
    pub role: model::access::Role,
    /// The doctor this account belongs to; needed with --role doctor
    #[arg(long, value_name = "ID", required_if_eq("role", "doctor"))]
    pub doctor_id: Option<Uuid>,
    /// Read the password from standard input instead of making and printing one
    #[arg(long)]
    pub password_stdin: bool,
}

/// `tls ...`
#[derive(Debug, Subcommand)]
pub enum TlsCommand {
    /// Make a key and a certificate that nobody has signed, to try TLS with; print the settings
    SelfSigned(SelfSignedOptions),
}

/// Options of `tls self-signed`.
#[derive(Debug, Args)]
pub struct SelfSignedOptions {
    /// DNS name or address that peers reach this machine at; can be given several times
    #[arg(long, required = true, value_name = "NAME")]
    pub host: Vec<String>,
    /// Where to write certificate.pem and key.pem
    #[arg(long, value_name = "DIRECTORY", default_value = "tls")]
    pub directory: PathBuf,
}

/// `config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration as the server would and print it, secrets hidden. Exit code 1: it would not start with it
    Check,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
