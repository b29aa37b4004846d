//! The commands that need nothing but a remark: `POST /consultations/{id}/confirm` and its like. They differ in their
//! words alone; which of them is legal where is said in [`model::clinical::ConsultationStatus`].

use axum::{extract::State, http::HeaderMap, response::Response};
use model::clinical::ConsultationCommand;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{
    ConsultationBody,
    change::{Remark, command},
};
use crate::{
    input::{json::JsonOrNothing, path::PathParameters},
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

/// An operation for a command. Its documentation is that of the operation in the OpenAPI document.
macro_rules! commands {
    ($($(#[doc = $text:literal])+ $operation:ident($path:literal, $done:literal) = $command:ident;)+) => {$(
        $(#[doc = $text])+
        #[utoipa::path(
            post,
            path = $path,
            tag = "consultations",
            security(("bearer" = ["update_consultation"])),
            params(
                ("id" = Uuid, Path, description = "Consultation"),
                ("If-Match" = Option<String>, Header, description = "ETag that it must still have")
            ),
            request_body = Option<Remark>,
            responses(
                (status = 200, description = $done, body = ConsultationBody,
                 headers(("ETag" = String, description = "Version, for If-Match"))),
                (status = 409, description = "Not legal where it stands, and the detail names what is; or, to confirm, \
                  the time is taken or the doctor takes no consultations",
                 body = crate::openapi::Problem, content_type = "application/problem+json"),
                (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
                 content_type = "application/problem+json"),
            )
        )]
        pub async fn $operation(
            State(state): State<AppState>,
            permit: Permit<UpdateConsultation>,
            PathParameters(id): PathParameters<Uuid>,
            headers: HeaderMap,
            JsonOrNothing(remark): JsonOrNothing<Remark>,
        ) -> Result<Response, Problem> {
            command(&state, &permit, (id, &headers), ConsultationCommand::$command, remark).await
        }
    )+};
}

commands! {
    /// Confirm a proposed consultation
    ///
    /// From now on its time is taken, and it opens its studies to its doctor. Refused when the time is taken meanwhile, and when the
    /// doctor takes no consultations any more.
    confirm_consultation("/consultations/{id}/confirm", "Booked") = Confirm;

    /// Say that the patient has arrived
    ///
    /// For one that is booked.
    arrive_consultation("/consultations/{id}/arrive", "Arrived") = Arrive;

    /// Start a consultation
    ///
    /// For one that is booked, or whose patient has arrived.
    start_consultation("/consultations/{id}/start", "In progress") = Start;

    /// Complete a consultation
    ///
    /// Its notes are closed: what comes later is an amendment. Its doctor sees its studies for some time longer
    /// (`access.closed_consultation_days`); tokens made for viewers end.
    complete_consultation("/consultations/{id}/complete", "Completed") = Complete;

    /// Close a consultation
    ///
    /// The same as `/complete`.
    close_consultation("/consultations/{id}/close", "Completed") = Complete;

    /// Cancel a consultation
    ///
    /// It opens nothing to its doctor any more, at once; tokens made for viewers end, and its time is free.
    cancel_consultation("/consultations/{id}/cancel", "Cancelled") = Cancel;

    /// Say that the patient did not come
    ///
    /// For one that is booked. It opens nothing any more, as a cancelled one.
    no_show_consultation("/consultations/{id}/no-show", "Not come") = NoShow;
}
