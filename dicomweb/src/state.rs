//! What the handlers share.

use std::{sync::Arc, time::Duration};

use archive::Archive;
use axum::extract::FromRef;
use database::Database;
use service::{decoder::DecoderPool, http::problem::Problem, identity::Authenticator};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    audit::ReadAudit,
    config::DicomwebConfig,
    stow_rs::spool::SpoolConfig,
    urls::Urls,
    wado_rs::{frame_cache::FrameCache, transcode::Patience},
};

/// What this door is given.
#[derive(Clone)]
pub struct DicomwebState {
    /// Where instances are.
    pub archive: Archive,
    /// Who may come in.
    pub authenticator: Authenticator,
    /// Where frames of strangers are decoded.
    pub decoder: DecoderPool,
    /// Settings.
    pub config: DicomwebConfig,
    /// Where bulk data of STOW-RS requests wait for the rest of theirs.
    pub spool: SpoolConfig,
}

/// The state of the routes; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub archive: Archive,
    pub authenticator: Authenticator,
    pub decoder: DecoderPool,
    pub config: DicomwebConfig,
    pub spool: Arc<SpoolConfig>,
    pub urls: Urls,
    pub audit: ReadAudit,
    pub frame_cache: FrameCache,
    renders: Semaphore,
}

impl App {
    /// Takes the parts.
    pub fn new(state: DicomwebState) -> Self {
        let DicomwebState { archive, authenticator, decoder, config, spool } = state;
        let spool = Arc::new(spool);
        let audit = ReadAudit::default();
        let (urls, renders) = (Urls::new(&config), Semaphore::new(config.renders_max));
        let frame_cache = FrameCache::new(config.frame_cache_max_bytes);
        Self(Arc::new(Shared {
            archive,
            authenticator,
            decoder,
            config,
            spool,
            urls,
            audit,
            frame_cache,
            renders,
        }))
    }

    pub fn database(&self) -> &Database {
        self.archive.database()
    }

    /// Waits for a place to decode and render. Before an answer begins too long a wait is overload; in the middle of
    /// one there is no status left to say so.
    pub async fn place(&self, patience: Patience) -> Result<SemaphorePermit<'_>, Problem> {
        let stopping = || Problem::unavailable("the server is stopping");
        let place = self.renders.acquire();
        if patience == Patience::Unlimited {
            return place.await.map_err(|_| stopping());
        }
        let wait = Duration::from_millis(self.config.render_wait_timeout_ms);
        match tokio::time::timeout(wait, place).await {
            Ok(place) => place.map_err(|_| stopping()),
            Err(_) => Err(Problem::unavailable("too many pictures are being rendered")),
        }
    }
}

impl std::ops::Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<App> for Authenticator {
    fn from_ref(app: &App) -> Self {
        app.authenticator.clone()
    }
}
