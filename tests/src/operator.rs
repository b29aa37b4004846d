//! What an operator does at the command line, and what metrics and the audit trail say afterwards.

use std::net::TcpListener;

use database::{AuditRecord, Database, DatabaseConfig};
use model::clock::Clock;

use crate::platform::Platform;

/// A port on which nobody listens at the moment.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let [port] = free_ports();
    port
}

/// Several of them, each another one.
///
/// # Panics
/// As [`free_port`].
pub fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until the last is known.
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|listener| listener.local_addr().expect("an address").port())
}

impl Platform {
    /// What Prometheus reads.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn metrics(&self) -> String {
        let answer = self.client().get(self.url("/metrics")).send().await.expect("an answer");
        answer.text().await.expect("text")
    }

    /// A metric, summed over its labels, or with labels as Prometheus writes them; 0 when there is none.
    ///
    /// # Panics
    /// As [`Self::metrics`].
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.metrics().await;
        let is_of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values =
            text.lines().filter(is_of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }

    /// `maxray ARGUMENTS`: whether it went well, and all that it said.
    ///
    /// # Panics
    /// When it does not run at all.
    pub fn operate(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command(arguments).output().expect("maxray runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), text)
    }

    /// `maxray ae ARGUMENTS`.
    ///
    /// # Panics
    /// With its output when it fails.
    pub fn ae(&self, arguments: &[&str]) {
        let (done, text) = self.operate(&[&["ae"], arguments].concat());
        assert!(done, "maxray ae {arguments:?}: {text}");
    }

    /// Registers an AE that calls from this machine.
    ///
    /// # Panics
    /// As [`Self::ae`].
    pub fn register_ae(&self, title: &str, arguments: &[&str]) {
        self.ae(&[&["add", title, "127.0.0.1"], arguments].concat());
    }

    /// Waits until the next association finds what [`Self::ae`] changed. What is changed before the first one needs no waiting.
    pub async fn registry_read_again(&self) {
        tokio::time::sleep(pacs::REGISTRY_FRESH_FOR).await;
    }

    /// The database beside the server, whichever it is.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn database(&self) -> Database {
        let url = self.setting("MAXRAY_DATABASE__URL").unwrap_or_default().to_owned();
        let config = DatabaseConfig { url, allow_unsafe: true, insecure: true, ..DatabaseConfig::default() };
        Database::open(&config, &self.data_directory(), Clock::system()).await.expect("opens")
    }

    /// The records of one action.
    ///
    /// # Panics
    /// When the trail cannot be read.
    pub async fn audit_records(&self, action: &str) -> Vec<AuditRecord> {
        let database = self.database().await;
        let trail = database.audit_page(0, 1000).await.expect("the trail");
        database.close().await;
        trail.into_iter().map(|row| row.record).filter(|record| record.action == action).collect()
    }
}
