//! `maxray deletion`: what was deleted over DICOMweb or REST, and the way back.

use clap::Subcommand;
use uuid::Uuid;

use super::{close, open, operator};
use crate::settings::Settings;

/// Deletions listed.
const LISTED_MAX: u32 = 1000;

/// `deletion ...`
#[derive(Debug, Subcommand)]
pub enum DeletionCommand {
    /// List what was deleted, newest first: id, state, until when it can be restored, instances, what
    List,
    /// Give back what was deleted, until its grace period ends (archive.delete_grace_ms)
    Restore {
        /// The id, as `deletion list` and the answer to the deletion show it
        id: Uuid,
    },
}

/// `maxray deletion ...`.
pub async fn deletion(settings: Settings, command: DeletionCommand) -> anyhow::Result<()> {
    let (archive, lock) = open(&settings).await?;
    match command {
        DeletionCommand::List => {
            for found in archive.database().deletions(LISTED_MAX).await? {
                let until = found.purge_after.map(|at| at.to_rfc3339()).unwrap_or_default();
                let what = [found.study_instance_uid, found.series_instance_uid, found.sop_instance_uid];
                let what: Vec<_> = what.into_iter().filter(|uid| !uid.is_empty()).collect();
                println!("{}\t{}\t{until}\t{}\t{}", found.id, found.state, found.instances, what.join("/"));
            }
        }
        DeletionCommand::Restore { id } => {
            let restored = archive.restore(id, &operator()).await.map_err(explain)?;
            println!(
                "{} instances are there again; {} had come again meanwhile, {} are hidden beside another content; \
                 {} links to consultations",
                restored.stored, restored.duplicates, restored.conflicts, restored.links
            );
        }
    }
    close(archive, lock.is_some()).await
}

fn explain(error: archive::ReindexError) -> anyhow::Error {
    use archive::ReindexError;
    use database::DatabaseError;
    match error {
        ReindexError::Database(DatabaseError::NotFound) => {
            anyhow::anyhow!("there is no such deletion: see maxray deletion list")
        }
        ReindexError::Database(DatabaseError::Conflict(why)) => anyhow::anyhow!(why),
        error => anyhow::Error::from(error)
            .context("not everything is restored; what is left stays, and the command can be given again"),
    }
}
