//! Opening, closing, migrating.

use database::{Database, DatabaseConfig, DatabaseError};
use model::clock::Clock;
use tests::postgres::Postgres;

use crate::support::{Home, instance};

on_both_engines!(opening_again_changes_nothing, nothing_is_stored_after_close);

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
    let waiting = tokio::spawn(async move { other.start_turn().await.map(drop) });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "two nodes set up at once");
    drop(turn);
    let waited = tokio::time::timeout(std::time::Duration::from_mins(1), waiting).await;
    waited.expect("its turn comes").expect("no panic").expect("a turn");
}
