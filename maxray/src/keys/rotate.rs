//! `maxray key rotate`: asks for the work in the database. The running server does it; without one this command does.

use std::time::Duration;

use anyhow::{Context, bail};
use archive::Archive;
use database::{KeyJobKind, KeyJobState};
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use super::{RotateOptions, close, open, operator, records};
use crate::settings::Settings;

/// Time between two looks at the work of a server.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Time between two looks for what may be removed while this process does the work.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn rotate(settings: Settings, options: RotateOptions) -> anyhow::Result<()> {
    let (archive, lock) = open(&settings).await?;
    let owned = lock.is_some();
    let jobs = ask(&archive, &options).await?;
    for job in jobs {
        if owned {
            let worker = Uuid::now_v7();
            let work = async {
                for open in archive.database().open_key_jobs().await? {
                    archive.run_key_job(&open, worker).await?;
                }
                Ok::<_, anyhow::Error>(())
            };
            tokio::select! {
                worked = work => worked?,
                shown = show(&archive, job) => shown?,
                failed = sweep_meanwhile(&archive) => failed?,
            }
        }
        show(&archive, job).await?;
    }
    if !options.root {
        wait_for_removal(&archive, owned, &settings).await?;
    }
    close(archive, owned).await
}

async fn ask(archive: &Archive, options: &RotateOptions) -> anyhow::Result<Vec<Uuid>> {
    let (database, actor) = (archive.database(), operator());
    if options.root {
        let root = archive.storage().keys().root_status().await;
        if !root.in_file && root.next_root_key_id.is_none() {
            bail!(
                "the root key comes from the settings: give the new one as keys.root (or let keys.root_command print \
                 it) and the one in use as keys.root_previous, start the server again, then run this"
            );
        }
        return Ok(vec![database.create_key_job(KeyJobKind::RotateRoot, None, &actor).await?]);
    }
    if options.all_patients {
        return Ok(vec![database.create_key_job(KeyJobKind::RotateAllPatients, None, &actor).await?]);
    }
    let patient_id = options.patient.as_deref().context("say --root, --patient or --all-patients")?;
    let mut jobs = Vec::new();
    for patient in records(database, patient_id, options.issuer.as_deref()).await? {
        jobs.push(database.create_key_job(KeyJobKind::RotatePatient, Some(patient.id), &actor).await?);
    }
    Ok(jobs)
}

/// What was replaced goes while the rest is sealed anew, or the archive would be there twice; ends with a failure alone.
async fn sweep_meanwhile(archive: &Archive) -> anyhow::Result<()> {
    loop {
        archive.sweep_dropped().await?;
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

/// Shows how far a job is until it is over.
async fn show(archive: &Archive, id: Uuid) -> anyhow::Result<()> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}")?);
    loop {
        let job = archive.database().key_job(id).await?.context("the work is not known any more")?;
        bar.set_message(format!("{}: {} done", job.kind.as_str(), job.done));
        bar.tick();
        match job.state {
            KeyJobState::Open => tokio::time::sleep(LOOK_EVERY).await,
            KeyJobState::Done => {
                bar.finish_and_clear();
                println!("{}: done, {} keys or objects", job.kind.as_str(), job.done);
                return Ok(());
            }
            KeyJobState::Failed => {
                bar.finish_and_clear();
                bail!("{} failed: {}", job.kind.as_str(), job.detail);
            }
        }
    }
}

/// The old objects and keys stay for a while, for readers that began before; without a server there are none, but
/// other nodes may share the store.
async fn wait_for_removal(archive: &Archive, owned: bool, settings: &Settings) -> anyhow::Result<()> {
    let grace = Duration::from_millis(settings.keys.rotation_grace_ms);
    println!("waiting {} s (keys.rotation_grace_ms) before the old keys are destroyed", grace.as_secs());
    loop {
        if owned {
            archive.sweep_dropped().await?;
        }
        if !archive.database().is_removal_pending().await? {
            println!("the old keys are destroyed");
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
