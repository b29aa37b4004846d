//! One question to the FHIR server: to its own address alone, within a time, and no longer an answer than is needed.

use std::{error::Error, fs, time::Duration};

use reqwest::{Certificate, Client, StatusCode, Url, header, redirect};
use tokio::sync::Semaphore;

use super::{
    PatientServiceError,
    config::PatientServiceConfig,
    resource::{LogicalId, Malformed, Patient, RegistryPatient},
    search::{Matches, matches, read_url, search_url},
};

/// Longest answer.
const ANSWER_LENGTH_MAX_BYTES: usize = 1 << 20;
/// Questions under way at once; more wait within their time-out.
const QUESTIONS_MAX: usize = 32;
/// Longest reason in a log, in characters.
const REASON_LENGTH_MAX: usize = 200;

/// Why there is no answer. No text names a patient: the address that was asked holds a Patient ID.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it did not answer in time")]
    TimedOut,
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("its answer is too long")]
    TooLong,
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl AskError {
    /// Whether the server is not well, so that others need not wait for it, too. One answer that cannot be read is no
    /// reason: somebody else's may be good.
    pub(super) fn is_of_the_server(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut | Self::TooLong => true,
            Self::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Malformed(_) => false,
        }
    }
}

impl From<reqwest::Error> for AskError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let reason = cause.to_string();
        Self::Unreachable(reason.chars().filter(|one| !one.is_control()).take(REASON_LENGTH_MAX).collect())
    }
}

/// The FHIR server.
pub(super) struct Server {
    client: Client,
    base: Url,
    token: Option<header::HeaderValue>,
    timeout: Duration,
    questions: Semaphore,
}

impl Server {
    pub(super) fn new(config: &PatientServiceConfig) -> Result<Self, PatientServiceError> {
        let base = config.base()?;
        let timeout = Duration::from_millis(config.timeout_ms);
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(timeout)
            .timeout(timeout)
            .user_agent("MaxRay");
        if !config.ca_file.is_empty() {
            let file = fs::read(&config.ca_file).map_err(PatientServiceError::Unreadable)?;
            let trusted = Certificate::from_pem_bundle(&file).map_err(PatientServiceError::Unusable)?;
            builder = builder.tls_certs_merge(trusted);
        }
        let client = builder.build().map_err(PatientServiceError::Unusable)?;
        let token = header::HeaderValue::from_str(&format!("Bearer {}", config.token)).ok();
        let token = token.filter(|_| !config.token.is_empty()).map(|mut token| {
            token.set_sensitive(true);
            token
        });
        Ok(Self { client, base, token, timeout, questions: Semaphore::new(QUESTIONS_MAX) })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Who has this identifier.
    pub(super) async fn search(&self, identifier: (&str, &str)) -> Result<Matches, AskError> {
        match self.get(search_url(&self.base, identifier)).await? {
            (StatusCode::OK, body) => Ok(matches(&body, identifier)?),
            (status, _) => Err(AskError::Status(status)),
        }
    }

    /// The entry of this id, and whether it has the identifier; `None` when there is none any more.
    pub(super) async fn read(
        &self,
        id: &LogicalId,
        identifier: (&str, &str),
    ) -> Result<Option<(RegistryPatient, bool)>, AskError> {
        match self.get(read_url(&self.base, id)).await? {
            (StatusCode::OK, body) => {
                let patient: Patient =
                    serde_json::from_slice(&body).map_err(|_| Malformed("is no Patient"))?;
                let has_identifier = patient.has(identifier);
                let patient = patient.read()?;
                if patient.id != *id {
                    return Err(Malformed("is of another patient").into());
                }
                Ok(Some((patient, has_identifier)))
            }
            (StatusCode::NOT_FOUND | StatusCode::GONE, _) => Ok(None),
            (status, _) => Err(AskError::Status(status)),
        }
    }

    /// The time counts from here, and not from when there is a place.
    async fn get(&self, url: Url) -> Result<(StatusCode, Vec<u8>), AskError> {
        let asked = tokio::time::timeout(self.timeout, async {
            let _place = self.questions.acquire().await;
            let mut request = self.client.get(url).header(header::ACCEPT, "application/fhir+json");
            if let Some(token) = &self.token {
                request = request.header(header::AUTHORIZATION, token.clone());
            }
            let mut answer = request.send().await?;
            let status = answer.status();
            let mut body = Vec::new();
            if status != StatusCode::OK {
                return Ok((status, body));
            }
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > ANSWER_LENGTH_MAX_BYTES {
                    return Err(AskError::TooLong);
                }
                body.extend_from_slice(&chunk);
            }
            Ok((status, body))
        });
        asked.await.unwrap_or(Err(AskError::TimedOut))
    }
}
