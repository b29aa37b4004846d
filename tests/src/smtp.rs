//! A mail server: takes what comes over SMTP and keeps it, or answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::wait;

/// An e-mail as it came.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// As `MAIL FROM:<...>`.
    pub from: String,
    /// As `RCPT TO:<...>`.
    pub to: String,
    /// Header and text.
    pub data: String,
}

#[derive(Debug, Default)]
struct Kept {
    mails: Vec<Mail>,
    refusal: Option<&'static str>,
    refused: usize,
}

/// The server. It ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct SmtpServer {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl SmtpServer {
    /// Starts it.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = Self { address: listener.local_addr().expect("an address"), kept: Arc::default() };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                tokio::spawn(async move {
                    let _gone = server.talk(stream).await;
                });
            }
        });
        server
    }

    /// Where it is, as a setting.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Answers every receiver with this line from now on; `None` takes them.
    pub fn refuse(&self, line: Option<&'static str>) {
        self.kept().refusal = line;
    }

    /// How many receivers were refused.
    pub fn refused(&self) -> usize {
        self.kept().refused
    }

    /// What came.
    pub fn mails(&self) -> Vec<Mail> {
        self.kept().mails.clone()
    }

    /// Waits until `count` e-mails have come.
    ///
    /// # Panics
    /// When they do not.
    pub async fn wait_for(&self, count: usize) -> Vec<Mail> {
        wait::until("e-mails", async || Some(self.mails()).filter(|mails| mails.len() >= count)).await
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reading, mut writing) = stream.into_split();
        let mut lines = BufReader::new(reading).lines();
        let mut mail = Mail::default();
        writing.write_all(b"220 here\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let upper = line.to_ascii_uppercase();
            let answer = if upper.starts_with("MAIL FROM:") {
                mail = Mail { from: line, ..Mail::default() };
                "250 ok"
            } else if upper.starts_with("RCPT TO:") {
                mail.to = line;
                let mut kept = self.kept();
                kept.refused += usize::from(kept.refusal.is_some());
                kept.refusal.unwrap_or("250 ok")
            } else if upper == "DATA" {
                writing.write_all(b"354 go on\r\n").await?;
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    mail.data.push('\n');
                }
                self.kept().mails.push(mail.clone());
                "250 kept"
            } else if upper == "QUIT" {
                return writing.write_all(b"221 bye\r\n").await;
            } else {
                "250 ok"
            };
            writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}
