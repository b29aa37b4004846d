//! The audit trail of a running server: that it started and stopped, with which settings, and the checkpoints.

use std::{fmt::Write as _, path::Path};

use archive::Archive;
use database::{AuditActor, AuditRecord, Database, Encoder};
use model::{clock::Clock, text::hex};
use service::shutdown::Shutdown;
use worker::audit_checkpoints::Checkpointer;

use crate::settings::Settings;

/// Keeps the trail of one run of the server; cheap to clone.
#[derive(Clone)]
pub struct Trail {
    database: Database,
    checkpointer: Checkpointer,
}

impl Trail {
    /// Records the start with the configuration in effect: a server whose trail cannot be written does not start.
    pub async fn begin(
        settings: &Settings,
        archive: &Archive,
        directory: &Path,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let database = archive.database().clone();
        let checkpointer =
            Checkpointer::open(database.clone(), directory, settings.audit.clone(), clock.clone()).await?;
        let configuration = configuration(settings)?;
        let record = AuditRecord::success(&server(), "start_server")
            .about(env!("CARGO_PKG_VERSION"))
            .saying(configuration);
        database.audit(record).await?;
        checkpointer.sign().await?;
        Ok(Self { database, checkpointer })
    }

    /// Makes checkpoints until the shutdown begins.
    pub async fn keep(self, shutdown: Shutdown) -> anyhow::Result<()> {
        self.checkpointer.run(shutdown).await;
        Ok(())
    }

    /// Records the end, as the last thing before the database closes.
    pub async fn end(&self) {
        let recorded = self.database.audit(AuditRecord::success(&server(), "stop_server")).await;
        let signed = self.checkpointer.sign().await;
        if let Err(error) = recorded.map_err(anyhow::Error::from).and(signed.map_err(Into::into)) {
            tracing::error!(%error, "the end of the run is missing in the audit trail");
        }
    }
}

fn server() -> AuditActor {
    AuditActor { role: "server".to_owned(), ..AuditActor::default() }
}

/// SHA-256 of the settings as `maxray config check` shows them, and which sections are not the defaults.
fn configuration(settings: &Settings) -> anyhow::Result<String> {
    let mut encoder = Encoder::new("MaxRay configuration 1");
    encoder.text(&service::config::show(settings)?);
    let mut text = format!("configuration {}", hex(&encoder.finish()));
    let (ours, defaults) = (toml::Table::try_from(settings)?, toml::Table::try_from(Settings::default())?);
    let changed: Vec<&str> = ours
        .iter()
        .filter(|(key, value)| defaults.get(*key) != Some(value))
        .map(|(key, _)| key.as_str())
        .collect();
    if !changed.is_empty() {
        write!(text, "; changed: {}", changed.join(", "))?;
    }
    Ok(text)
}
