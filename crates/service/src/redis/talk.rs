//! What nodes say to each other through Redis (publish and subscribe), on one channel. Who does not listen at that moment never
//! hears it, so whoever acts on a word looks by himself, too.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::timeout,
};
use uuid::Uuid;

use super::{ANSWER, RETRY, Redis, RedisFailed, refused};

/// A connection on which so long nothing came is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(5);

/// Something that another node said.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    about: Arc<str>,
    /// None: the connection was lost and is there again, so that anything may have been said.
    what: Option<Arc<RawValue>>,
}

/// A word on its way.
#[derive(Serialize, Deserialize)]
struct Word<'a> {
    from: Uuid,
    about: &'a str,
    #[serde(borrow)]
    what: &'a RawValue,
}

/// Hears what other nodes say about one thing.
pub struct Ear {
    about: String,
    heard: broadcast::Receiver<Heard>,
}

impl Ear {
    /// The next thing that another node says about it; none when something may have been missed.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            match self.heard.recv().await {
                Ok(Heard { what: None, .. }) | Err(RecvError::Lagged(_)) => return None,
                Ok(Heard { about, what: Some(what) }) if *about == *self.about => {
                    // What no version of ours says is nobody's.
                    if let Ok(what) = serde_json::from_str(what.get()) {
                        return Some(what);
                    }
                }
                Ok(_) => {}
                // The sender lives in the same place as we do.
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

impl Redis {
    /// Says it to all other nodes, as soon as that can be done and in this order; it is lost when it cannot be said.
    pub fn say(&self, about: &str, what: &impl Serialize) {
        if self.0.said.try_send(self.word(about, what)).is_err() {
            metrics::counter!("maxray_redis_words_lost_total").increment(1);
        }
    }

    /// Hears from now on what others say about it, while [`Redis::keep_in_touch`] runs.
    pub fn ear(&self, about: &str) -> Ear {
        Ear { about: about.to_owned(), heard: self.0.heard.subscribe() }
    }

    /// As [`Redis::say`] says it on [`Redis::channel`]: for a script that says it in the same step as it does what it tells of.
    pub fn word(&self, about: &str, what: &impl Serialize) -> String {
        let said = || {
            let what = serde_json::value::to_raw_value(what)?;
            serde_json::to_string(&Word { from: self.0.ourselves, about, what: &what })
        };
        // Nothing that we say has no form in JSON; who heard this would pass it over.
        said().unwrap_or_default()
    }

    /// Where it is said.
    pub fn channel(&self) -> String {
        self.key("nodes")
    }

    /// Says what is to be said, and hears what others say, until it is dropped.
    pub async fn keep_in_touch(&self) -> Infallible {
        tokio::join!(self.say_all(), self.hear_all()).0
    }

    async fn say_all(&self) -> Infallible {
        let mut to_say = self.0.to_say.lock().await;
        loop {
            let Some(word) = to_say.recv().await else { return std::future::pending().await };
            let said = async {
                let (channel, mut connection) = (self.channel(), self.connection().await?);
                let answer = timeout(ANSWER, publish(&mut connection, &channel, &word)).await;
                self.judge(answer).await
            };
            if said.await.is_err() {
                metrics::counter!("maxray_redis_words_lost_total").increment(1);
            }
        }
    }

    async fn hear_all(&self) -> Infallible {
        let is_heard = metrics::gauge!("maxray_redis_heard");
        let mut failing = false;
        loop {
            let error = match self.listen().await {
                Ok((sink, stream)) => {
                    failing = false;
                    is_heard.set(1.0);
                    tracing::info!("nodes talk to each other through Redis");
                    let _ = self.0.heard.send(Heard { about: "".into(), what: None });
                    self.follow(sink, stream).await
                }
                Err(error) => error,
            };
            is_heard.set(0.0);
            if !failing {
                failing = true;
                tracing::warn!(
                    %error,
                    "Redis cannot be heard: until it can, other nodes are heard through PostgreSQL, and two in a room meet at one node alone"
                );
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn listen(&self) -> Result<(PubSubSink, PubSubStream), RedisFailed> {
        let listening = async {
            let mut subscription = self.0.client.get_async_pubsub().await?;
            subscription.subscribe(self.channel()).await?;
            Ok(subscription.split())
        };
        match timeout(ANSWER, listening).await {
            Ok(listening) => listening.map_err(|error: redis::RedisError| refused(&error)),
            Err(_late) => Err(RedisFailed::Silent),
        }
    }

    /// Until the connection fails.
    async fn follow(&self, mut sink: PubSubSink, mut stream: PubSubStream) -> RedisFailed {
        loop {
            match timeout(SILENCE, stream.next()).await {
                Ok(Some(message)) => self.pass_on(message.get_payload_bytes()),
                Ok(None) => return RedisFailed::Silent,
                Err(_nothing) => match timeout(ANSWER, sink.ping::<redis::Value>()).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return refused(&error),
                    Err(_late) => return RedisFailed::Silent,
                },
            }
        }
    }

    /// To whom it may concern here; what does not read as a word is nobody's.
    fn pass_on(&self, bytes: &[u8]) {
        let Ok(word) = serde_json::from_slice::<Word<'_>>(bytes) else { return };
        if word.from != self.0.ourselves {
            // Nobody may be listening.
            let _ = self
                .0
                .heard
                .send(Heard { about: word.about.into(), what: Some(word.what.to_owned().into()) });
        }
    }
}

async fn publish(
    connection: &mut MultiplexedConnection,
    channel: &str,
    word: &str,
) -> redis::RedisResult<()> {
    redis::cmd("PUBLISH").arg(channel).arg(word).query_async(connection).await
}
