//! Every route of this door.

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware,
    response::Response,
};
use service::shutdown::Shutdown;
use utoipa::{OpenApi, openapi::OpenApi as Document};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    aes, audit_records,
    audit_watch::{self, Watch},
    availability, break_glass, clients, consultations, devices, doctors, events, forwarding, grants,
    idempotency,
    openapi::{BaseDocument, add_problems, open_what_is_built_upon},
    patients, performed_steps, prescriptions, reports, rooms, sessions, shares,
    state::{AppState, DoctorApiState},
    tokens, users, webhooks, worklist, xrays,
};

/// What a page may load that shows the API: Swagger UI styles itself inline, nothing comes from elsewhere.
const DOCS_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What an answer may load when a browser is pointed at it: nothing.
const ANSWER_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The routes, `/openapi.json` and the page that shows it at `/docs`.
pub fn router(state: DoctorApiState) -> Router {
    router_until(state, Shutdown::new())
}

/// As [`router`]; the streams of `/events` end when the shutdown begins, so that it does not have to wait for them.
pub fn router_until(state: DoctorApiState, shutdown: Shutdown) -> Router {
    let (routes, document) = routes().split_for_parts();
    let document = finish(document);
    let state = AppState::new(state, shutdown);
    let watch = Watch::new(state.clone(), &document);
    let docs = SwaggerUi::new("/docs")
        .url("/openapi.json", document)
        .config(Config::default().persist_authorization(false).validator_url("none"));
    let docs = Router::from(docs).layer(middleware::map_response(protect_docs));
    routes
        .route_layer(middleware::from_fn_with_state(state.clone(), idempotency::once))
        .route_layer(middleware::from_fn_with_state(watch, audit_watch::watch))
        .with_state(state)
        .layer(middleware::map_response(protect_answer))
        .merge(docs)
}

/// The OpenAPI 3.1 document, made from the code of the operations.
pub fn openapi() -> Document {
    finish(routes().into_openapi())
}

fn finish(mut document: Document) -> Document {
    add_problems(&mut document);
    open_what_is_built_upon(&mut document);
    document
}

fn routes() -> OpenApiRouter<AppState> {
    clinical_routes()
        .merge(consultation_routes())
        .merge(availability_routes())
        .merge(prescription_routes())
        .merge(report_routes())
        .merge(record_routes())
        .merge(webhook_routes())
        .merge(worklist_routes())
        .merge(forwarding_routes())
        .routes(routes!(aes::create_ae::create_ae, aes::list_aes::list_aes))
        .routes(routes!(aes::get_ae::get_ae, aes::update_ae::update_ae, aes::delete_ae::delete_ae))
}

fn forwarding_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            forwarding::create_forward_rule::create_forward_rule,
            forwarding::list_forward_rules::list_forward_rules
        ))
        .routes(routes!(
            forwarding::update_forward_rule::update_forward_rule,
            forwarding::delete_forward_rule::delete_forward_rule
        ))
        .routes(routes!(forwarding::list_forwards::list_forwards))
        .routes(routes!(forwarding::retry_forward::retry_forward))
}

fn clinical_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(BaseDocument::openapi())
        .routes(routes!(sessions::create_session::create_session, sessions::list_sessions::list_sessions))
        .routes(routes!(sessions::refresh_session::refresh_session))
        .routes(routes!(
            sessions::current_session::current_session,
            sessions::end_current_session::end_current_session
        ))
        .routes(routes!(sessions::change_password::change_password))
        .routes(routes!(sessions::end_session::end_session))
        .routes(routes!(users::create_user::create_user, users::list_users::list_users))
        .routes(routes!(
            users::get_user::get_user,
            users::update_user::update_user,
            users::deactivate_user::deactivate_user
        ))
        .routes(routes!(users::set_password::set_password))
        .routes(routes!(
            users::list_user_sessions::list_user_sessions,
            users::end_user_sessions::end_user_sessions
        ))
        .routes(routes!(clients::create_client::create_client))
        .routes(routes!(devices::create_device::create_device))
        .routes(routes!(tokens::issue_token::issue_token))
        .routes(routes!(tokens::get_jwks::get_jwks))
        .routes(routes!(tokens::get_metadata::get_metadata))
        .routes(routes!(tokens::rotate_signing_key::rotate_signing_key))
        .routes(routes!(clients::renew_client_secret::renew_client_secret))
        .routes(routes!(doctors::create_doctor::create_doctor, doctors::list_doctors::list_doctors))
        .routes(routes!(
            doctors::get_doctor::get_doctor,
            doctors::update_doctor::update_doctor,
            doctors::patch_doctor::patch_doctor,
            doctors::deactivate_doctor::deactivate_doctor
        ))
        .routes(routes!(consultations::create_consultation::create_consultation))
        .routes(routes!(consultations::list_consultations::list_consultations))
        .routes(routes!(
            consultations::link_study::link_study,
            consultations::list_consultation_studies::list_consultation_studies
        ))
        .routes(routes!(consultations::unlink_study::unlink_study))
        .routes(routes!(
            consultations::issue_viewer_token::issue_viewer_token,
            consultations::revoke_viewer_token::revoke_viewer_token
        ))
        .routes(routes!(shares::create_share::create_share, shares::list_shares::list_shares))
        .routes(routes!(shares::revoke_share::revoke_share))
        .routes(routes!(shares::redeem_share::redeem_share))
        .routes(routes!(
            break_glass::start_break_glass::start_break_glass,
            break_glass::list_break_glass::list_break_glass
        ))
        .routes(routes!(break_glass::list_reviews::list_reviews))
        .routes(routes!(break_glass::end_break_glass::end_break_glass))
        .routes(routes!(break_glass::review_break_glass::review_break_glass))
        .routes(routes!(grants::add_grant::add_grant, grants::list_grants::list_grants))
        .routes(routes!(grants::revoke_grant::revoke_grant))
        .routes(routes!(audit_records::list_records::list_records))
        .routes(routes!(events::listen::listen))
}

