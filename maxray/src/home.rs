//! What every command opens: the data directory, its lock, the database, the object storage, the archive.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use archive::Archive;
use conversion::Converter;
use database::{Database, DatabaseConfig};
use model::clock::Clock;
use object_storage::ObjectStorage;
use service::decoder::DecoderPool;

use crate::settings::Settings;

/// The keys that sign access tokens, in the data directory.
pub const TOKEN_KEYS_FILE: &str = "token-keys.json";

/// The secret of which the doctors' signing keys are made, in the data directory.
pub const DOCTOR_KEYS_FILE: &str = "doctor-keys.secret";

/// Held while a process writes objects under a data directory; released when the process ends, however it ends.
pub struct Lock(#[expect(dead_code, reason = "holds the lock by being open")] File);

/// Makes the data directory (0700) or checks that nobody else can read it.
pub fn prepare_directory(path: &Path) -> anyhow::Result<PathBuf> {
    make_durably(path).with_context(|| format!("the data directory {} cannot be made", path.display()))?;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700))
            .with_context(|| format!("{} is open to other users: run chmod 700 on it", path.display()))?;
    }
    Ok(path.canonicalize()?)
}

/// Makes a directory and those above it so that a power cut leaves them: everything later is stored below.
fn make_durably(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        // Made by us in a start that was killed before it could sync, or by somebody whose directory we may not read.
        let _theirs = File::open(parent).and_then(|parent| parent.sync_all());
        return Ok(());
    }
    make_durably(parent)?;
    DirBuilder::new().mode(0o700).create(path)?;
    File::open(parent)?.sync_all()
}

/// What makes instances anew in other transfer syntaxes, for all doors together.
pub fn converter(settings: &Settings, archive: &Archive) -> anyhow::Result<Converter> {
    let decoder = DecoderPool::new(settings.decoder.clone(), std::env::current_exe()?);
    Ok(Converter::new(archive.clone(), decoder, settings.dicomweb.converter_limits()))
}

/// Takes the lock of a data directory.
pub fn lock(directory: &Path) -> anyhow::Result<Option<Lock>> {
    use rustix::fs::{FlockOperation, flock};
    let mut options = OpenOptions::new();
    let file =
        options.create(true).truncate(false).write(true).mode(0o600).open(directory.join("maxray.lock"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => bail!("the lock file cannot be locked: {error}"),
    }
}

/// The section `[database]`, with what other sections have for it.
pub fn database_config(settings: &Settings) -> DatabaseConfig {
    DatabaseConfig {
        access: settings.access.clone(),
        reminder_minutes_before: settings.notifications.reminder_minutes_before.clone(),
        ..settings.database.clone()
    }
}

/// Whether the database is one that nodes on other machines may share.
pub fn is_shared(settings: &Settings) -> bool {
    settings.database.url.starts_with("postgres")
}

/// Opens the database alone: enough for accounts, and safe while a server runs, which keeps the schema that it has.
pub async fn open_database(settings: &Settings, directory: &Path, clock: &Clock) -> anyhow::Result<Database> {
    const FAILED: &str = "the database cannot be opened";
    let config = database_config(settings);
    // A SQLite file belongs to whoever holds the lock. Where nobody does, this command brings the schema up to date as a server would.
    let outdated = !is_shared(settings)
        && !Database::schema(&config, directory).await.context(FAILED)?.pending.is_empty();
    let opened = if outdated {
        let _lock = lock(directory)?.with_context(|| {
            format!(
                "the schema of the database is older than this program, and a server works on {}: stop it first",
                directory.display()
            )
        })?;
        Box::pin(Database::open(&config, directory, clock.clone())).await
    } else {
        Box::pin(Database::attach(&config, directory, clock.clone())).await
    };
    opened.context(FAILED)
}

/// Opens everything that stores instances, for a command that holds the [`Lock`]. Nodes on other machines may run, and keep the
/// schema that they have.
pub async fn open_archive(settings: &Settings, directory: &Path, clock: &Clock) -> anyhow::Result<Archive> {
    if !is_shared(settings) {
        return open_archive_to_serve(settings, directory, clock).await;
    }
    let database = open_database(settings, directory, clock).await?;
    set_up_archive(settings, directory, clock, database).await
}

/// The same for a server, or for whoever has the database alone: the schema is brought up to date, if the settings let it.
pub async fn open_archive_to_serve(
    settings: &Settings,
    directory: &Path,
    clock: &Clock,
) -> anyhow::Result<Archive> {
    let config = database_config(settings);
    let database = Box::pin(Database::open(&config, directory, clock.clone())).await;
    set_up_archive(settings, directory, clock, database.context("the database cannot be opened")?).await
}

async fn set_up_archive(
    settings: &Settings,
    directory: &Path,
    clock: &Clock,
    database: Database,
) -> anyhow::Result<Archive> {
    // Two nodes that met an empty object store would each take what the other one has made for a stranger's data.
    let turn = database.start_turn().await?;
    let storage = ObjectStorage::open(&settings.object_storage, &settings.keys, directory)
        .await
        .context("the object storage cannot be opened")?;
    drop(turn);
    let archive = Archive::new(database, storage, settings.archive.clone(), clock.clone());
    archive.settle_keys().await.context("what an earlier erasure left could not be finished")?;
    Ok(archive)
}

/// Opens the same beside a server that may run: nothing is tidied up.
pub async fn attach_archive(settings: &Settings, directory: &Path, clock: &Clock) -> anyhow::Result<Archive> {
    let database = open_database(settings, directory, clock).await?;
    let storage = ObjectStorage::attach(&settings.object_storage, &settings.keys, directory)
        .await
        .context("the object storage cannot be opened")?;
    Ok(Archive::new(database, storage, settings.archive.clone(), clock.clone()))
}

/// Bulk data wait where the database is, and leave it the same room as objects do.
pub fn spool(settings: &Settings, directory: &Path) -> dicomweb::SpoolConfig {
    dicomweb::SpoolConfig {
        directory: directory.to_owned(),
        reserve_bytes: settings.object_storage.reserve_bytes,
        reserve_percent_max: settings.object_storage.reserve_percent_max,
    }
}
