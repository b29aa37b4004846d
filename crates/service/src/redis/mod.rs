//! The Redis that several nodes may share: what they say to each other, and small things that end by themselves. Nothing that has to
//! be right depends on it: what is lost with it is made anew, and without one nodes have the words of the database.

mod config;
mod talk;
mod words;

use std::{sync::Arc, time::Duration};

use redis::{AsyncConnectionConfig, Client, FromRedisValue, aio::MultiplexedConnection};
use tokio::{
    sync::{Mutex, broadcast, mpsc},
    time::Instant,
};
use uuid::Uuid;

pub use config::{RedisConfig, RedisConfigError};
pub use redis::Script;
pub use talk::Ear;
use talk::Heard;

/// What one request, and a connection, may take.
const ANSWER: Duration = Duration::from_secs(1);
/// After a failure nobody tries for so long: who asks is told at once.
const RETRY: Duration = Duration::from_secs(1);
/// Words that wait to be said, and words that wait for a listener of this node that is slow.
const WORDS_MAX: usize = 1_024;

/// Redis did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisFailed {
    /// No answer in time, or none lately.
    #[error("Redis does not answer")]
    Silent,
    /// It refused, or is not there.
    #[error("Redis: {0}")]
    Refused(String),
}

/// The way to it; clones share it.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    prefix: String,
    /// This node among the others, until it ends.
    ourselves: Uuid,
    connection: Mutex<Link>,
    said: mpsc::Sender<String>,
    /// Until [`Redis::keep_in_touch`] has it.
    to_say: Mutex<mpsc::Receiver<String>>,
    heard: broadcast::Sender<Heard>,
}

enum Link {
    Up(MultiplexedConnection),
    DownSince(Option<Instant>),
}

impl Redis {
    /// None without one in the settings. It is not connected to yet.
    ///
    /// # Errors
    /// When a setting makes no sense.
    pub fn new(config: &RedisConfig) -> Result<Option<Self>, RedisConfigError> {
        config.check()?;
        let Some(client) = config.client()? else { return Ok(None) };
        let (said, to_say) = mpsc::channel(WORDS_MAX);
        Ok(Some(Self(Arc::new(Inner {
            client,
            prefix: config.prefix.clone(),
            ourselves: Uuid::now_v7(),
            connection: Mutex::new(Link::DownSince(None)),
            said,
            to_say: Mutex::new(to_say),
            heard: broadcast::Sender::new(WORDS_MAX),
        }))))
    }

    /// The name of a key of this archive.
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.0.prefix)
    }

    /// Runs a script, which Redis does as one step.
    ///
    /// # Errors
    /// When it does not answer within a second, or had not a moment ago.
    pub async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[&str],
    ) -> Result<T, RedisFailed> {
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(key);
        }
        for argument in arguments {
            invocation.arg(*argument);
        }
        let mut connection = self.connection().await?;
        let answer = tokio::time::timeout(ANSWER, invocation.invoke_async(&mut connection)).await;
        self.judge(answer).await
    }

    /// A way to it, that is made when there is none.
    async fn connection(&self) -> Result<MultiplexedConnection, RedisFailed> {
        let mut link = self.0.connection.lock().await;
        match &*link {
            Link::Up(connection) => return Ok(connection.clone()),
            Link::DownSince(Some(failed)) if failed.elapsed() < RETRY => return Err(RedisFailed::Silent),
            Link::DownSince(_) => {}
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER));
        let connecting = self.0.client.get_multiplexed_async_connection_with_config(&config);
        let made = match tokio::time::timeout(ANSWER, connecting).await {
            Ok(made) => made.map_err(|error| refused(&error)),
            Err(_late) => Err(RedisFailed::Silent),
        };
        *link = match &made {
            Ok(connection) => Link::Up(connection.clone()),
            Err(_) => Link::DownSince(Some(Instant::now())),
        };
        made
    }

    /// A connection that failed is not used again.
    async fn judge<T>(
        &self,
        answer: Result<redis::RedisResult<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, RedisFailed> {
        let failed = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => refused(&error),
            Err(_late) => RedisFailed::Silent,
        };
        *self.0.connection.lock().await = Link::DownSince(Some(Instant::now()));
        Err(failed)
    }
}

fn refused(error: &redis::RedisError) -> RedisFailed {
    RedisFailed::Refused(error.to_string())
}
