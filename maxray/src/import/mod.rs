//! `maxray import PATH`: stores every DICOM file below a directory, several at once, and can be stopped and resumed.

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
use walk::{Candidate, Found, Unreadable};

/// Bytes read from a file at once.
const READ_LENGTH_BYTES: usize = 256 * 1024;
/// Files named in the summary for each reason.
const EXAMPLES_MAX: usize = 5;

/// What became of one file.
enum Outcome {
    Stored,
    Duplicate,
    Conflict,
    /// The DICOMDIR of a medium, which lists its instances.
    MediaDirectory,
    NotDicom,
    Refused(String),
    Unreadable(std::io::Error),
}

#[derive(Default)]
struct Summary {
    stored: u64,
    duplicates: u64,
    conflicts: u64,
    media_directories: u64,
    not_dicom: u64,
    refused: BTreeMap<String, Vec<PathBuf>>,
    /// Folders and files.
    unreadable: usize,
}

/// Runs the import and prints what became of the files.
pub async fn run(settings: Settings, options: ImportOptions) -> anyhow::Result<()> {
    let source = options.source.canonicalize();
    let source = source.with_context(|| format!("{} cannot be read", options.source.display()))?;
    home::check_owner(&settings.data_directory)?;
    let directory = home::prepare_directory(&settings.data_directory)?;
    let Some(_lock) = home::lock(&directory)? else {
        bail!(
            "a server works on {}. Stop it first, or send the files to it: maxray send {}@127.0.0.1:PORT {}",
            directory.display(),
            settings.pacs.ae_title,
            source.display()
        );
    };
    let archive = home::open_archive(&settings, &directory, &Clock::system()).await?;
    let ledger = Ledger::open(&directory, &source, options.again)?;
    let walking = source.clone();
    let Found { files, unreadable } =
        tokio::task::spawn_blocking(move || walk::files_below(&walking)).await?;
    for one in &unreadable {
        eprintln!("{one}");
    }
    let found = files.len();
    let todo: Vec<Candidate> = files.into_iter().filter(|file| !ledger.has(file)).collect();
    let earlier = found - todo.len();
    let mut summary = store_all(&archive, todo, ledger, options.jobs).await?;
    summary.unreadable += unreadable.len();
    archive.database().close().await;
    summary.print(earlier);
    match (summary.refused(), summary.unreadable) {
        (0, 0) => Ok(()),
        (refused, 0) => {
            bail!("{refused} DICOM files were refused; nothing of them was kept, the files are untouched")
        }
        (0, unreadable) => bail!(
            "{unreadable} files or folders could not be read: they are named above. Run the same again when they can be; what is \
             stored is passed over"
        ),
        (refused, unreadable) => bail!(
            "{refused} DICOM files were refused, and {unreadable} files or folders could not be read; nothing of \
             them was kept, the files are untouched"
        ),
    }
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
        Err(error) => Outcome::Unreadable(error),
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
        if std::mem::take(&mut first)
            && let Some(outcome) = passed_over(&buffer)
        {
            writer.abort().await;
            return Ok(outcome);
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

/// What a file is that begins so, when it is no instance.
fn passed_over(head: &[u8]) -> Option<Outcome> {
    if walk::is_media_directory(head) {
        return Some(Outcome::MediaDirectory);
    }
    (!walk::looks_like_dicom(head)).then_some(Outcome::NotDicom)
}

impl Summary {
    fn refused(&self) -> usize {
        self.refused.values().map(Vec::len).sum()
    }

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
            Outcome::MediaDirectory => {
                self.media_directories += 1;
                return Ok(());
            }
            Outcome::NotDicom => {
                self.not_dicom += 1;
                return Ok(());
            }
            Outcome::Refused(reason) => {
                self.refused.entry(reason).or_default().push(file.path);
                bar.set_message(format!("({} refused)", self.refused()));
                return Ok(());
            }
            Outcome::Unreadable(error) => {
                self.unreadable += 1;
                let unreadable = Unreadable { path: file.path, error };
                bar.suspend(|| eprintln!("{unreadable}"));
                return Ok(());
            }
        }
        ledger.add(&file)
    }

    fn print(&self, earlier: usize) {
        println!(
            "stored {}, duplicates {}, conflicts {}, refused {}, unreadable {}, DICOMDIR {}, not DICOM {}, done by an \
             earlier import {earlier}",
            self.stored,
            self.duplicates,
            self.conflicts,
            self.refused(),
            self.unreadable,
            self.media_directories,
            self.not_dicom
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