/// The life of a consultation.
fn consultation_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            consultations::get_consultation::get_consultation,
            consultations::edit_consultation::edit_consultation
        ))
        .routes(routes!(consultations::commands::confirm_consultation))
        .routes(routes!(consultations::commands::arrive_consultation))
        .routes(routes!(consultations::commands::start_consultation))
        .routes(routes!(consultations::commands::complete_consultation))
        .routes(routes!(consultations::commands::close_consultation))
        .routes(routes!(consultations::commands::cancel_consultation))
        .routes(routes!(consultations::commands::no_show_consultation))
        .routes(routes!(consultations::reschedule_consultation::reschedule_consultation))
        .routes(routes!(consultations::reassign_consultation::reassign_consultation))
        .routes(routes!(consultations::read_history::read_history))
        .routes(routes!(consultations::read_notes::read_notes, consultations::write_note::write_note))
        .routes(routes!(consultations::amend_consultation::amend_consultation))
        .routes(routes!(rooms::open_room::open_room))
        .routes(routes!(rooms::join_room::join_room))
}

/// When doctors see patients.
fn availability_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(availability::get_availability::get_availability))
        .routes(routes!(availability::get_rules::get_rules, availability::put_rules::put_rules))
        .routes(routes!(
            availability::get_exceptions::get_exceptions,
            availability::put_exceptions::put_exceptions
        ))
        .routes(routes!(availability::export_calendar::export_calendar))
        .routes(routes!(availability::create_hold::create_hold))
        .routes(routes!(availability::release_hold::release_hold))
        .routes(routes!(doctors::read_profile_history::read_profile_history))
}

/// What is scheduled for modalities.
fn worklist_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            worklist::create_worklist_item::create_worklist_item,
            worklist::list_worklist::list_worklist
        ))
        .routes(routes!(performed_steps::list_performed_steps::list_performed_steps))
        .routes(routes!(performed_steps::get_performed_step::get_performed_step))
        .routes(routes!(
            worklist::get_worklist_item::get_worklist_item,
            worklist::update_worklist_item::update_worklist_item,
            worklist::delete_worklist_item::delete_worklist_item
        ))
}

/// X-rays, and what belongs to a patient.
fn record_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(xrays::list_xrays::list_xrays, xrays::create_xray::create_xray))
        .routes(routes!(
            xrays::get_xray::get_xray,
            xrays::update_xray::update_xray,
            xrays::delete_xray::delete_xray
        ))
        .routes(routes!(xrays::download_xray::download_xray))
        .routes(routes!(xrays::get_preview::get_preview))
        .routes(routes!(patients::get_patient::get_patient))
        .routes(routes!(patients::read_patient_history::read_patient_history))
        .routes(routes!(patients::list_studies::list_studies))
        .routes(routes!(patients::read_access_report::read_access_report))
}

/// What doctors order and sign.
fn prescription_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(prescriptions::create_prescription::create_prescription))
        .routes(routes!(
            prescriptions::get_prescription::get_prescription,
            prescriptions::update_prescription::update_prescription
        ))
        .routes(routes!(prescriptions::get_prescription_pdf::get_prescription_pdf))
        .routes(routes!(prescriptions::finalize_prescription::finalize_prescription))
        .routes(routes!(prescriptions::cancel_prescription::cancel_prescription))
        .routes(routes!(prescriptions::replace_prescription::replace_prescription))
        .routes(routes!(prescriptions::verify_prescription::verify_prescription))
}

/// What doctors see and sign.
fn report_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(reports::create_report::create_report))
        .routes(routes!(reports::get_report::get_report, reports::update_report::update_report))
        .routes(routes!(reports::get_report_pdf::get_report_pdf))
        .routes(routes!(reports::finalize_report::finalize_report))
        .routes(routes!(reports::cancel_report::cancel_report))
        .routes(routes!(reports::replace_report::replace_report))
        .routes(routes!(reports::verify_report::verify_report))
}

/// Where events are sent.
fn webhook_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::create_webhook::create_webhook, webhooks::list_webhooks::list_webhooks))
        .routes(routes!(webhooks::get_webhook::get_webhook, webhooks::delete_webhook::delete_webhook))
        .routes(routes!(webhooks::test_webhook::test_webhook))
        .routes(routes!(webhooks::list_deliveries::list_deliveries))
        .routes(routes!(webhooks::redeliver::redeliver))
}

/// Answers hold patient data: no cache keeps them unless the operation says otherwise.
async fn protect_answer(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(ANSWER_POLICY));
    response
}

async fn protect_docs(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
    response
}
