//! Word of what this process committed to the others on the same PostgreSQL, and theirs to this one (LISTEN and NOTIFY), so
//! that nobody waits for the next look. Word may be lost, or never come: whoever is woken looks by itself, too, only later.
//! Whoever knows another way to carry words has them from [`Database::own_words`] and brings them to [`Database::hear_word`].

use std::{convert::Infallible, time::Duration};

use serde::{Deserialize, Serialize};
use sqlx::pool::PoolOptions;
use sqlx_postgres::{PgExecutor, PgListener, PgNotification, Postgres};
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use crate::{
    Database, DatabaseError, Engine,
    engine::{Tx, TxInner},
};

/// Of each database one.
const CHANNEL: &str = "maxray";
/// The first word of a burst of commits goes at once, the next ones so far apart.
const WORDS_APART: Duration = Duration::from_millis(100);
/// What a word tells of may have to wait for a transaction that began earlier: so much later is looked once more.
const LOOKED_AGAIN_AFTER: Duration = Duration::from_millis(300);
/// A connection on which so long nothing came is asked for a sign of life, and so long it has for it: a machine that vanished says nothing.
const SILENCE: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(5);
/// Between two attempts at a server that is not there.
const RETRY: Duration = Duration::from_secs(1);
/// Sessions were taken back.
const SESSIONS: &str = "sessions";
/// There are new events; the process that has them follows, which need not hear of itself.
const EVENTS: &str = "events ";

/// What a process tells the others on its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// There are new events.
    Events,
    /// Sessions were taken back.
    Sessions,
}

impl Database {
    /// Counts the commits of this process that others should hear this word of.
    pub fn own_words(&self, word: Word) -> watch::Receiver<u64> {
        match word {
            Word::Events => self.shared().own_events.subscribe(),
            Word::Sessions => self.shared().own_revocations.subscribe(),
        }
    }

    /// Another process said this word, or, with none, may have said anything: whoever waits for it looks.
    ///
    /// # Errors
    /// When PostgreSQL does not say which sessions were taken back.
    pub async fn hear_word(&self, word: Option<Word>) -> Result<(), DatabaseError> {
        let Self::Postgres(engine) = self else { return Ok(()) };
        if word != Some(Word::Events) {
            self.ask_for_revoked_sessions().await?;
        }
        wake(engine);
        engine.shared.heard.notify_one();
        Ok(())
    }

    /// Tells and hears until it is dropped. On SQLite there is nobody else.
    pub async fn keep_in_touch(&self) -> Infallible {
        let Self::Postgres(engine) = self else { return std::future::pending().await };
        let ourselves = Uuid::now_v7();
        tokio::join!(tell(engine, ourselves), self.hear(engine, ourselves), look_again(engine)).0
    }

    async fn hear(&self, engine: &Engine<Postgres>, ourselves: Uuid) -> Infallible {
        let own = format!("{EVENTS}{ourselves}");
        let is_heard = metrics::gauge!("maxray_neighbours_heard");
        let mut failing = false;
        loop {
            let Err(error) = match self.listen(engine).await {
                Ok(mut listener) => {
                    failing = false;
                    is_heard.set(1.0);
                    tracing::info!(
                        "nodes tell each other by LISTEN and NOTIFY of PostgreSQL what they have committed"
                    );
                    self.follow(&mut listener, &own).await
                }
                Err(error) => Err(error),
            };
            is_heard.set(0.0);
            if !failing {
                failing = true;
                tracing::warn!(%error, "other nodes cannot be heard; what they do is found by looking, until they can");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn listen(&self, engine: &Engine<Postgres>) -> Result<PgListener, DatabaseError> {
        // A connection of its own, that is never given back.
        let own_connection =
            PoolOptions::<Postgres>::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let options = (*engine.read.pool().connect_options()).clone().application_name("maxray listens");
        let own_connection = own_connection.connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&own_connection).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    async fn follow(&self, listener: &mut PgListener, own: &str) -> Result<Infallible, DatabaseError> {
        // What was said before is not repeated: everything may have happened.
        self.hear_word(None).await?;
        loop {
            let Ok(said) = tokio::time::timeout(SILENCE, listener.try_recv()).await else {
                in_time(sqlx::query("SELECT 1").execute(&mut *listener)).await?;
                continue;
            };
            let said = said?;
            match said.as_ref().map(PgNotification::payload) {
                Some(word) if word == own => {}
                // Without a word the connection was lost, and is there again.
                None | Some(SESSIONS) => self.hear_word(None).await?,
                Some(_) => self.hear_word(Some(Word::Events)).await?,
            }
        }
    }
}

/// In the transaction that takes sessions back, so that it is said with the commit or not at all. PostgreSQL lets one
/// transaction at a time commit that says something: these are few, those with events are not.
pub(crate) async fn say_that_sessions_end(tx: &mut Tx) -> Result<(), DatabaseError> {
    match &mut tx.inner {
        TxInner::Postgres(transaction) if !tx.revoked_sessions.is_empty() => {
            notify(&mut **transaction, SESSIONS).await
        }
        _ => Ok(()),
    }
}

/// Whoever waits for commits looks.
fn wake(engine: &Engine<Postgres>) {
    engine.shared.commits.send_modify(|commits| *commits += 1);
}

async fn look_again(engine: &Engine<Postgres>) -> Infallible {
    loop {
        engine.shared.heard.notified().await;
        tokio::time::sleep(LOOKED_AGAIN_AFTER).await;
        wake(engine);
    }
}

async fn tell(engine: &Engine<Postgres>, ourselves: Uuid) -> Infallible {
    let mut events = engine.shared.own_events.subscribe();
    let word = format!("{EVENTS}{ourselves}");
    let mut failing = false;
    loop {
        if events.changed().await.is_err() {
            return std::future::pending().await;
        }
        let said = Instant::now();
        match notify(&engine.read, &word).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "other nodes cannot be told; they find what is new by looking");
            }
            Err(_) => {}
        }
        tokio::time::sleep_until(said + WORDS_APART).await;
    }
}

async fn notify(connection: impl PgExecutor<'_>, word: &str) -> Result<(), DatabaseError> {
    in_time(sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(word).execute(connection)).await
}

async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<(), DatabaseError> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => Ok(answer.map(drop)?),
        Err(_late) => Err(DatabaseError::Unavailable("PostgreSQL says nothing".to_owned())),
    }
}
