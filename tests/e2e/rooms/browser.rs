//! A browser in a room, as far as its socket goes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

/// An idle machine takes milliseconds; the consultation is looked at every four seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What browsers say of a connection without a reason (RFC 6455 7.4.1).
pub const CUT_OFF: u16 = 1006;

/// One that says and hears texts.
pub struct Browser(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Browser {
    pub async fn open(address: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(address).await.expect("a socket");
        Self(socket)
    }

    /// With what it says first.
    pub async fn join(address: &str, ticket: &str) -> Self {
        let mut browser = Self::open(address).await;
        browser.say(&json!({ "type": "join", "ticket": ticket })).await;
        browser
    }

    pub async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.expect("sent");
    }

    /// The code with which the socket is closed, whatever is said before.
    pub async fn hear_the_end(&mut self) -> u16 {
        loop {
            if let Err(code) = self.hear().await {
                return code;
            }
        }
    }

    /// The next text; or the code with which the socket was closed.
    pub async fn hear(&mut self) -> Result<Value, u16> {
        let heard = async {
            loop {
                match self.0.next().await.expect("a frame") {
                    Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).expect("JSON")),
                    Ok(Message::Close(frame)) => return Err(frame.expect("a reason").code.into()),
                    Ok(_) => {}
                    Err(_) => return Err(CUT_OFF),
                }
            }
        };
        timeout(PATIENCE, heard).await.expect("something within half a minute")
    }

    /// Says it to the other one.
    pub async fn signal(&mut self, data: &Value) {
        self.say(&json!({ "type": "signal", "data": data })).await;
    }

    /// Nothing comes for so long.
    pub async fn hears_nothing(&mut self, during: Duration) {
        let heard = timeout(during, self.hear()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}
