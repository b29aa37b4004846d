//! `maxray reindex`: makes the index again from the objects, when the database is lost or wrong.
//!
//! Objects are taken in the order of their names, which is the order in which they came: of two contents under one SOP
//! Instance UID the first is current again. What was deleted and can be restored is left out. Names are kept in memory
//! (16 bytes each), nothing else is.

use std::{collections::HashSet, path::Path};

use anyhow::{Context as _, bail};
use archive::{Archive, ReindexError, StorageError};
use clap::Args;
use database::{AuditActor, NewInstance, StoreOutcome};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use model::clock::Clock;
use object_storage::ObjectKey;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{home, settings::Settings};

/// Options of `reindex`.
#[derive(Debug, Args)]
pub struct ReindexOptions {
    /// Another database than the configured one: a postgres:// URL or the path of a SQLite file
    #[arg(long, value_name = "URL|PATH")]
    pub into: Option<String>,
    /// Remove the index that is there first; accounts, consultations and the audit trail stay
    #[arg(long)]
    pub replace_index: bool,
    /// Leave the index that is there, and add what the database does not know: after an older one was put back
    #[arg(long, conflicts_with = "replace_index")]
    pub missing: bool,
}

/// Instances that wait for the database together.
const WAITING_MAX: usize = 64;
/// What to do about objects that could not be indexed.
const TRY_AGAIN: &str = "Put back what is missing or damaged, objects or keys, from a backup and run maxray reindex --missing; \
    until one ends well a server removes no object for want of a row";
/// Objects named that could not be indexed.
const EXAMPLES_MAX: usize = 20;

#[derive(Default)]
struct Summary {
    stored: u64,
    conflicts: u64,
    duplicates: u64,
    other: u64,
    destroyed: u64,
    failed: Vec<String>,
}

type Indexed = (ObjectKey, String, Result<StoreOutcome, ReindexError>);

/// Makes the index again and says what became of the objects.
pub async fn run(mut settings: Settings, options: ReindexOptions) -> anyhow::Result<()> {
    if let Some(into) = &options.into {
        settings.database.url = database_url(into)?;
    }
    home::check_owner(&settings.data_directory)?;
    let directory = home::prepare_directory(&settings.data_directory)?;
    let Some(_lock) = home::lock(&directory)? else {
        bail!("a server works on {}: stop it first", directory.display());
    };
    let archive = home::open_archive(&settings, &directory, &Clock::system()).await?;
    let counts = archive.database().counts().await?;
    let held = counts.instances + counts.conflicts;
    if held > 0 && !options.replace_index && !options.missing {
        bail!(
            "the database holds {held} instances already: give --missing to leave them and add what it does not know, \
             --replace-index to remove them from it first (accounts, consultations and the audit trail stay), or --into for \
             another database"
        );
    }
    // A server that starts after this was cut off takes no object without a row for one that a crash left.
    archive.begin_reindex().await?;
    if held > 0 && options.replace_index {
        archive.database().clear_index().await.context("the old index could not be removed")?;
    }
    let keys = if options.missing { unknown(&archive).await } else { all(&archive).await };
    let summary = index(&archive, keys.context("the objects cannot be listed")?).await?;
    let operator = AuditActor { role: "operator".to_owned(), ..AuditActor::default() };
    let links = archive.database().restore_links(&operator).await?;
    if summary.failed.is_empty() {
        archive.end_reindex().await?;
    }
    archive.database().close().await;
    summary.print(links);
    match (summary.failed.len(), options.missing) {
        (0, _) => Ok(()),
        (failed, true) => bail!(
            "{failed} objects have no row. {TRY_AGAIN}. If the database names objects that are gone, for keys were changed since, \
             maxray reindex --replace-index is the way"
        ),
        (failed, false) => bail!("{failed} objects have no row. {TRY_AGAIN}"),
    }
}

/// Every object, but for those that are to be removed, in the order in which they came.
async fn all(archive: &Archive) -> anyhow::Result<Vec<ObjectKey>> {
    let mut keys: Vec<ObjectKey> = archive.storage().list().try_collect().await?;
    let deleted: HashSet<_> = archive.database().deleted_objects().await?.into_iter().collect();
    keys.retain(|key| !deleted.contains(&key.uuid()));
    keys.sort_unstable();
    Ok(keys)
}

/// Those that no row names.
async fn unknown(archive: &Archive) -> anyhow::Result<Vec<ObjectKey>> {
    let mut keys: Vec<ObjectKey> = archive.orphans().map_ok(|orphan| orphan.key).try_collect().await?;
    keys.sort_unstable();
    Ok(keys)
}

