//! PS3.18 10.5.2, storing the instances of one request: each part goes straight into the archive as it comes, and
//! commits run while the next part is read, so that many small instances share transactions.

use archive::{Form, InstanceWriter, Origin, StoreError, StoreOutcome};
use bytes::Bytes;
use futures_util::Stream;
use model::{StudyInstanceUid, access::Scope};
use service::http::{bearer::Authenticated, problem::Chain, request_id};
use tokio::task::JoinSet;

use super::{
    request::is_instance,
    response::{Remark, StoreResponse, Stored},
};
use crate::{
    multipart::{LimitedBody, MultipartError, MultipartReader},
    state::App,
    urls::Urls,
};

/// Failure Reason of a part that is no instance: cannot understand (PS3.18 table I.2-2).
pub(super) const CANNOT_UNDERSTAND: u16 = 0xC000;
/// Failure Reason when the reason is inside: processing failure.
pub(super) const PROCESSING_FAILURE: u16 = 0x0110;
/// Warning Reason: the data set does not match the SOP Class (PS3.18 table I.2-1).
const DOES_NOT_MATCH: u16 = 0xB007;

/// Refused instances of one request that are logged one by one; of the others only the number is.
const LOGGED_MAX: usize = 10;

/// The payload ended before its end.
pub(super) struct Interrupted(pub MultipartError);

/// The instances of one request on their way in.
pub(super) struct Storing<'a> {
    app: &'a App,
    urls: &'a Urls,
    origin: Origin,
    expected_study: Option<StudyInstanceUid>,
    commits: JoinSet<(usize, Outcome)>,
    /// By part; `None` while the commit runs.
    outcomes: Vec<Option<Outcome>>,
}

struct Outcome {
    stored: Stored,
    transient: bool,
    /// Why not, for the log.
    reason: String,
}

/// SOP Class UID and SOP Instance UID, when they could be read.
pub(super) type MaybeIdentity = Option<(String, String)>;

impl<'a> Storing<'a> {
    pub fn new(
        app: &'a App,
        urls: &'a Urls,
        (who, scope): (&Authenticated, &Scope),
        expected_study: Option<StudyInstanceUid>,
    ) -> Self {
        let origin = Origin {
            door: "stow-rs",
            calling_ae: None,
            called_ae: None,
            user_id: Some(who.principal.user_id),
            own_studies_only: scope.bounds_uploads(),
            source_address: who.source_address.clone(),
            request_id: request_id::current().unwrap_or_default(),
        };
        Self { app, urls, origin, expected_study, commits: JoinSet::new(), outcomes: Vec::new() }
    }

