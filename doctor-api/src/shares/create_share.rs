//! `POST /studies/{study_instance_uid}/shares`: a link to one study.

use axum::{extract::State, http::StatusCode};
use chrono::TimeDelta;
use database::NewShare;
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use service::{http::problem::Problem, identity::Secret};
use utoipa::ToSchema;

use super::{PIN_LENGTH_MAX, PIN_LENGTH_MIN, SHARE_TOKEN, ShareBody, pin_sha256};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody, path::PathParameters},
    policy::{Permit, ShareStudy},
    state::AppState,
    study_in_path,
};

/// How to share.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyToShare {
    /// Hours for which it is good; 24 when left out, 72 at most (`[access]`).
    #[schema(minimum = 1, maximum = 72)]
    expires_in_hours: Option<u32>,
    /// Times it may be used; 1 when left out.
    #[schema(minimum = 1, maximum = 100)]
    uses_max: Option<u32>,
    /// 4 to 12 digits that the receiver has to know; tell them on another way. Five wrong ones end the link.
    #[schema(example = "4711", format = Password)]
    pin: Option<String>,
}

/// A link that was made.
#[derive(Serialize, ToSchema)]
pub struct CreatedShare {
    /// The link's properties.
    #[serde(flatten)]
    share: ShareBody,
    /// What opens it, for `POST /shares/redeem`. It is shown this once.
    token: String,
    /// Path with the token in the fragment, which browsers send to nobody.
    #[schema(example = "/shares/redeem#mxs_...")]
    link: String,
}

/// Share a study by a link
///
/// Whoever has the link, and the PIN if there is one, reads this study and nothing else, as long as the doctor may read
/// it. Studies that were granted or opened in an emergency cannot be shared.
#[utoipa::path(
    post,
    path = "/studies/{study_instance_uid}/shares",
    tag = "shares",
    security(("bearer" = ["share_study"])),
    params(("study_instance_uid" = String, Path, description = "Study Instance UID (0020,000D)")),
    request_body = StudyToShare,
    responses((status = 201, description = "The link", body = CreatedShare))
)]
pub async fn create_share(
    State(state): State<AppState>,
    permit: Permit<ShareStudy>,
    PathParameters(study): PathParameters<String>,
    JsonBody(request): JsonBody<StudyToShare>,
) -> Result<(StatusCode, Json<CreatedShare>), Problem> {
    let study = study_in_path(&study)?;
    let access = state.database().access();
    let hours = request.expires_in_hours.unwrap_or(access.share_lifetime_default_hours);
    let uses_max = request.uses_max.unwrap_or(1);
    let mut checks = Checks::new();
    let (hours_max, most) = (access.share_lifetime_max_hours, access.share_uses_max);
    checks.require(
        (1..=hours_max).contains(&hours),
        "expires_in_hours",
        &format!("must be 1 to {hours_max}"),
    );
    checks.require((1..=most).contains(&uses_max), "uses_max", &format!("must be 1 to {most}"));
    if let Some(pin) = &request.pin {
        let fits = (PIN_LENGTH_MIN..=PIN_LENGTH_MAX).contains(&pin.len());
        let digits = pin.bytes().all(|byte| byte.is_ascii_digit());
        checks.require(fits && digits, "pin", "must be 4 to 12 digits");
    }
    checks.finish()?;
    let caller = &permit.caller.principal;
    let doctor_id = caller.doctor_id.ok_or_else(Problem::forbidden)?;
    let secret = Secret::generate(SHARE_TOKEN).map_err(|error| Problem::internal(&error))?;
    let new = NewShare {
        token_sha256: secret.sha256,
        pin_sha256: request.pin.as_deref().map(|pin| pin_sha256(&secret.text, pin)),
        uses_max,
        lifetime: TimeDelta::hours(i64::from(hours)),
        user_id: caller.user_id,
        doctor_id,
    };
    let created = state.database().create_share(&permit.scope, &study, new, &permit.caller.actor()).await;
    let share = created.map_err(errors::database)?.ok_or_else(Problem::not_found)?;
    let link = format!("/shares/redeem#{}", secret.text);
    Ok((StatusCode::CREATED, Json(CreatedShare { share: share.into(), token: secret.text, link })))
}
