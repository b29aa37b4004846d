//! PS3.18 10.5.2, storing the instances of one request: each part goes straight into the archive as it comes, and
//! commits run while the next part is read, so that many small instances share transactions.

use archive::{Form, InstanceWriter, Origin, StoreError};
use bytes::Bytes;
use futures_util::Stream;
use model::StudyInstanceUid;
use service::http::{bearer::Authenticated, request_id};
use tokio::task::JoinSet;

use super::{
    request::is_instance,
    response::{StoreResponse, Stored},
};
use crate::{
    multipart::{LimitedBody, MultipartError, MultipartReader},
    state::App,
};

/// Failure Reason of a part that is no instance: cannot understand (PS3.18 table I.2-2).
const CANNOT_UNDERSTAND: u16 = 0xC000;
/// Failure Reason when the reason is inside: processing failure.
const PROCESSING_FAILURE: u16 = 0x0110;

/// The payload ended before its end.
pub(super) struct Interrupted(pub MultipartError);

/// The instances of one request on their way in.
pub(super) struct Storing<'a> {
    app: &'a App,
    origin: Origin,
    expected_study: Option<StudyInstanceUid>,
    commits: JoinSet<(usize, Outcome)>,
    /// By part; `None` while the commit runs.
    outcomes: Vec<Option<Outcome>>,
}

struct Outcome {
    stored: Stored,
    transient: bool,
}

impl<'a> Storing<'a> {
    pub fn new(app: &'a App, who: &Authenticated, expected_study: Option<StudyInstanceUid>) -> Self {
        let origin = Origin {
            door: "stow-rs",
            calling_ae: None,
            called_ae: None,
            user_id: Some(who.principal.user_id),
            source_address: who.source_address.clone(),
            request_id: request_id::current().unwrap_or_default(),
        };
        Self { app, origin, expected_study, commits: JoinSet::new(), outcomes: Vec::new() }
    }

    /// Stores one part after the other.
    pub async fn store_parts<S, E>(&mut self, mut reader: MultipartReader<S>) -> Result<(), Interrupted>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        while let Some(part) = reader.next_part().await.map_err(Interrupted)? {
            if !is_instance(part.content_type.as_ref()) {
                self.outcomes.push(Some(Outcome {
                    stored: Stored::Failed { identity: None, reason: CANNOT_UNDERSTAND },
                    transient: false,
                }));
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

    fn begin(&self) -> InstanceWriter {
        let form = Form::Part10 { expected_study: self.expected_study.clone() };
        self.app.archive.store_instance(self.origin.clone(), form)
    }

    fn refuse(&mut self, writer: &InstanceWriter, error: &StoreError) {
        self.outcomes.push(Some(failed(identity(writer), error)));
    }

    /// Begins the commit, after waiting until few enough of them run.
    async fn commit(&mut self, writer: InstanceWriter) {
        while self.commits.len() >= self.app.config.store_commits_max {
            self.join_next().await;
        }
        let index = self.outcomes.len();
        self.outcomes.push(None);
        let urls = self.app.urls.clone();
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
                    };
                    Outcome { stored, transient: false }
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
            stored: Stored::Failed { identity: None, reason: PROCESSING_FAILURE },
            transient: true,
        };
        let outcomes: Vec<Outcome> =
            self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unknown)).collect();
        let overloaded = !outcomes.is_empty() && outcomes.iter().all(|outcome| outcome.transient);
        let instances = outcomes.into_iter().map(|outcome| outcome.stored).collect();
        (StoreResponse { instances }, overloaded)
    }
}

fn identity(writer: &InstanceWriter) -> Option<(String, String)> {
    let identity = writer.identity()?;
    Some((identity.sop_class_uid.to_string(), identity.sop_instance_uid.to_string()))
}

fn failed(identity: Option<(String, String)>, error: &StoreError) -> Outcome {
    let sop_instance_uid = identity.as_ref().map(|(_, uid)| uid.as_str()).unwrap_or_default();
    tracing::warn!(%error, sop_instance_uid, "an instance was not stored");
    let stored = Stored::Failed { identity, reason: error.http_failure_reason() };
    Outcome { stored, transient: error.is_transient() }
}