/// A duplicate needs no row when what it is a duplicate of can be read. An older database may name an object that was
/// sealed anew since, and is gone.
async fn index_one(archive: &Archive, new: NewInstance) -> Result<StoreOutcome, ReindexError> {
    let outcome = archive.index(new).await?;
    if let StoreOutcome::Duplicate { id } = outcome {
        let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
        let page = archive.database().all_instances(Some(before), 1).await?;
        for kept in page.into_iter().filter(|kept| kept.id == id) {
            archive.read_for_index(ObjectKey::from_uuid(kept.object_key)).await?;
        }
    }
    Ok(outcome)
}

/// Whether what cannot be read was sealed with a key that was destroyed: it is gone for good, and needs no row.
async fn is_destroyed(archive: &Archive, error: &ReindexError) -> anyhow::Result<bool> {
    let ReindexError::Storage(StorageError::KeyMissing(key)) = error else { return Ok(false) };
    Ok(archive.storage().keys().destruction(*key).await?.is_some())
}

fn database_url(into: &str) -> anyhow::Result<String> {
    if into.contains("://") {
        return Ok(into.to_owned());
    }
    let path = std::path::absolute(Path::new(into)).with_context(|| format!("{into} is no path"))?;
    let path = path.to_str().with_context(|| format!("{into} is not UTF-8"))?;
    Ok(format!("sqlite://{path}"))
}

async fn index(archive: &Archive, keys: Vec<ObjectKey>) -> anyhow::Result<Summary> {
    let parallel = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let bar = ProgressBar::new(keys.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} objects, {per_sec}, {eta} left {msg}")?);
    let mut read = stream::iter(keys)
        .map(|key| async move { (key, archive.read_for_index(key).await) })
        // In order: which of two contents came first depends on it.
        .buffered(parallel);
    let mut summary = Summary::default();
    let mut running: JoinSet<Indexed> = JoinSet::new();
    let mut uids = HashSet::new();
    while let Some((key, new)) = read.next().await {
        bar.inc(1);
        let new = match new {
            Ok(Some(new)) => new,
            Ok(None) => {
                summary.other += 1;
                continue;
            }
            Err(error) => {
                if is_destroyed(archive, &error).await? {
                    summary.destroyed += 1;
                } else {
                    summary.fail(key, &error);
                }
                continue;
            }
        };
        let uid = new.header.instance.sop_instance_uid.to_string();
        while running.len() >= WAITING_MAX || uids.contains(&uid) {
            let Some(ended) = running.join_next().await else { break };
            summary.add(ended?, &mut uids);
        }
        uids.insert(uid.clone());
        let archive = archive.clone();
        running.spawn(async move { (key, uid, index_one(&archive, new).await) });
    }
    while let Some(ended) = running.join_next().await {
        summary.add(ended?, &mut uids);
    }
    bar.finish_and_clear();
    Ok(summary)
}

impl Summary {
    fn add(&mut self, (key, uid, outcome): Indexed, uids: &mut HashSet<String>) {
        uids.remove(&uid);
        match outcome {
            Ok(StoreOutcome::Stored { .. }) => self.stored += 1,
            Ok(StoreOutcome::Conflict { .. }) => self.conflicts += 1,
            Ok(StoreOutcome::Duplicate { .. }) => self.duplicates += 1,
            Err(error) => self.fail(key, &error),
        }
    }

    fn fail(&mut self, key: ObjectKey, error: &ReindexError) {
        self.failed.push(format!("object {key}: {error}"));
    }

    fn print(&self, links: u64) {
        println!("indexed {} instances and {} hidden conflict versions", self.stored, self.conflicts);
        if self.duplicates > 0 {
            println!(
                "{} objects hold what another one holds; a running server removes them",
                self.duplicates
            );
        }
        println!("{} pictures and other objects need no row; previews are made again", self.other);
        if self.destroyed > 0 {
            println!("{} objects can never be read again: their keys were destroyed", self.destroyed);
        }
        if links > 0 {
            println!("{links} links to consultations were put back");
        }
        for line in self.failed.iter().take(EXAMPLES_MAX) {
            println!("NOT indexed: {line}");
        }
        println!(
            "Accounts, doctors, consultations, registered application entities and the audit trail are not in objects: \
             what the database still had of them is untouched, what was lost has to come from a backup."
        );
    }
}
