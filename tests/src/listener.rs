//! Somebody who listens to `/events`.

use std::time::{Duration, Instant};

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::session::Session;

/// How long an event may take to arrive. An idle machine takes milliseconds; tests share theirs.
const EVENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Somebody who listens to `/events`.
#[derive(Debug)]
pub struct Listener {
    answer: Response,
    text: String,
}

impl Listener {
    /// Listens from now on, or from an event on.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn open(session: &Session, last_event_id: Option<i64>) -> Self {
        let mut request = session.request(Method::GET, "/events");
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id.to_string());
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        Self { answer, text: String::new() }
    }

    /// The data of the next event of that name; others are passed over.
    ///
    /// # Panics
    /// When none comes within ten seconds.
    pub async fn wait_for(&mut self, name: &str) -> Value {
        let deadline = Instant::now() + EVENT_TIMEOUT;
        loop {
            while let Some((event, _)) = self.text.split_once("\n\n") {
                let line =
                    |start: &str| event.lines().find_map(|line| line.strip_prefix(start)).map(str::trim);
                let data = line("data:").filter(|_| line("event:") == Some(name)).map(str::to_owned);
                let read = event.len() + 2;
                self.text.drain(..read);
                if let Some(data) = data {
                    return serde_json::from_str(&data).expect("the data is JSON");
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let chunk = tokio::time::timeout(left, self.answer.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("no {name} came"));
            let chunk =
                chunk.expect("the stream is readable").unwrap_or_else(|| panic!("ended before {name}"));
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}