    /// Stores one part after the other.
    pub async fn store_parts<S, E>(&mut self, mut reader: MultipartReader<S>) -> Result<(), Interrupted>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let result = self.each_part(&mut reader).await;
        if result.is_err() {
            reader.drain().await;
        }
        result
    }

    async fn each_part<S, E>(&mut self, reader: &mut MultipartReader<S>) -> Result<(), Interrupted>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        while let Some(part) = reader.next_part().await.map_err(Interrupted)? {
            if !is_instance(part.content_type.as_ref()) {
                let reason = Remark::new(CANNOT_UNDERSTAND, "the part is no application/dicom");
                self.fail(None, reason, false);
                continue;
            }
            let mut writer = self.begin();
            loop {
                match reader.next_chunk().await {
                    Ok(Some(bytes)) => {
                        if let Err(error) = writer.write(bytes).await {
                            self.refuse(&writer, &error);
                            break;
                        }
                    }
                    Ok(None) => {
                        self.commit(writer).await;
                        break;
                    }
                    Err(error) => {
                        writer.abort().await;
                        return Err(Interrupted(error));
                    }
                }
            }
        }
        Ok(())
    }

    /// Stores a payload that is one instance.
    pub async fn store_single<S, E>(&mut self, mut body: LimitedBody<S>) -> Result<(), Interrupted>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let mut writer = self.begin();
        let mut empty = true;
        loop {
            match body.next().await {
                Ok(Some(bytes)) => {
                    empty &= bytes.is_empty();
                    if let Err(error) = writer.write(bytes).await {
                        self.refuse(&writer, &error);
                        return Ok(());
                    }
                }
                Ok(None) if empty => return Ok(()),
                Ok(None) => {
                    self.commit(writer).await;
                    return Ok(());
                }
                Err(error) => {
                    writer.abort().await;
                    return Err(Interrupted(error));
                }
            }
        }
    }

    /// An instance that is not even tried.
    pub(super) fn fail(&mut self, identity: MaybeIdentity, reason: Remark, transient: bool) {
        let why = reason.comment.clone();
        let stored = Stored::Failed { identity, reason };
        self.outcomes.push(Some(Outcome { stored, transient, reason: why }));
    }

    pub(super) fn app(&self) -> &'a App {
        self.app
    }

    pub(super) fn begin(&self) -> InstanceWriter {
        let form = Form::Part10 { expected_study: self.expected_study.clone() };
        self.app.archive.store_instance(self.origin.clone(), form)
    }

    pub(super) fn refuse(&mut self, writer: &InstanceWriter, error: &StoreError) {
        self.outcomes.push(Some(failed(identity(writer), error)));
    }

    /// Begins the commit, after waiting until few enough of them run.
    pub(super) async fn commit(&mut self, writer: InstanceWriter) {
        while self.commits.len() >= self.app.config.store_commits_max {
            self.join_next().await;
        }
        let index = self.outcomes.len();
        self.outcomes.push(None);
        let urls = self.urls.clone();
        let identity = identity(&writer);
        self.commits.spawn(async move {
            let outcome = match writer.commit().await {
                Err(error) => failed(identity, &error),
                Ok(done) => {
                    let (study, series, sop) =
                        (&done.study_instance_uid, &done.series_instance_uid, &done.sop_instance_uid);
                    let stored = Stored::Accepted {
                        sop_class_uid: done.sop_class_uid.to_string(),
                        sop_instance_uid: sop.to_string(),
                        study_instance_uid: study.to_string(),
                        retrieve_url: urls.instance(study, series, sop),
                        warning: warning(&done.outcome),
                    };
                    Outcome { stored, transient: false, reason: String::new() }
                }
            };
            (index, outcome)
        });
    }

    async fn join_next(&mut self) {
        match self.commits.join_next().await {
            Some(Ok((index, outcome))) => self.outcomes[index] = Some(outcome),
            Some(Err(error)) => tracing::error!(%error, "a commit ended without an answer"),
            None => {}
        }
    }

    /// Waits for every commit. True when nothing was stored and all of it may be later.
    pub async fn finish(mut self) -> (StoreResponse, bool) {
        while !self.commits.is_empty() {
            self.join_next().await;
        }
        let unknown = || Outcome {
            stored: Stored::Failed {
                identity: None,
                reason: Remark::new(PROCESSING_FAILURE, "something went wrong inside"),
            },
            transient: true,
            reason: "the commit ended without an answer".to_owned(),
        };
        let outcomes: Vec<Outcome> =
            self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unknown)).collect();
        log_failures(&outcomes);
        let overloaded = !outcomes.is_empty() && outcomes.iter().all(|outcome| outcome.transient);
        let instances = outcomes.into_iter().map(|outcome| outcome.stored).collect();
        (StoreResponse { instances }, overloaded)
    }
}

fn warning(outcome: &StoreOutcome) -> Option<Remark> {
    match outcome {
        StoreOutcome::Stored { .. } | StoreOutcome::Duplicate { .. } => None,
        StoreOutcome::Conflict { .. } => {
            Some(Remark::new(DOES_NOT_MATCH, "kept beside another data set that has this SOP Instance UID"))
        }
    }
}

fn identity(writer: &InstanceWriter) -> MaybeIdentity {
    let identity = writer.identity()?;
    Some((identity.sop_class_uid.to_string(), identity.sop_instance_uid.to_string()))
}

fn failed(identity: MaybeIdentity, error: &StoreError) -> Outcome {
    // What failed inside is for the log.
    let comment = if error.is_transient() {
        "not stored now; send it again later".to_owned()
    } else {
        error.to_string()
    };
    let stored = Stored::Failed { identity, reason: Remark::new(error.http_failure_reason(), comment) };
    Outcome { stored, transient: error.is_transient(), reason: Chain(error).to_string() }
}

/// A request of many thousand refused parts must not fill the log.
fn log_failures(outcomes: &[Outcome]) {
    let mut failures = outcomes.iter().filter(|outcome| matches!(outcome.stored, Stored::Failed { .. }));
    for outcome in failures.by_ref().take(LOGGED_MAX) {
        let sop_instance_uid = match &outcome.stored {
            Stored::Failed { identity: Some((_, uid)), .. } => uid.as_str(),
            Stored::Failed { .. } | Stored::Accepted { .. } => "",
        };
        tracing::warn!(error = %outcome.reason, sop_instance_uid, "an instance was not stored");
    }
    let more = failures.count();
    if more > 0 {
        tracing::warn!(more, "more instances of the same request were not stored");
    }
}
