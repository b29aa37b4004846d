//! What the handlers share.

use std::sync::Arc;

use archive::Archive;
use axum::extract::FromRef;
use conversion::Converter;
use database::Database;
use service::identity::Authenticator;

use crate::{
    audit::ReadAudit, config::DicomwebConfig, stow_rs::spool::SpoolConfig, wado_rs::frame_cache::FrameCache,
};

/// What this door is given.
#[derive(Clone)]
pub struct DicomwebState {
    /// Where instances are.
    pub archive: Archive,
    /// Who may come in.
    pub authenticator: Authenticator,
    /// Where frames are decoded and made anew.
    pub converter: Converter,
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
    pub converter: Converter,
    pub config: DicomwebConfig,
    pub spool: Arc<SpoolConfig>,
    pub audit: ReadAudit,
    pub frame_cache: FrameCache,
}

impl App {
    /// Takes the parts.
    pub fn new(state: DicomwebState) -> Self {
        let DicomwebState { archive, authenticator, converter, config, spool } = state;
        let spool = Arc::new(spool);
        let audit = ReadAudit::default();
        let frame_cache = FrameCache::new(config.frame_cache_max_bytes);
        Self(Arc::new(Shared { archive, authenticator, converter, config, spool, audit, frame_cache }))
    }

    pub fn database(&self) -> &Database {
        self.archive.database()
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
