//! `maxray verify`: whether everything that must hold of the archive does, with a plan when something does not.
//!
//! It only reads, works beside a running server and without one, and keeps a page of rows in memory however large the
//! archive is. The numbers of the invariants are those of `docs/verify.md`.

mod ledger;
mod objects;
mod report;
mod rows;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use model::clock::Clock;

use crate::{home, settings::Settings};
use report::Report;

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyOptions {
    /// Open and hash every object whole, and make its header and frame table again
    #[arg(long)]
    pub deep: bool,
    /// Compare with a sender's list: JSON lines with sop_instance_uid, study_instance_uid, data_set_sha256, status
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub json: bool,
    /// Age from which an object without a row counts as wrong [default: worker.orphan_grace_seconds]
    #[arg(long, value_name = "SECONDS")]
    pub orphan_grace_seconds: Option<u64>,
}

/// Exit code when something is wrong with the archive; 1 is for a check that could not be made.
const VIOLATED: i32 = 2;

/// What to do about the audit trail.
const TRAIL: &str =
    "the audit trail was changed or cut: keep a copy of everything and run maxray audit verify";

/// Runs every check and prints what was found.
pub async fn run(settings: Settings, options: VerifyOptions) -> anyhow::Result<()> {
    ensure!(
        settings.data_directory.exists(),
        "there is no data directory {}: nothing to check",
        settings.data_directory.display()
    );
    let directory = home::existing_to_read(&settings).await?;
    let archive = home::attach_archive(&settings, &directory, &Clock::system()).await?;
    let counts = archive.database().counts().await.context("the database cannot be read")?;
    let instances = counts.instances + counts.conflicts;
    let bar = if options.json { ProgressBar::hidden() } else { ProgressBar::new(instances) };
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} instances, {per_sec}, {eta} left {msg}",
    )?);
    let mut report = Report::default();
    rows::check(&archive, &options, &bar, &mut report).await?;
    objects::check(&archive, &settings, &options, &mut report).await?;
    ledger::check(&archive, &options, &mut report).await?;
    bar.finish_and_clear();
    archive.database().close().await;
    if options.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    if !report.is_well() {
        std::process::exit(VIOLATED);
    }
    Ok(())
}
