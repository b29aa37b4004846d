//! The Patient Service: a FHIR R4 server that is asked who a Patient ID is. What it says stands beside what images say and
//! takes the place of nothing; without it everything works as it does when none is configured.

mod breaker;
mod config;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod partial_date;
mod resource;
mod search;
mod server;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use model::clock::Clock;
use moka::{Expiry, future::Cache};

pub use self::{
    config::{PatientServiceConfig, PatientServiceConfigError},
    partial_date::PartialDate,
    resource::{Gender, HumanName, LogicalId, Malformed, NameUse, RegistryPatient},
};

use self::{
    breaker::Breaker,
    search::{Matches, local_id},
    server::{AskError, Server},
};

/// Somebody who is not there may be there soon: so long at most an answer without a patient is kept.
const NOBODY_KEPT_FOR: Duration = Duration::from_mins(1);
/// So long a failure stands for one patient.
const FAILURE_KEPT_FOR: Duration = Duration::from_secs(5);

/// The service cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum PatientServiceError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] PatientServiceConfigError),
    /// The file of authorities.
    #[error("patient_service.ca_file cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// The file holds no certificate, or there is no TLS.
    #[error("patient_service: no HTTP client")]
    Unusable(#[source] reqwest::Error),
}

/// What the service says.
#[derive(Debug, Clone)]
pub enum Answer {
    /// One patient has the identifier.
    Found(Arc<Found>),
    /// Nobody has.
    NotFound,
    /// Several have, or may have.
    Ambiguous,
    /// There is no answer, or none that can be read.
    Unavailable,
}

/// A patient who was found.
#[derive(Debug)]
pub struct Found {
    /// The entry.
    pub patient: RegistryPatient,
    /// What the registry wants to be used instead of the entry.
    pub replaced_by: Option<Replacement>,
    /// When the registry said so.
    pub fetched_at: DateTime<Utc>,
    /// When nobody else had the identifier.
    searched: Instant,
}

/// The entry that is to be used instead.
#[derive(Debug)]
pub struct Replacement {
    /// Logical id; `None` when it is on another server, which is not asked.
    pub id: Option<LogicalId>,
    /// The entry; `None` when it could not be read.
    pub patient: Option<RegistryPatient>,
}

/// Asks the service and keeps what it said for a while; cheap to clone.
#[derive(Clone)]
pub struct PatientService(Option<Arc<Inner>>);

/// System and value of an identifier.
type Key = (String, String);

struct Inner {
    config: PatientServiceConfig,
    server: Server,
    known: Cache<Key, Answer>,
    breaker: Breaker,
    clock: Clock,
}

impl PatientService {
    /// No service: nobody is asked.
    pub fn off() -> Self {
        Self(None)
    }

    /// The service of the settings, or none. It is not asked anything yet.
    ///
    /// # Errors
    /// See [`PatientServiceError`].
    pub fn new(config: &PatientServiceConfig, clock: Clock) -> Result<Self, PatientServiceError> {
        config.check()?;
        if !config.is_on() {
            return Ok(Self::off());
        }
        let lifetimes = Lifetimes { found: Duration::from_secs(config.cache_seconds) };
        let known = Cache::builder().max_capacity(config.cache_entries_max).expire_after(lifetimes);
        Ok(Self(Some(Arc::new(Inner {
            server: Server::new(config)?,
            known: known.build(),
            breaker: Breaker::default(),
            config: config.clone(),
            clock,
        }))))
    }

    /// The system of an issuer's Patient IDs; `None` when nobody is asked for them.
    pub fn system_of(&self, issuer_of_patient_id: &str) -> Option<&str> {
        self.0.as_ref()?.config.system_of(issuer_of_patient_id)
    }

    /// Who has this identifier: as it was said a moment ago, or asked now. Who asks for the same at the same time shares
    /// the question.
    pub async fn find(&self, system: &str, patient_id: &str) -> Answer {
        let Some(inner) = &self.0 else { return Answer::Unavailable };
        inner.find((system.to_owned(), patient_id.to_owned())).await
    }

    /// As [`Self::find`], but a patient who is known is read once more by the logical id: for what is signed. What was
    /// said before stands when there is no answer now.
    pub async fn find_anew(&self, system: &str, patient_id: &str) -> Answer {
        let Some(inner) = &self.0 else { return Answer::Unavailable };
        let key = (system.to_owned(), patient_id.to_owned());
        match inner.known.get(&key).await {
            Some(Answer::Found(found)) if inner.breaker.may_ask(Instant::now()) => {
                inner.read_again(key, found).await
            }
            _ => inner.find(key).await,
        }
    }
}

