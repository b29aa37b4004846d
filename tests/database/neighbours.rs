//! Word between processes on one PostgreSQL: what one of them commits wakes the others, also after their connection was lost.

use std::time::Duration;

use database::{AuditRecord, Database, NewSession, NewUser, SessionKind, SessionSet, Word};
use model::access::Role;
use service::redis::{Redis, RedisConfig};
use tests::{redis::RedisServer, tls::Authority, wait};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::support::{Home, START, actor, at, instance};

/// Words are at most 100 ms apart, and 300 ms after one is looked once more.
const LONGER_THAN_WORD: Duration = Duration::from_millis(800);

/// Somebody else on the same database, who tells and hears.
struct Neighbour {
    database: Database,
    commits: watch::Receiver<u64>,
    touch: JoinHandle<()>,
}

impl Neighbour {
    async fn of(home: &Home) -> Self {
        let database = home.reopen().await;
        let listening = database.clone();
        let touch = tokio::spawn(async move { match listening.keep_in_touch().await {} });
        Self { commits: database.subscribe_commits(), database, touch }
    }

    /// One that hears nothing of PostgreSQL: its connection that listens is lost.
    async fn through_redis(home: &Home, config: &RedisConfig) -> Self {
        let database = home.reopen().await;
        let redis = Redis::new(config).expect("settings").expect("a Redis");
        let listening = database.clone();
        let touch = tokio::spawn(async move {
            tokio::join!(redis.keep_in_touch(), redis.carry_words(&listening));
        });
        Self { commits: database.subscribe_commits(), database, touch }
    }

    /// Since the last time.
    async fn is_woken(&mut self) {
        let woken = tokio::time::timeout(Duration::from_mins(1), self.commits.changed());
        woken.await.expect("word comes").expect("the database is open");
    }

    /// Until nothing more comes: what a listener that begins, or hears, looks at once more.
    async fn is_quiet(&mut self) {
        while let Ok(changed) = tokio::time::timeout(LONGER_THAN_WORD, self.commits.changed()).await {
            changed.expect("the database is open");
        }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.touch.abort();
    }
}

/// Connections that listen.
const LISTENERS: &str = "pg_stat_activity WHERE datname = current_database() \
     AND application_name = 'maxray listens' AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')";

async fn all_listen(home: &Home, count: i64) {
    let counted = format!("SELECT COUNT(*) FROM {LISTENERS}");
    wait::until("listeners", async || (home.number(&counted).await == count).then_some(())).await;
}

/// One that lives for an hour.
async fn a_session(database: &Database) -> Uuid {
    let user =
        NewUser { username: "ann".into(), password_hash: "$x".into(), role: Role::Viewer, doctor_id: None };
    let user = database.create_user(user, &actor()).await.expect("created").id;
    let session = NewSession::new(user, SessionKind::Password, at(START + 3_600));
    database.create_session(session, &actor()).await.expect("opened").session.id
}

/// Two of them, to whom everything has been said.
async fn two_neighbours() -> (Home, Neighbour, Neighbour) {
    let home = Home::postgres().await;
    let (mut here, mut there) = (Neighbour::of(&home).await, Neighbour::of(&home).await);
    all_listen(&home, 2).await;
    here.is_quiet().await;
    there.is_quiet().await;
    (home, here, there)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_commits_wakes_the_others() {
    let (home, here, mut there) = two_neighbours().await;
    here.database.store_instance(instance("1.2.3", 1)).await.expect("stored");
    there.is_woken().await;
    there.is_quiet().await;
    // What writes no event wakes nobody elsewhere, or nodes would wake each other for ever.
    here.database.audit(AuditRecord::success(&actor(), "test")).await.expect("written");
    let woken = tokio::time::timeout(LONGER_THAN_WORD, there.commits.changed()).await;
    assert!(woken.is_err(), "woken for a record of the audit trail");
    drop(here);
    all_listen(&home, 1).await;
}

/// An event waits for transactions that began before it: whoever was woken too early looks once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_settled_is_looked_for_again() {
    let (home, here, mut there) = two_neighbours().await;
    let before = there.database.outbox_last().await.expect("a number");
    let writes = home.somebody_writes().await;
    here.database.store_instance(instance("1.2.3", 1)).await.expect("stored");
    there.is_woken().await;
    assert!(there.database.outbox_after(before, 10).await.expect("events").is_empty());
    drop(writes);
    there.is_woken().await;
    wait::until("the event", async || {
        let found = there.database.outbox_after(before, 10).await.expect("events");
        (!found.is_empty()).then_some(())
    })
    .await;
}

