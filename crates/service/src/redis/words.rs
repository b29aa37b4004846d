//! The words of the database (new events, sessions that were taken back), carried by Redis beside PostgreSQL: a node whose connection
//! that listens is lost, or being made again, hears of them all the same.

use std::{convert::Infallible, time::Duration};

use database::{Database, Word};

use super::Redis;

/// What the words are said about.
const ABOUT: &str = "database";
/// The first word of a burst of commits goes at once, the next ones so far apart.
const WORDS_APART: Duration = Duration::from_millis(100);

impl Redis {
    /// Tells other nodes what this one committed, and hears what they did, until it is dropped. Needs [`Redis::keep_in_touch`].
    pub async fn carry_words(&self, database: &Database) -> Infallible {
        tokio::join!(
            self.tell(database, Word::Events),
            self.tell(database, Word::Sessions),
            self.listen_for_words(database)
        )
        .0
    }

    async fn tell(&self, database: &Database, word: Word) -> Infallible {
        let mut own = database.own_words(word);
        while own.changed().await.is_ok() {
            self.say(ABOUT, &word);
            tokio::time::sleep(WORDS_APART).await;
        }
        std::future::pending().await
    }

    async fn listen_for_words(&self, database: &Database) -> Infallible {
        let mut ear = self.ear(ABOUT);
        loop {
            let word = ear.next().await;
            if let Err(error) = database.hear_word(word).await {
                tracing::debug!(%error, "what another node told of is found by looking");
            }
        }
    }
}