impl Inner {
    async fn find(&self, key: Key) -> Answer {
        if let Some(known) = self.known.get(&key).await {
            count("cached");
            return known;
        }
        if !self.breaker.may_ask(Instant::now()) {
            count("spared");
            return Answer::Unavailable;
        }
        let asked = key.clone();
        self.known.get_with(key, self.search(asked)).await
    }

    async fn search(&self, (system, value): Key) -> Answer {
        let (answer, outcome) = match self.heard(self.server.search((&system, &value)).await) {
            Ok(Matches::None) => (Answer::NotFound, "not_found"),
            Ok(Matches::Several) => (Answer::Ambiguous, "ambiguous"),
            Ok(Matches::One(patient)) => {
                (Answer::Found(Arc::new(self.found(*patient, Instant::now()).await)), "found")
            }
            Err(outcome) => (Answer::Unavailable, outcome),
        };
        count(outcome);
        answer
    }

    /// The entry by its id. It goes on being known for as long as the search said, for only a search sees that somebody
    /// else has the identifier, too.
    async fn read_again(&self, key: Key, known: Arc<Found>) -> Answer {
        let identifier = (key.0.as_str(), key.1.as_str());
        match self.heard(self.server.read(&known.patient.id, identifier).await) {
            Ok(Some((patient, true))) => {
                count("found");
                let answer = Answer::Found(Arc::new(self.found(patient, known.searched).await));
                self.known.insert(key, answer.clone()).await;
                answer
            }
            Ok(_) => {
                count("moved");
                self.known.invalidate(&key).await;
                self.find(key).await
            }
            Err(outcome) => {
                count(outcome);
                Answer::Found(known)
            }
        }
    }

    /// The entry with the one that takes its place. That one is shown, and what takes its place in turn is not looked for.
    async fn found(&self, patient: RegistryPatient, searched: Instant) -> Found {
        let fetched_at = self.clock.now();
        let replaced_by = match &patient.replaced_by {
            None => None,
            Some(reference) => {
                let id = local_id(self.server.base(), reference).filter(|id| *id != patient.id);
                let read = match &id {
                    Some(id) => self.heard(self.server.read(id, ("", "")).await).ok().flatten(),
                    None => None,
                };
                Some(Replacement { id, patient: read.map(|(patient, _)| patient) })
            }
        };
        Found { patient, replaced_by, fetched_at, searched }
    }

    /// Notes how the server is. What it says is nothing for the log, only why it does not say it.
    fn heard<T>(&self, result: Result<T, AskError>) -> Result<T, &'static str> {
        let error = match result {
            Ok(said) => {
                self.breaker.succeeded();
                return Ok(said);
            }
            Err(error) => error,
        };
        tracing::warn!(%error, "the Patient Service gave no answer that can be used");
        if error.is_of_the_server() {
            self.breaker.failed(Instant::now());
        } else {
            self.breaker.succeeded();
        }
        Err(match error {
            AskError::Malformed(_) => "malformed",
            AskError::TimedOut => "timed_out",
            AskError::Unreachable(_) => "unreachable",
            AskError::Status(_) => "refused",
            AskError::TooLong => "too_long",
        })
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("maxray_patient_service_questions_total", "outcome" => outcome).increment(1);
}

/// How long each kind of answer is kept.
struct Lifetimes {
    found: Duration,
}

impl Lifetimes {
    fn of(&self, answer: &Answer) -> Duration {
        match answer {
            Answer::Found(found) => self.found.saturating_sub(found.searched.elapsed()),
            Answer::NotFound | Answer::Ambiguous => self.found.min(NOBODY_KEPT_FOR),
            Answer::Unavailable => self.found.min(FAILURE_KEPT_FOR),
        }
    }
}

impl Expiry<Key, Answer> for Lifetimes {
    fn expire_after_create(&self, _: &Key, answer: &Answer, _: Instant) -> Option<Duration> {
        Some(self.of(answer))
    }

    fn expire_after_update(
        &self,
        _: &Key,
        answer: &Answer,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.of(answer))
    }
}

#[cfg(test)]
mod tests;
