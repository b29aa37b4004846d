//! `maxray migrate`, and who else changes the schema: a node that starts, unless the settings say otherwise, and no command beside it.

use std::{fs, time::Duration};

use fail_point::Point;
use rustix::fs::{FlockOperation, flock};
use tests::platform::{Engine, Options, Platform};

/// How long the program may take to come to a point.
const DEATH_TIMEOUT: Duration = Duration::from_secs(30);

const LIST: &[&str] = &["user", "list"];

fn refused(platform: &Platform, arguments: &[&str], says: &str) {
    let (done, text) = platform.operate(arguments);
    assert!(!done && text.contains(says), "maxray {arguments:?}: {text}");
}

fn goes_well(platform: &Platform, arguments: &[&str], says: &str) {
    let (done, text) = platform.operate(arguments);
    assert!(done && text.contains(says), "maxray {arguments:?}: {text}");
}

#[tokio::test]
async fn with_the_setting_one_command_changes_the_schema_and_nothing_else() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let options = Options::on(engine).with("MAXRAY_DATABASE__MIGRATE", "command");
        let mut platform = Platform::prepare(options);
        refused(&platform, &["migrate", "--check"], "would go from step 0 to");
        refused(&platform, LIST, "there is no MaxRay at");
        refused(&platform, &["serve"], "run that");
        refused(&platform, &["migrate", "--check"], "schema_floor");
        goes_well(&platform, &["migrate"], "went from step 0 to");
        goes_well(&platform, &["migrate"], "nothing to do");
        goes_well(&platform, &["migrate", "--check"], "nothing to do");
        platform.restart().await;
        goes_well(&platform, LIST, "admin");
        goes_well(&platform, &["migrate", "--check"], "nothing to do");
    }
}

/// A start that died after the first step leaves what nodes of an older version work with.
#[tokio::test]
async fn commands_leave_the_schema_to_nodes_that_may_run_on_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut platform = Platform::prepare(Options::on(engine));
        platform.restart_armed(&format!("{}:kill:1", Point::K41Migrated.name())).await;
        platform.await_death(DEATH_TIMEOUT, "killed after the first step").await;
        let server = fs::File::open(platform.data_directory().join("maxray.lock")).expect("a lock file");
        flock(&server, FlockOperation::NonBlockingLockExclusive).expect("nobody has the lock");
        let (list, migrate) = match engine {
            Engine::Sqlite => ("a server works on", "a server works on"),
            Engine::Postgres => ("run maxray migrate", "went from step 1 to"),
        };
        refused(&platform, LIST, list);
        refused(&platform, &["migrate", "--check"], "would go from step 1 to");
        match engine {
            Engine::Sqlite => refused(&platform, &["migrate"], migrate),
            Engine::Postgres => goes_well(&platform, &["migrate"], migrate),
        }
        drop(server);
        // With SQLite whoever comes is alone now.
        goes_well(&platform, LIST, "");
        goes_well(&platform, &["migrate", "--check"], "nothing to do");
        platform.restart().await;
    }
}
