//! What every command opens: the data directory, its lock, the database, the object storage, the archive.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use archive::{Archive, DATABASE_BEHIND};
use conversion::Converter;
use database::{Database, DatabaseConfig};
use model::clock::Clock;
use object_storage::{BackendKind, ObjectStorage};
use rustix::process::{Uid, geteuid};
use service::decoder::DecoderPool;

use crate::settings::Settings;

/// The keys that sign access tokens, in the data directory.
pub const TOKEN_KEYS_FILE: &str = "token-keys.json";

/// The secret of which the doctors' signing keys are made, in the data directory.
pub const DOCTOR_KEYS_FILE: &str = "doctor-keys.secret";

/// Where accounts of the system have their names.
const ACCOUNTS: &str = "/etc/passwd";

const DATABASE_FAILED: &str = "the database cannot be opened";
const STORAGE_FAILED: &str = "the object storage cannot be opened";

/// A server that stops does not wait longer for a store that is away.
const LAST_BEAT_MAX: Duration = Duration::from_secs(3);

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

/// The data directory of a MaxRay that was started before, for a command that changes something. Where there is none it would
/// begin another one beside it, and say that all went well.
pub async fn existing(settings: &Settings) -> anyhow::Result<PathBuf> {
    check_owner(&settings.data_directory)?;
    existing_to_read(settings).await
}

/// The same for a command that only looks: an administrator may do that as well.
pub async fn existing_to_read(settings: &Settings) -> anyhow::Result<PathBuf> {
    let directory = &settings.data_directory;
    if !geteuid().is_root() {
        check_owner(directory)?;
    }
    let schema = Database::schema(&database_config(settings), directory).await.context(DATABASE_FAILED)?;
    let is_bucket = settings.object_storage.backend == BackendKind::S3;
    let has_objects_elsewhere = is_bucket || !settings.object_storage.directory.as_os_str().is_empty();
    // Of nodes over one PostgreSQL nothing else has to be on this machine.
    let needs_directory = !is_shared(settings) || !has_objects_elsewhere;
    ensure!(
        schema.step > 0 && (directory.is_dir() || !needs_directory),
        "there is no MaxRay at {}{}: start the server once, or say --config / MAXRAY_DATA_DIRECTORY",
        std::path::absolute(directory)?.display(),
        if is_shared(settings) { " and in the PostgreSQL of database.url" } else { "" }
    );
    prepare_directory(directory)
}

/// What another user writes there, as root does, the server could not read: keys, the lock, who the node is.
pub fn check_owner(directory: &Path) -> anyhow::Result<()> {
    // What is not there yet is made by this user, and what cannot be looked at is spoken of by who opens it.
    let Ok(metadata) = fs::metadata(directory) else { return Ok(()) };
    let owner = Uid::from_raw(metadata.uid());
    if owner == geteuid() {
        return Ok(());
    }
    bail!(
        "{} belongs to another user, and the server could not read what this command writes there: sudo -u {} maxray ...",
        directory.display(),
        account_name(owner, &fs::read_to_string(ACCOUNTS).unwrap_or_default())
    )
}

/// By the lines of passwd(5); otherwise as sudo takes a number.
fn account_name(user: Uid, accounts: &str) -> String {
    let number = user.as_raw().to_string();
    let named = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("'#{number}'"))
}

/// What is wrong with the settings of database, objects and keys, as far as that can be said before they are opened.
pub fn check_storage(settings: &Settings) -> anyhow::Result<()> {
    settings.database.check().context(DATABASE_FAILED)?;
    let checked = settings.object_storage.check().and_then(|()| settings.keys.check());
    checked.and_then(|()| settings.keys.check_file()).context(STORAGE_FAILED)
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
    let config = database_config(settings);
    // A SQLite file belongs to whoever holds the lock. Where nobody does, this command brings the schema up to date as a server would.
    let outdated = !is_shared(settings)
        && !Database::schema(&config, directory).await.context(DATABASE_FAILED)?.pending.is_empty();
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
    opened.context(DATABASE_FAILED)
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
    set_up_archive(settings, directory, clock, database.context(DATABASE_FAILED)?).await
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
        .context(STORAGE_FAILED)?;
    drop(turn);
    let archive = Archive::new(database, storage, settings.archive.clone(), clock.clone());
    archive.settle_keys().await.context("what an earlier erasure left could not be finished")?;
    match archive.beat().await {
        Ok(beat) if beat.is_behind => tracing::error!("{DATABASE_BEHIND}"),
        Ok(_) => {}
        // A later one finds out the same, and until then nothing is removed.
        Err(error) => {
            tracing::warn!(%error, "whether the database is older than the objects is not known yet");
        }
    }
    Ok(archive)
}

/// When a server has ended all else: a database of a moment before is an older one from now on.
pub async fn last_beat(archive: &Archive) {
    match tokio::time::timeout(LAST_BEAT_MAX, archive.beat()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the object store was not told how far the database is"),
        Err(_) => tracing::warn!("the object store was not told how far the database is: it took too long"),
    }
}

/// Opens the same beside a server that may run: nothing is tidied up.
pub async fn attach_archive(settings: &Settings, directory: &Path, clock: &Clock) -> anyhow::Result<Archive> {
    let database = open_database(settings, directory, clock).await?;
    let storage = ObjectStorage::attach(&settings.object_storage, &settings.keys, directory)
        .await
        .context(STORAGE_FAILED)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_called_by_its_name() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nmaxray:x:1000:1001::/var/lib/maxray:/usr/sbin/nologin\n";
        assert_eq!(account_name(Uid::from_raw(1000), accounts), "maxray");
        assert_eq!(account_name(Uid::from_raw(0), accounts), "root");
        assert_eq!(account_name(Uid::from_raw(1001), accounts), "'#1001'");
    }
}
