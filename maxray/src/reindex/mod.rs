//! `maxray reindex`: makes the index again from the objects, when the database is lost or wrong.
//!
//! Objects are taken in the order of their names, which is the order in which they came: of two contents under one SOP
//! Instance UID the first is current again. What was deleted and can be restored is left out. Names are kept in memory
//! (16 bytes each), nothing else is.

use std::{collections::HashSet, path::Path};

use anyhow::{Context as _, bail};
use archive::{Archive, ReindexError};
use clap::Args;
use database::StoreOutcome;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use model::clock::Clock;
use object_storage::ObjectKey;
use tokio::task::JoinSet;

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
}

/// Instances that wait for the database together.
const WAITING_MAX: usize = 64;
/// Objects named that could not be indexed.
const EXAMPLES_MAX: usize = 20;

#[derive(Default)]
struct Summary {
    stored: u64,
    conflicts: u64,
    duplicates: u64,
    other: u64,
    failed: Vec<String>,
}

type Indexed = (ObjectKey, String, Result<StoreOutcome, ReindexError>);

/// Makes the index again and says what became of the objects.
pub async fn run(mut settings: Settings, options: ReindexOptions) -> anyhow::Result<()> {
    if let Some(into) = &options.into {
        settings.database.url = database_url(into)?;
    }
    let directory = home::prepare_directory(&settings.data_directory)?;
    let Some(_lock) = home::lock(&directory)? else {
        bail!("a server works on {}: stop it first", directory.display());
    };
    let archive = home::open_archive(&settings, &directory, &Clock::system()).await?;
    let counts = archive.database().counts().await?;
    if counts.instances + counts.conflicts > 0 {
        if !options.replace_index {
            bail!(
                "the database holds {} instances already: give --replace-index to remove them from it first (accounts, \
                 consultations and the audit trail stay), or --into for another database",
                counts.instances + counts.conflicts
            );
        }
        archive.database().clear_index().await.context("the old index could not be removed")?;
    }
    let mut keys: Vec<ObjectKey> =
        archive.storage().list().try_collect().await.context("the objects cannot be listed")?;
    let deleted: HashSet<_> = archive.database().deleted_objects().await?.into_iter().collect();
    keys.retain(|key| !deleted.contains(&key.uuid()));
    keys.sort_unstable();
    let summary = index(&archive, keys).await?;
    let links = archive.database().restore_links().await?;
    archive.database().close().await;
    summary.print(links);
    if summary.failed.is_empty() { Ok(()) } else { bail!("{} objects have no row", summary.failed.len()) }
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
                summary.fail(key, &error);
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
        running.spawn(async move { (key, uid, archive.index(new).await) });
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
