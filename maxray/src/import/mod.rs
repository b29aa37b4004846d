//! `maxray import DIR`: stores every DICOM file below a directory, several at once, and can be stopped and resumed.

mod ledger;
pub mod walk;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use archive::{Archive, Form};
use bytes::BytesMut;
use database::{Origin, StoreOutcome};
use indicatif::{ProgressBar, ProgressStyle};
use model::clock::Clock;
use tokio::{io::AsyncReadExt, sync::Semaphore, task::JoinSet};

use crate::{cli::ImportOptions, home, settings::Settings};
use ledger::Ledger;
use walk::Candidate;

/// Bytes read from a file at once.
const READ_LENGTH_BYTES: usize = 256 * 1024;
/// Files named in the summary for each reason.
const EXAMPLES_MAX: usize = 5;

/// What became of one file.
enum Outcome {
    Stored,
    Duplicate,
    Conflict,
    NotDicom,
    Refused(String),
}

#[derive(Default)]
struct Summary {
    stored: u64,
    duplicates: u64,
    conflicts: u64,
    not_dicom: u64,
    refused: BTreeMap<String, Vec<PathBuf>>,
}

/// Runs the import and prints what became of the files.
pub async fn run(settings: Settings, options: ImportOptions) -> anyhow::Result<()> {
    let source = options
        .directory
        .canonicalize()
        .with_context(|| format!("{} cannot be read", options.directory.display()))?;
    let directory = home::prepare_directory(&settings.data_directory)?;
    let Some(_lock) = home::lock(&directory)? else {
        bail!(
            "a server works on {}. Stop it first, or send the files to it: \
             storescu +sd +r -aec {} {} PORT {}",
            directory.display(),
            settings.pacs.ae_title,
            "127.0.0.1",
            source.display()
        );
    };
    let archive = home::open_archive(&settings, &directory, &Clock::system()).await?;
    let ledger = Ledger::open(&directory, &source, options.again)?;
    let walking = source.clone();
    let candidates = tokio::task::spawn_blocking(move || walk::files_below(&walking)).await??;
    let found = candidates.len();
    let todo: Vec<Candidate> = candidates.into_iter().filter(|file| !ledger.has(file)).collect();
    let earlier = found - todo.len();
    let summary = store_all(&archive, todo, ledger, options.jobs).await?;
    archive.database().close().await;
    summary.print(earlier);
    let refused: usize = summary.refused.values().map(Vec::len).sum();
    if refused > 0 {
        bail!("{refused} DICOM files were refused; nothing of them was kept, the files are untouched");
    }
    Ok(())
}

async fn store_all(
    archive: &Archive,
    todo: Vec<Candidate>,
    mut ledger: Ledger,
    jobs: Option<usize>,
) -> anyhow::Result<Summary> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let slots = Arc::new(Semaphore::new(jobs.unwrap_or(cores * 2).max(1)));
    let bar = ProgressBar::new(todo.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} files, {per_sec}, {eta} left {msg}")?);
    let mut running = JoinSet::new();
    let mut summary = Summary::default();
    let mut waiting = todo.into_iter();
    loop {
        let permit = Arc::clone(&slots).acquire_owned().await?;
        let Some(file) = waiting.next() else { break };
        let archive = archive.clone();
        running.spawn(async move {
            let outcome = store_file(&archive, &file).await;
            drop(permit);
            (file, outcome)
        });
        while let Some(ended) = running.try_join_next() {
            summary.add(ended?, &mut ledger, &bar)?;
        }
    }
    while let Some(ended) = running.join_next().await {
        summary.add(ended?, &mut ledger, &bar)?;
    }
    bar.finish_and_clear();
    ledger.close()?;
    Ok(summary)
}

async fn store_file(archive: &Archive, file: &Candidate) -> Outcome {
    match try_store(archive, file).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Refused(format!("the file cannot be read: {error}")),
    }
}

async fn try_store(archive: &Archive, file: &Candidate) -> std::io::Result<Outcome> {
    let mut input = tokio::fs::File::open(&file.path).await?;
    let origin = Origin {
        door: "import",
        calling_ae: None,
        called_ae: None,
        user_id: None,
        own_studies_only: false,
        source_address: String::new(),
        request_id: String::new(),
    };
    let mut writer = archive.store_instance(origin, Form::Part10 { expected_study: None });
    let mut first = true;
    loop {
        let mut buffer = BytesMut::with_capacity(READ_LENGTH_BYTES);
        if input.read_buf(&mut buffer).await? == 0 {
            break;
        }
        if std::mem::take(&mut first) && !walk::looks_like_dicom(&buffer) {
            writer.abort().await;
            return Ok(Outcome::NotDicom);
        }
        if let Err(error) = writer.write(buffer.freeze()).await {
            writer.abort().await;
            return Ok(Outcome::Refused(error.to_string()));
        }
    }
    if first {
        writer.abort().await;
        return Ok(Outcome::NotDicom);
    }
    Ok(match writer.commit().await {
        Ok(stored) => match stored.outcome {
            StoreOutcome::Stored { .. } => Outcome::Stored,
            StoreOutcome::Duplicate { .. } => Outcome::Duplicate,
            StoreOutcome::Conflict { .. } => Outcome::Conflict,
        },
        Err(error) => Outcome::Refused(error.to_string()),
    })
}

impl Summary {
    fn add(
        &mut self,
        (file, outcome): (Candidate, Outcome),
        ledger: &mut Ledger,
        bar: &ProgressBar,
    ) -> std::io::Result<()> {
        bar.inc(1);
        match outcome {
            Outcome::Stored => self.stored += 1,
            Outcome::Duplicate => self.duplicates += 1,
            Outcome::Conflict => self.conflicts += 1,
            Outcome::NotDicom => {
                self.not_dicom += 1;
                return Ok(());
            }
            Outcome::Refused(reason) => {
                self.refused.entry(reason).or_default().push(file.path);
                bar.set_message(format!("({} refused)", self.refused.values().map(Vec::len).sum::<usize>()));
                return Ok(());
            }
        }
        ledger.add(&file)
    }

    fn print(&self, earlier: usize) {
        let refused: usize = self.refused.values().map(Vec::len).sum();
        println!(
            "stored {}, duplicates {}, conflicts {}, refused {refused}, not DICOM {}, done by an earlier import {earlier}",
            self.stored, self.duplicates, self.conflicts, self.not_dicom
        );
        for (reason, files) in &self.refused {
            println!("refused {} because {reason}:", files.len());
            for file in files.iter().take(EXAMPLES_MAX) {
                println!("  {}", file.display());
            }
            if files.len() > EXAMPLES_MAX {
                println!("  and {} more", files.len() - EXAMPLES_MAX);
            }
        }
    }
}
