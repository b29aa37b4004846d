//! New certificates without a restart: the files are read again on SIGHUP and when one of them changes.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, TimeDelta, Utc};
use model::clock::Clock;
use rustls::ServerConfig;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{Tls, TlsConfig, TlsError, load::load};
use crate::shutdown::Shutdown;

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A certificate that ends within this time is spoken of.
const EXPIRES_SOON: TimeDelta = TimeDelta::days(14);
/// How often it is spoken of.
const REMIND_INTERVAL: TimeDelta = TimeDelta::hours(12);

/// Name, time and length of the files, to see that one has changed.
type Stamps = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

/// What new handshakes use.
pub(super) struct Current {
    name: &'static str,
    config: TlsConfig,
    protocols: Vec<Vec<u8>>,
    state: RwLock<State>,
}

struct State {
    server_config: Arc<ServerConfig>,
    expires_at: DateTime<Utc>,
    stamps: Stamps,
    reminded_at: Option<DateTime<Utc>>,
}

impl Current {
    pub fn open(name: &'static str, config: TlsConfig, protocols: Vec<Vec<u8>>) -> Result<Self, TlsError> {
        // Stamped before they are read: a change in between is seen the next time.
        let stamps = stamps(&config);
        let loaded = load(name, &config, &protocols)?;
        let state = RwLock::new(State {
            server_config: loaded.server_config,
            expires_at: loaded.expires_at,
            stamps,
            reminded_at: None,
        });
        Ok(Self { name, config, protocols, state })
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn config(&self) -> &TlsConfig {
        &self.config
    }

    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).server_config)
    }

    /// Reads the files again when one has changed, or when `asked`. Broken files change nothing.
    pub fn look(&self, asked: bool) {
        let stamps = stamps(&self.config);
        if !asked && self.state.read().unwrap_or_else(PoisonError::into_inner).stamps == stamps {
            return;
        }
        let loaded = load(self.name, &self.config, &self.protocols);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // A broken file is spoken of once, not every time one looks.
        state.stamps = stamps;
        match loaded {
            Ok(loaded) => {
                state.server_config = loaded.server_config;
                state.expires_at = loaded.expires_at;
                state.reminded_at = None;
                tracing::info!(listener = self.name, expires_at = %loaded.expires_at, "new TLS files are in use");
                metrics::counter!("maxray_tls_reloads_total", "listener" => self.name, "outcome" => "done")
                    .increment(1);
            }
            Err(error) => {
                tracing::error!(listener = self.name, %error, "new TLS files cannot be used; the old ones stay in use");
                metrics::counter!("maxray_tls_reloads_total", "listener" => self.name, "outcome" => "failed")
                    .increment(1);
            }
        }
    }

    /// Says so when the certificate ends soon.
    fn remind(&self, now: DateTime<Utc>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let left = state.expires_at - now;
        metrics::gauge!("maxray_tls_certificate_expires_seconds", "listener" => self.name)
            .set(left.num_seconds() as f64);
        let told = state.reminded_at.is_some_and(|at| now - at < REMIND_INTERVAL);
        if left > EXPIRES_SOON || told {
            return;
        }
        state.reminded_at = Some(now);
        let expires_at = state.expires_at;
        if left <= TimeDelta::zero() {
            tracing::error!(listener = self.name, %expires_at, "the TLS certificate has expired: renew it");
        } else {
            tracing::warn!(listener = self.name, %expires_at, "the TLS certificate expires soon: renew it");
        }
    }
}

/// Stands for the files of every listener until the shutdown begins.
///
/// # Errors
/// When SIGHUP cannot be listened for.
pub async fn watch(listeners: Vec<Tls>, clock: Clock, shutdown: Shutdown) -> std::io::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let asked = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = hang_up.recv() => true,
            _ = ticks.tick() => false,
        };
        for Tls(current) in &listeners {
            let current = Arc::clone(current);
            let now = clock.now();
            // Files may lie on a slow mount.
            let looked = tokio::task::spawn_blocking(move || {
                current.look(asked);
                current.remind(now);
            });
            if let Err(error) = looked.await {
                tracing::error!(%error, "the TLS files could not be looked at");
            }
        }
    }
}

fn stamps(config: &TlsConfig) -> Stamps {
    let stamp = |path: &std::path::Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    config.files().map(|path| (path.to_owned(), stamp(path))).collect()
}