/// The session is known to be good, so that nobody would ask again for two seconds; word is quicker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_ends_everywhere() {
    let home = Home::postgres().await;
    let mut there = Neighbour::of(&home).await;
    all_listen(&home, 1).await;
    there.is_quiet().await;
    let session = a_session(&home.database).await;
    assert!(!there.database.is_session_revoked(session).await.expect("known"));
    // By a command that listens to nobody, as `maxray user deactivate`.
    home.database.revoke_sessions(SessionSet::One(session), "test", &actor()).await.expect("revoked");
    there.is_woken().await;
    assert!(there.database.is_session_revoked(session).await.expect("known"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_is_made_again() {
    let (home, here, mut there) = two_neighbours().await;
    home.sql(&format!("SELECT pg_terminate_backend(pid) FROM {LISTENERS}")).await;
    // Nobody knows what was said meanwhile.
    there.is_woken().await;
    all_listen(&home, 2).await;
    there.is_quiet().await;
    here.database.store_instance(instance("1.2.3", 1)).await.expect("stored");
    there.is_woken().await;
}

/// Redis carries the same words, also over TLS, and when it comes back everybody looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_carries_words_where_postgresql_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let mut server = RedisServer::start(Some(authority.issue("127.0.0.1", |_| {})));
    let ca_file = authority.file().to_string_lossy().into_owned();
    let config = RedisConfig { url: server.url(), ca_file, ..RedisConfig::default() };
    let home = Home::postgres().await;
    let here = Neighbour::through_redis(&home, &config).await;
    let mut there = Neighbour::through_redis(&home, &config).await;
    there.is_woken().await;
    there.is_quiet().await;
    here.database.store_instance(instance("1.2.3", 1)).await.expect("stored");
    there.is_woken().await;

    let session = a_session(&here.database).await;
    there.is_quiet().await;
    assert!(!there.database.is_session_revoked(session).await.expect("known"));
    here.database.revoke_sessions(SessionSet::One(session), "test", &actor()).await.expect("revoked");
    there.is_woken().await;
    assert!(there.database.is_session_revoked(session).await.expect("known"));

    there.is_quiet().await;
    server.kill();
    here.database.store_instance(instance("1.2.3", 2)).await.expect("stored without it");
    server.start_again();
    there.is_woken().await;
    // Archives that share a Redis do not hear each other.
    let stranger = Redis::new(&RedisConfig { prefix: "elsewhere".to_owned(), ..config }).expect("settings");
    let stranger = stranger.expect("a Redis");
    there.is_quiet().await;
    let talking = stranger.clone();
    let touch = tokio::spawn(async move { match talking.keep_in_touch().await {} });
    stranger.say("database", &Word::Events);
    let woken = tokio::time::timeout(LONGER_THAN_WORD, there.commits.changed()).await;
    assert!(woken.is_err(), "woken by another archive");
    touch.abort();
}

/// There is nobody else.
#[tokio::test]
async fn sqlite_has_no_neighbours() {
    let home = Home::sqlite().await;
    let touch = tokio::time::timeout(Duration::from_millis(50), home.database.keep_in_touch()).await;
    assert!(touch.is_err(), "it goes on for ever and does nothing");
}
