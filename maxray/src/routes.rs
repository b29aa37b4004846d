//! Everything that is answered over HTTP, as far as this process has the roles.

use archive::Archive;
use axum::{Router, response::Redirect, routing::get};
use service::http::limits;

use crate::{parts::Parts, roles::Role, settings::Settings};

/// The routes of the doors, beside those of `health`.
pub fn router(settings: &Settings, archive: &Archive, parts: &Parts, health: Router) -> Router {
    let dicomweb = dicomweb::mounts(dicomweb::DicomwebState {
        archive: archive.clone(),
        authenticator: parts.authenticator.clone(),
        converter: parts.converter.clone(),
        config: settings.dicomweb.clone(),
        spool: parts.spool.clone(),
    });
    let doctor_api = doctor_api::router_until(
        doctor_api::DoctorApiState {
            archive: archive.clone(),
            issuer: parts.issuer.clone(),
            doctor_keys: parts.doctor_keys.clone(),
            authenticator: parts.authenticator.clone(),
            sign_in: parts.sign_in.clone(),
            events: parts.events.clone(),
            converter: parts.converter.clone(),
            config: settings.doctor_api.clone(),
            webhooks: settings.notifications.webhooks.clone(),
            patient_service: parts.patient_service.clone(),
            redis: parts.redis.clone(),
            clock: parts.clock.clone(),
        },
        parts.shutdown.clone(),
    );
    let mut router = Router::new().merge(health);
    if settings.has(Role::DoctorApi) {
        router = router.route("/", get(|| async { Redirect::temporary("/docs") })).merge(doctor_api);
    }
    if settings.has(Role::Dicomweb) {
        for (path, door) in dicomweb {
            router = router.nest(path, door);
        }
    }
    let router = limits::harden(router);
    if settings.http.tls.is_enabled() { limits::over_tls_only(router) } else { router }
}
