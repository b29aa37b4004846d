//! Opening, closing, migrating.

use chrono::TimeDelta;
use database::{Database, DatabaseConfig, DatabaseError, StoreOutcome};
use model::clock::Clock;
use tests::{
    cluster::{Cluster, Durability},
    postgres::Postgres,
};

use crate::support::{Home, instance};

on_both_engines!(
    opening_again_changes_nothing,
    nothing_is_stored_after_close,
    nodes_agree_on_a_secret_that_the_database_does_not_know,
    a_node_goes_on_with_a_schema_that_has_grown_and_not_with_another,
);

async fn opening_again_changes_nothing(home: Home) {
    let id = home.put(instance("1.2", 1)).await;
    home.database.close().await;
    for _ in 0..2 {
        let again = home.reopen().await;
        again.ping().await.expect("alive");
        assert_eq!(again.counts().await.expect("counts").instances, 1);
        assert!(again.header(id).await.expect("header").is_some());
        again.close().await;
    }
}

async fn nothing_is_stored_after_close(home: Home) {
    home.database.close().await;
    assert!(home.store(instance("1.2", 1)).await.is_err());
    assert!(home.database.ping().await.is_err());
}

#[tokio::test]
async fn a_server_that_may_lose_commits_is_refused() {
    let url = tokio::task::spawn_blocking(|| Postgres::shared().fresh_database()).await.expect("a database");
    let config = DatabaseConfig { url, ..DatabaseConfig::default() };
    let directory = tempfile::tempdir().expect("a directory");
    let opened = Database::open(&config, directory.path(), Clock::system()).await;
    assert!(matches!(opened, Err(DatabaseError::Refused(_))));
}

/// Nodes would let go what others hold; and a disk that failed once is not to be believed.
#[tokio::test]
async fn a_clock_of_its_own_is_refused_and_so_is_a_server_that_syncs_again() {
    let started = tokio::task::spawn_blocking(|| {
        let cluster = Cluster::start(Durability::Fsync);
        (cluster.create_database("maxray"), cluster)
    });
    let (url, mut cluster) = started.await.expect("a server");
    let safe = DatabaseConfig { url, ..DatabaseConfig::default() };
    let taken = DatabaseConfig { allow_unsafe: true, ..safe.clone() };
    let directory = tempfile::tempdir().expect("a directory");
    let open = async |config: &DatabaseConfig, ahead: i64| {
        let clock = Clock::from_fn(move || Clock::system().now() + TimeDelta::seconds(ahead));
        match Database::open(config, directory.path(), clock).await {
            Ok(database) => {
                database.close().await;
                None
            }
            Err(error) => Some(error.to_string()),
        }
    };
    for (ahead, says) in [(120, "s ahead of"), (-120, "s behind")] {
        let why = open(&safe, ahead).await.unwrap_or_default();
        assert!(why.contains(says) && why.contains("NTP"), "{ahead}: {why}");
        assert_eq!(open(&taken, ahead).await, None);
    }
    for ahead in [-10, 0, 10] {
        assert_eq!(open(&safe, ahead).await, None, "{ahead}");
    }
    let another_setting = tokio::task::spawn_blocking(move || {
        cluster.set("data_sync_retry", "on");
        cluster
    });
    let _cluster = another_setting.await.expect("the server starts again");
    let why = open(&safe, 0).await.unwrap_or_default();
    assert!(why.contains("data_sync_retry"), "{why}");
    assert_eq!(open(&taken, 0).await, None);
}

/// What the program of a later version leaves: one step more, on which this one can run until the floor says otherwise.
async fn a_node_goes_on_with_a_schema_that_has_grown_and_not_with_another(home: Home) {
    home.database.close().await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9000, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    home.sql(later).await;
    home.reopen().await.close().await;
    home.sql("UPDATE schema_floor SET step = 9000").await;
    let Err(error) = Database::open(&home.config, home.directory.path(), home.clock()).await else {
        panic!("opened")
    };
    assert!(error.to_string().contains("at step 9000, of a later version"), "{error}");
}

#[tokio::test]
async fn an_unknown_url_is_refused_without_showing_it() {
    let config = DatabaseConfig { url: "mysql://user:secret@host/x".to_owned(), ..DatabaseConfig::default() };
    let directory = tempfile::tempdir().expect("a directory");
    let Err(error) = Database::open(&config, directory.path(), Clock::system()).await else {
        panic!("opened")
    };
    assert!(!error.to_string().contains("secret"));
}

#[tokio::test]
async fn a_sqlite_url_names_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("other.sqlite");
    let config = DatabaseConfig { url: format!("sqlite://{}", file.display()), ..DatabaseConfig::default() };
    let database = Database::open(&config, directory.path(), Clock::system()).await.expect("opens");
    database.close().await;
    assert!(file.exists());
}

/// The second node waits for the first one, and not for one that died.
#[tokio::test]
async fn nodes_set_up_one_after_another() {
    let home = Home::postgres().await;
    let other = home.reopen().await;
    let turn = home.database.start_turn().await.expect("a turn");
    let short = tokio::time::timeout(std::time::Duration::from_millis(300), other.start_turn()).await;
    assert!(short.is_err(), "two nodes set up at once");
    drop(turn);
    let waited = tokio::time::timeout(std::time::Duration::from_mins(1), other.start_turn()).await;
    waited.expect("its turn comes").expect("a turn");
}

async fn nodes_agree_on_a_secret_that_the_database_does_not_know(home: Home) {
    let agree = async |value: &str, is_new: bool| {
        home.database.agree_on("doctor_secret", value, is_new).await.expect("an answer")
    };
    assert!(agree("first", false).await && agree("first", false).await);
    assert!(!agree("second", false).await && agree("first", false).await);
    assert!(agree("second", true).await && agree("second", false).await);
    assert!(!agree("first", false).await);
    assert!(home.database.agree_on("another", "first", false).await.expect("an answer"));
}

/// A dump that is restored to a younger server: its keys are greater than the transaction ids of that server.
#[tokio::test]
async fn a_database_goes_on_after_it_came_to_a_younger_server() {
    const OLDER: i64 = 1_000_000 << 20;
    let home = Home::postgres().await;
    for number in 1..=3 {
        home.put(instance("1.2", number)).await;
    }
    home.database.close().await;
    home.sql(&format!(
        "UPDATE outbox SET sequence = sequence + {OLDER}; UPDATE audit SET sequence = sequence + {OLDER}"
    ))
    .await;
    let nodes = [home.reopen().await, home.reopen().await];
    let restored = nodes[0].outbox_after(0, 99).await.expect("events");
    assert_eq!(restored.len(), 3, "what was restored is settled");
    let cursor = nodes[0].outbox_last().await.expect("the newest");
    for (node, number) in nodes.iter().zip(4..) {
        let new = instance("1.2", number);
        assert_eq!(
            node.store_instance(new.clone()).await.expect("stored"),
            StoreOutcome::Stored { id: new.id }
        );
    }
    let later = nodes[1].outbox_after(cursor, 99).await.expect("events");
    assert_eq!(later.len(), 2, "what comes then is told");
    assert!(later.iter().all(|event| event.sequence > cursor));
    let trail = nodes[0].audit_page(0, 99).await.expect("the trail");
    assert!(trail.is_sorted_by_key(|row| row.sequence) && trail.len() >= 5, "{trail:?}");
    // The server goes on, and so do its ids: nothing has to be raised again.
    let base = async || home.number("SELECT base FROM sequence_base").await;
    let raised = base().await;
    assert!(raised > 0);
    home.reopen().await.close().await;
    assert_eq!(base().await, raised);
}
