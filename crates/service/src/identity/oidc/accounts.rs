//! Subjects of another issuer as accounts of this house.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use database::{AuditActor, Database, DatabaseError, User};
use model::access::{Principal, Role};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{OidcConfig, Proved};
use crate::identity::jws::TokenRefused;

/// An account is looked up again after this time: whoever was deactivated is out by then.
const KNOWN_FOR: Duration = Duration::from_secs(4);
/// Accounts remembered at once.
const KNOWN_MAX: usize = 10_000;

/// Finds or makes the account of a subject.
pub(super) struct Accounts {
    config: OidcConfig,
    database: Database,
    known: Mutex<HashMap<String, (Instant, Account)>>,
}

#[derive(Clone, Copy)]
struct Account {
    id: Uuid,
    doctor_id: Option<Uuid>,
    active: bool,
}

impl Accounts {
    pub(super) fn new(config: OidcConfig, database: Database) -> Self {
        Self { config, database, known: Mutex::default() }
    }

    pub(super) async fn principal(&self, proved: &Proved<'_>) -> Result<Principal, TokenRefused> {
        let role =
            self.role(proved.claims).ok_or(TokenRefused::Invalid("none of its roles is one of ours"))?;
        let account = match self.remembered(proved.subject) {
            Some(account) => account,
            None => self.find_or_make(proved, role).await?,
        };
        if !account.active {
            return Err(TokenRefused::Invalid("its account was deactivated"));
        }
        // The issuer's word for who is which doctor, or the administrator's.
        let doctor_id = self.claimed_doctor(proved.claims).or(account.doctor_id);
        Ok(Principal::new(account.id, role, doctor_id.filter(|_| role == Role::Doctor)))
    }

    /// The mapped role, when exactly one comes out: two would have to be weighed against each other.
    fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        let claimed = at(claims, &self.config.role_claim)?;
        let names: Vec<&str> = match claimed {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        let mut roles = names
            .into_iter()
            .filter_map(|name| self.config.role_map.get(name))
            .filter_map(|role| role.parse::<Role>().ok());
        let first = roles.next()?;
        roles.all(|role| role == first).then_some(first)
    }

    fn claimed_doctor(&self, claims: &Map<String, Value>) -> Option<Uuid> {
        if self.config.doctor_claim.is_empty() {
            return None;
        }
        at(claims, &self.config.doctor_claim)?.as_str()?.parse().ok()
    }

    fn remembered(&self, subject: &str) -> Option<Account> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(subject).filter(|(since, _)| since.elapsed() < KNOWN_FOR).map(|(_, account)| *account)
    }

    fn remember(&self, subject: &str, account: Account) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, (since, _)| since.elapsed() < KNOWN_FOR);
        }
        if known.len() < KNOWN_MAX {
            known.insert(subject.to_owned(), (Instant::now(), account));
        }
    }

    async fn find_or_make(&self, proved: &Proved<'_>, role: Role) -> Result<Account, TokenRefused> {
        let found = self.database.find_external_user(&self.config.issuer, proved.subject).await;
        let user = match found.map_err(unavailable)? {
            Some(user) => user,
            None if self.config.accounts == "required" => {
                return Err(TokenRefused::Invalid("its subject has no account here"));
            }
            None => self.make(proved, role).await?,
        };
        let account = Account { id: user.id, doctor_id: user.doctor_id, active: user.active };
        self.remember(proved.subject, account);
        Ok(account)
    }

    async fn make(&self, proved: &Proved<'_>, role: Role) -> Result<User, TokenRefused> {
        let actor = AuditActor { role: "issuer".into(), ..AuditActor::default() };
        let subject = (self.config.issuer.as_str(), proved.subject);
        let name = proved.claims.get("preferred_username").and_then(Value::as_str).unwrap_or(proved.subject);
        let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        match self.database.create_external_user(&name, subject, role, None, &actor).await {
            // The name is somebody else's: the subject is nobody else's.
            Err(DatabaseError::Conflict(_)) => {
                let name = format!("{name} ({})", proved.subject);
                self.database.create_external_user(&name, subject, role, None, &actor).await
            }
            other => other,
        }
        .map_err(unavailable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn unavailable(error: DatabaseError) -> TokenRefused {
    tracing::warn!(%error, "the account of a token cannot be looked up");
    TokenRefused::Unavailable
}

/// The claim at a path such as `realm_access.roles`; a claim whose own name has dots, as URLs have, is found first.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, name| value.get(name))
}
