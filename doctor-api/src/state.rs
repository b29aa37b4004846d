//! What the handlers share.

use std::sync::Arc;

use archive::Archive;
use axum::extract::FromRef;
use conversion::Converter;
use database::Database;
use model::clock::Clock;
use service::{
    events::EventBus,
    identity::{Authenticator, DoctorKeys, Issuer, SignIn},
    notifications::WebhooksConfig,
    patient_service::PatientService,
    redis::Redis,
    shutdown::Shutdown,
};
use tokio::sync::Semaphore;

use crate::{
    audit::RecentLooks, config::DoctorApiConfig, documents::fonts::Fonts, events::places::Places, rooms::Hall,
};

/// What this door is built from.
#[derive(Clone)]
pub struct DoctorApiState {
    /// Database and objects.
    pub archive: Archive,
    /// Signs access tokens.
    pub issuer: Issuer,
    /// Signs what doctors sign.
    pub doctor_keys: DoctorKeys,
    /// Checks access tokens.
    pub authenticator: Authenticator,
    /// Proves passwords.
    pub sign_in: SignIn,
    /// Events as they happen.
    pub events: EventBus,
    /// Makes pictures, and has strangers' pixels decoded.
    pub converter: Converter,
    /// Settings.
    pub config: DoctorApiConfig,
    /// Settings of webhooks.
    pub webhooks: WebhooksConfig,
    /// Says who a Patient ID is.
    pub patient_service: PatientService,
    /// What nodes share beside the archive, when they do.
    pub redis: Option<Redis>,
    /// Tells the time.
    pub clock: Clock,
}

/// The parts, and what is kept between requests; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// See [`AppState`].
pub struct Inner {
    pub archive: Archive,
    pub issuer: Issuer,
    pub doctor_keys: DoctorKeys,
    pub authenticator: Authenticator,
    pub sign_in: SignIn,
    pub events: EventBus,
    pub converter: Converter,
    pub config: DoctorApiConfig,
    pub webhooks: WebhooksConfig,
    pub patient_service: PatientService,
    pub redis: Option<Redis>,
    pub clock: Clock,
    /// Ends the event streams, which do not end by themselves.
    pub shutdown: Shutdown,
    /// Bounds the memory that decoded pictures take together.
    pub picture_decodes: Semaphore,
    /// Bounds the cores that PDFs take together.
    pub pdfs: Arc<Semaphore>,
    /// What documents are printed with.
    pub fonts: Fonts,
    /// Reads that were audited lately.
    pub recent_looks: RecentLooks,
    /// Bounds the listeners on `/events`.
    pub event_places: Arc<Places>,
    /// Who is in which room.
    pub hall: Arc<Hall>,
}

impl AppState {
    pub fn new(parts: DoctorApiState, shutdown: Shutdown) -> Self {
        let DoctorApiState { archive, issuer, doctor_keys, authenticator, events, converter, .. } = parts;
        let (config, webhooks, clock) = (parts.config, parts.webhooks, parts.clock);
        Self(Arc::new(Inner {
            picture_decodes: Semaphore::new(config.picture_decodes_max),
            pdfs: Arc::new(Semaphore::new(config.prescription.pdfs_max)),
            fonts: Fonts::new(config.prescription.font_directories.clone()),
            recent_looks: RecentLooks::default(),
            hall: Arc::new(Hall::new(config.room.connections_max)),
            event_places: Arc::new(Places::new(
                config.event_listeners_max,
                config.event_listeners_per_account_max,
            )),
            archive,
            issuer,
            doctor_keys,
            authenticator,
            sign_in: parts.sign_in,
            events,
            converter,
            config,
            webhooks,
            patient_service: parts.patient_service,
            redis: parts.redis,
            clock,
            shutdown,
        }))
    }

    pub fn database(&self) -> &Database {
        self.0.archive.database()
    }
}

impl std::ops::Deref for AppState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}
