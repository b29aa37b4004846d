//! Calls of the system that no line of ours stands for, caught by strace: SQLite's own syncs and writes, and errors of
//! the kernel itself. (threats.md K18, K43, row 59)

use std::time::Duration;

use tests::{
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    session::PASSWORD,
};

const SMALL: Shape = Shape { side: 64, instances: 10 };
/// Enough for each of the threads that move files to come to a passage of its own: strace counts for each thread.
const ENOUGH: Shape = Shape { side: 64, instances: 30 };
/// Enough for SQLite to move its log into the database file.
const MANY: Shape = Shape { side: 64, instances: 120 };
/// strace makes every call of the system slow.
const DEATH_TIMEOUT: Duration = Duration::from_mins(2);

/// K18: the transaction stands in the log, the log is not synced.
#[tokio::test]
async fn killed_before_the_sync_of_a_commit() {
    let wal = |platform: &Platform| platform.data_directory().join("maxray.sqlite-wal");
    for time in [1, 4] {
        let kill = format!("fsync,fdatasync:signal=KILL:when={time}");
        killed(&[SMALL; 4], &wal, "fsync,fdatasync", &kill).await;
    }
}

/// K43: a checkpoint has moved some pages of the log into the database file, or all without a sync.
#[tokio::test]
async fn killed_in_a_checkpoint_of_sqlite() {
    let file = |platform: &Platform| platform.data_directory().join("maxray.sqlite");
    for time in [1, 3] {
        killed(&[MANY; 4], &file, "pwrite64", &format!("pwrite64:signal=KILL:when={time}")).await;
    }
    killed(&[MANY; 4], &file, "fsync,fdatasync", "fsync,fdatasync:signal=KILL:when=1").await;
}

async fn killed(
    shapes: &[Shape],
    path: &dyn Fn(&Platform) -> std::path::PathBuf,
    calls: &str,
    injection: &str,
) {
    let when = format!("killed at {injection}");
    let mut platform = prepare().await;
    let path = path(&platform).display().to_string();
    platform.kill();
    platform
        .restart_traced(&["-P", &path, "-e", &format!("trace={calls}"), "-e", &format!("inject={injection}")])
        .await;
    let load = platform.dicom_if_alive().map(|peer| Load::start(peer, injection, shapes));
    let mut load = load.unwrap_or_default();
    platform.await_death(DEATH_TIMEOUT, &when).await;
    load.wait();
    platform.restart().await;
    let reader = platform.sign_in("reader", PASSWORD).await;
    load.check_and_send_again(&reader, platform.dicom(), &when).await;
}

/// Row 59: a failed sync of the log. What the kernel says to the next one means nothing, so nothing is promised any
/// more, and the process ends with a code by which a supervisor starts it again.
#[tokio::test]
async fn after_a_failed_sync_of_a_commit_nothing_is_acknowledged() {
    let mut platform = prepare().await;
    let wal = platform.data_directory().join("maxray.sqlite-wal").display().to_string();
    platform.kill();
    let injection = "inject=fsync,fdatasync:error=EIO:when=5";
    platform
        .restart_traced(&["--seccomp-bpf", "-P", &wal, "-e", "trace=fsync,fdatasync", "-e", injection])
        .await;
    let load = Load::run(platform.dicom(), "WAL-EIO", &[SMALL; 2]);
    let before = load.ledger.len();
    let after = platform.dicom_if_alive().map(|peer| Load::run(peer, "WAL-EIO-LATER", &[SMALL]));
    let after = after.unwrap_or_default();
    assert!(after.ledger.is_empty(), "acknowledged after a failed sync of the database");
    let code = platform.await_end(DEATH_TIMEOUT).await;
    assert_eq!(code, Some(70), "{}", platform.log());
    eprintln!("{before} acknowledged before the failed sync, {} refused", load.refused().len());
    assert!(before < 2 * SMALL.instances, "the sync did not fail");
    platform.restart().await;
    let reader = platform.sign_in("reader", PASSWORD).await;
    load.check_and_send_again(&reader, platform.dicom(), "after a failed sync of the log").await;
    after.check_and_send_again(&reader, platform.dicom(), "after a failed sync of the log").await;
}

/// Row 59: a failed sync of a shard directory, and a failed rename: that instance is refused, the next is taken.
#[tokio::test]
async fn a_failed_directory_sync_or_rename_is_never_acknowledged() {
    let mut platform = prepare().await;
    let objects = platform.data_directory().join("objects");
    let shards: Vec<String> =
        (0..=255).map(|shard| objects.join(format!("{shard:02x}")).display().to_string()).collect();
    let mut of_shards: Vec<&str> = shards.iter().flat_map(|shard| ["-P", shard.as_str()]).collect();
    of_shards.extend(["-e", "trace=fsync"]);
    let of_names = ["-e", "trace=renameat2"];
    for (calls, call, what) in
        [(&of_shards[..], "fsync", "directory sync"), (&of_names[..], "renameat2", "rename")]
    {
        let mut met = false;
        // Probes of the store come to the same calls at the start, a few more or less each time.
        for passage in 5..=10 {
            let when = format!("a failed {what}, call {passage}");
            let injection = format!("inject={call}:error=EIO:when={passage}");
            platform.kill();
            let mut arguments = vec!["--seccomp-bpf"];
            arguments.extend_from_slice(calls);
            arguments.extend_from_slice(&["-e", &injection]);
            platform.restart_traced(&arguments).await;
            let load = Load::run(platform.dicom(), &when, &[ENOUGH]);
            assert_eq!(
                load.ledger.len(),
                ENOUGH.instances - load.refused().len(),
                "{when}: the next are taken"
            );
            let reader = platform.sign_in("reader", PASSWORD).await;
            load.ledger.check(&reader, &when).await;
            if !load.refused().is_empty() {
                met = true;
                // strace counts for each thread: the failure may be still to come in another one.
                platform.kill();
                platform.restart().await;
                let reader = platform.sign_in("reader", PASSWORD).await;
                load.check_and_send_again(&reader, platform.dicom(), &when).await;
                break;
            }
        }
        assert!(met, "no instance met a failed {what}");
    }
}

async fn prepare() -> Platform {
    // Previews and the relay would commit at times of their own.
    let options =
        Options { fsync: true, ..Options::on(Engine::Sqlite) }.with("MAXRAY_WORKER__PREVIEWS", "false");
    let platform = Platform::start(options).await;
    platform.add_user("reader", "viewer");
    platform
}
