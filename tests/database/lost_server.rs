//! A PostgreSQL that says nothing any more, as when its machine vanishes or a firewall forgets a connection.

use std::time::Duration;

use database::{Database, DatabaseConfig, NewUser, StoreInstanceError, StoreOutcome};
use model::{access::Role, clock::Clock};
use tests::{
    cluster::{Cluster, Durability},
    link::{End, Link},
    wait,
};

use crate::support::{Home, actor, instance};

/// As many connections as asked for something at once.
const CONNECTIONS: usize = 8;

/// A database behind a line that can be cut. It waits for a connection that long.
async fn behind_a_line(home: &Home, acquire_timeout_ms: u64) -> (Database, Link) {
    // PostgreSQL ends a transaction that is forgotten after this time: not before a test has given up.
    behind_a_line_with(
        home,
        DatabaseConfig { acquire_timeout_ms, statement_timeout_ms: 600_000, ..home.config.clone() },
    )
    .await
}

async fn behind_a_line_with(home: &Home, config: DatabaseConfig) -> (Database, Link) {
    let (name, folder) = home
        .config
        .url
        .strip_prefix("postgres://postgres@localhost/")
        .and_then(|rest| rest.split_once("?host="))
        .expect("the server's folder");
    let link = Link::to(End::Socket(format!("{folder}/.s.PGSQL.5432").into())).await;
    let url = format!("postgres://postgres@{}/{name}?sslmode=disable", link.address());
    let config = DatabaseConfig { url, ..config };
    let database = Database::open(&config, home.directory.path(), Clock::system()).await.expect("it opens");
    (database, link)
}

/// Sessions of MaxRay with this database.
const SESSIONS: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND application_name = 'maxray' AND pid <> pg_backend_pid()";

/// Those of them that were used within the second for which a connection is trusted, and half of one more.
const USED_LATELY: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND application_name = 'maxray' AND pid <> pg_backend_pid() AND state_change > now() - interval '1.5 s'";

/// Where one connection is dead the others are, too: nobody else waits for a sign of life of each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_connections_to_a_server_that_has_gone_are_given_up_at_once() {
    let home = Home::postgres().await;
    home.database.close().await;
    let (database, link) = behind_a_line(&home, 500).await;
    let others = home.number(SESSIONS).await;
    let asked = (0..CONNECTIONS).map(|_| database.ping());
    for answer in futures_util::future::join_all(asked).await {
        answer.expect("alive");
    }
    let before = home.number(SESSIONS).await;
    assert!(before > others + 2, "several connections: {before} and {others}");
    wait::until("that none is trusted any more", async || {
        (home.number(USED_LATELY).await == 0).then_some(())
    })
    .await;
    link.cut();
    database.ping().await.expect_err("nobody answers");
    link.mend();
    wait::until("an answer", async || database.ping().await.ok()).await;
    wait::until("the end of all others", async || (home.number(SESSIONS).await <= others + 1).then_some(()))
        .await;
}

/// Nobody knows whether BEGIN was heard: what is written next on that connection would never be committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_given_up_in_its_first_word_is_not_left_open() {
    let home = Home::postgres().await;
    home.database.close().await;
    let (database, link) = behind_a_line(&home, 60_000).await;
    let user = |username: &str| NewUser {
        username: username.into(),
        password_hash: "$x".into(),
        role: Role::Viewer,
        doctor_id: None,
    };
    database.create_user(user("ann"), &actor()).await.expect("written");
    let writing = "SELECT pid::bigint FROM pg_stat_activity WHERE datname = current_database() \
         AND query = 'COMMIT' ORDER BY state_change DESC LIMIT 1";
    let session = home.number(writing).await;
    let lives = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE pid = {session}");
    // It is trusted for a second, and so the next one that is used, too.
    database.create_user(user("ben"), &actor()).await.expect("written");
    link.cut();
    let (writer, someone) = (database.clone(), actor());
    let given_up =
        tokio::time::timeout(Duration::from_millis(100), writer.create_user(user("cid"), &someone));
    given_up.await.expect_err("nobody answers");
    link.mend();
    wait::until("its end", async || (home.number(&lives).await == 0).then_some(())).await;
    let open =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    assert_eq!(home.number(open).await, 0);
    database.create_user(user("dan"), &actor()).await.expect("written");
    assert!(database.find_user("dan").await.expect("read").is_some());
}

/// Its machine has lost its power after it had heard us, and another one has its name. All instances and all records of what was read
/// wait for one transaction: were that one waited for, nothing would come in ever again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_that_vanished_was_asked_is_asked_of_the_next_one() {
    let home = Home::postgres().await;
    home.database.close().await;
    let (acquire_timeout_ms, statement_timeout_ms) = (500, 200);
    let config = DatabaseConfig { acquire_timeout_ms, statement_timeout_ms, ..home.config.clone() };
    let (database, link) = behind_a_line_with(&home, config).await;
    let patience = Duration::from_mins(1);
    for number in 1..3 {
        database.store_instance(instance("1.2", number)).await.expect("stored");
        database.ping().await.expect("alive");
        // The connections were used within the second for which they are trusted.
        link.forget();
        let (stored, read) = tokio::join!(
            tokio::time::timeout(patience, database.store_instance(instance("1.2", 10 + number))),
            tokio::time::timeout(patience, database.counts()),
        );
        let stored = stored.expect("in time").expect("stored");
        assert!(matches!(stored, StoreOutcome::Stored { .. }), "{stored:?}");
        read.expect("in time").expect_err("nobody answered");
    }
    assert_eq!(database.counts().await.expect("counts").instances, 4);
}

/// Its name leads to a server that another one has taken the place of: nothing is written there, and whoever asks whether this process
/// is ready hears so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_became_a_standby_is_no_server() {
    let mut cluster = Cluster::start(Durability::Unsafe);
    let url = cluster.create_database("site");
    let config =
        DatabaseConfig { url, allow_unsafe: true, acquire_timeout_ms: 500, ..DatabaseConfig::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(&config, folder.path(), Clock::system()).await.expect("it opens");
    database.store_instance(instance("1.2", 1)).await.expect("stored");
    cluster.demote();
    let refused = database.store_instance(instance("1.2", 2)).await.expect_err("a standby takes nothing");
    assert!(matches!(refused, StoreInstanceError::Database(_)), "{refused}");
    database.ping().await.expect_err("it answers, but it is of no use");
    cluster.promote();
    wait::until("the server", async || database.ping().await.ok()).await;
    database.store_instance(instance("1.2", 2)).await.expect("stored");
    assert_eq!(database.counts().await.expect("counts").instances, 2);
}
