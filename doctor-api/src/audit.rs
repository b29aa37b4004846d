//! What is written to the audit trail beside the records that changes carry in their own transactions.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use database::{AuditOutcome, AuditRecord, DatabaseError};
use model::access::{Action, Grant};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{audit_watch::is_recorded, errors, policy::Caller, state::AppState};

/// Looking again at the same thing within this time is covered by the record of the first look.
const SAME_LOOK_MINUTES: i64 = 5;

/// Looks remembered at once. Beyond it every look gets its own record.
const LOOKS_MAX: usize = 20_000;

/// Who looks. Tokens of share links and of viewers carry the account of the doctor who made them, and a stolen token that of
/// its owner: so the sign-in, what the token was made for, and where it is used from are told apart, too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Looker {
    user_id: Uuid,
    session_id: Option<Uuid>,
    grant: Option<Grant>,
    source_address: String,
}

impl From<&Caller> for Looker {
    fn from(caller: &Caller) -> Self {
        Self {
            user_id: caller.principal.user_id,
            session_id: caller.principal.session_id,
            grant: caller.principal.grant,
            source_address: caller.source_address.clone(),
        }
    }
}

type Look = (Looker, String, String);

/// Who looked at what lately, so that a page full of thumbnails is one record and not a hundred synchronous writes.
#[derive(Default)]
pub struct RecentLooks(Mutex<HashMap<Look, DateTime<Utc>>>);

impl RecentLooks {
    fn is_covered(&self, look: &Look, now: DateTime<Utc>) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(look).is_some_and(|since| is_recent(*since, now))
    }

    fn remember(&self, look: Look, now: DateTime<Utc>) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS_MAX {
            looks.retain(|_, since| is_recent(*since, now));
        }
        if looks.len() < LOOKS_MAX {
            looks.insert(look, now);
        }
    }
}

fn is_recent(since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - since < TimeDelta::minutes(SAME_LOOK_MINUTES)
}

/// What was looked at.
pub struct Looked<'a> {
    /// verb_noun.
    pub action: &'a str,
    /// The study, empty for none.
    pub study_instance_uid: &'a str,
    /// The id of what was asked for, empty for none.
    pub subject: String,
    /// The consultation by which somebody without studies in reach is known.
    pub consultation_id: Option<Uuid>,
}

/// Records a look at patient data before its first byte leaves; one record covers the same look for a while. A look at
/// nothing that has a name is covered by none: nobody knows whether it is the same.
pub async fn looked(state: &AppState, caller: &Caller, what: Looked<'_>) -> Result<(), Problem> {
    let key = if what.study_instance_uid.is_empty() { &what.subject } else { what.study_instance_uid };
    let look = (Looker::from(caller), what.action.to_owned(), key.to_owned());
    is_recorded();
    let now = state.clock.now();
    if key.is_empty() {
        return state.database().audit(record_of(caller, &what)).await.map_err(unrecorded);
    }
    if state.recent_looks.is_covered(&look, now) {
        return Ok(());
    }
    let mut record = record_of(caller, &what);
    record.detail = format!("covers {SAME_LOOK_MINUTES} minutes");
    state.database().audit(record).await.map_err(unrecorded)?;
    state.recent_looks.remember(look, now);
    Ok(())
}

/// Records that something leaves the house as a file: every time.
pub async fn exported(state: &AppState, caller: &Caller, what: Looked<'_>) -> Result<(), Problem> {
    is_recorded();
    state.database().audit(record_of(caller, &what)).await.map_err(unrecorded)
}

/// Writes a record that the caller made.
pub async fn written(state: &AppState, record: AuditRecord) -> Result<(), Problem> {
    is_recorded();
    state.database().audit(record).await.map_err(unrecorded)
}

/// What cannot be recorded is not shown.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn unrecorded(error: DatabaseError) -> Problem {
    tracing::error!(%error, "what was asked for cannot be recorded and is not answered");
    Problem::unavailable("the audit trail cannot be written now")
}

/// Records that something was asked for by name that is not there, or not in reach; once for a while.
pub async fn not_found(
    state: &AppState,
    caller: &Caller,
    operation: &str,
    study_instance_uid: &str,
    subject: String,
) -> Result<(), Problem> {
    let look =
        (Looker::from(caller), format!("{operation} not found"), format!("{study_instance_uid} {subject}"));
    let now = state.clock.now();
    if state.recent_looks.is_covered(&look, now) {
        return Ok(());
    }
    let record = AuditRecord::refused(&caller.actor(), operation)
        .of_study(study_instance_uid)
        .about(subject)
        .saying("not there, or not in reach");
    state.database().audit(record).await.map_err(unrecorded)?;
    state.recent_looks.remember(look, now);
    Ok(())
}

fn record_of(caller: &Caller, what: &Looked<'_>) -> AuditRecord {
    let record = AuditRecord::success(&caller.actor(), what.action);
    let consultation_id = what.consultation_id;
    AuditRecord { consultation_id, ..record.about(&what.subject).of_study(what.study_instance_uid) }
}

/// Records that the rules said no.
pub async fn refused(state: &AppState, caller: &Caller, action: &str) -> Result<(), Problem> {
    let mut record = AuditRecord::success(&caller.actor(), action);
    record.outcome = AuditOutcome::Refused;
    state.database().audit(record).await.map_err(errors::database)
}

/// verb_noun: `ReadStudy` is `read_study`.
pub fn name(action: Action) -> String {
    let mut name = String::new();
    for character in format!("{action:?}").chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_the_names_of_the_trail() {
        assert_eq!(name(Action::ReadStudy), "read_study");
        assert_eq!(name(Action::ManageDoctors), "manage_doctors");
    }

    #[test]
    fn a_look_is_covered_for_five_minutes() {
        let looks = RecentLooks::default();
        let looker = |user: u128| Looker {
            user_id: Uuid::from_u128(user),
            session_id: None,
            grant: None,
            source_address: "192.0.2.1".to_owned(),
        };
        let look = (looker(1), "read_study".to_owned(), "1.2".to_owned());
        let at = |minutes: i64| DateTime::from_timestamp(1_800_000_000 + minutes * 60, 0).expect("time");
        assert!(!looks.is_covered(&look, at(0)));
        looks.remember(look.clone(), at(0));
        assert!(looks.is_covered(&look, at(4)));
        assert!(!looks.is_covered(&look, at(5)));
        assert!(!looks.is_covered(&(looker(2), look.1, look.2), at(4)));
    }
}
