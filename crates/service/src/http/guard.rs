//! A long answer asks again, while it is sent, whether it may still be read: what is taken back in the middle of a
//! download is cut and not only refused the next time.

use std::{
    io,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, BodyDataStream, HttpBody},
    response::Response,
};
use bytes::Bytes;
use database::{Database, DatabaseError};
use futures_util::{StreamExt as _, stream};
use model::{
    StudyInstanceUid,
    access::{Principal, Scope},
};
use uuid::Uuid;

use super::bearer::Authenticated;

type Covered = (BodyDataStream, StreamGuard);

/// Asks while a body is sent.
pub struct StreamGuard {
    database: Database,
    user_id: Uuid,
    session_id: Option<Uuid>,
    scope: Scope,
    study: StudyInstanceUid,
    asked: Instant,
    interval: Duration,
}

impl StreamGuard {
    /// For a study that is in reach now.
    pub fn new(database: &Database, who: &Authenticated, scope: &Scope, study: &StudyInstanceUid) -> Self {
        Self::of(database, &who.principal, scope, study)
    }

    /// The same for whom a token proves.
    pub fn of(database: &Database, principal: &Principal, scope: &Scope, study: &StudyInstanceUid) -> Self {
        Self {
            database: database.clone(),
            user_id: principal.user_id,
            session_id: principal.session_id,
            scope: scope.clone(),
            study: study.clone(),
            asked: Instant::now(),
            interval: Duration::from_millis(database.access().stream_check_interval_ms),
        }
    }

    /// The answer, cut when its reader may not read it any more. One that is in memory already stays as it is.
    pub fn cover(self, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        if body.size_hint().exact().is_some() {
            return Response::from_parts(parts, body);
        }
        let covered = stream::try_unfold((body.into_data_stream(), self), Self::next);
        Response::from_parts(parts, Body::from_stream(covered))
    }

    /// The next piece of a body, if it may still be sent.
    async fn next((mut body, mut guard): Covered) -> io::Result<Option<(Bytes, Covered)>> {
        let Some(bytes) = body.next().await else { return Ok(None) };
        let bytes = bytes.map_err(io::Error::other)?;
        guard.ask().await?;
        Ok(Some((bytes, (body, guard))))
    }

    async fn ask(&mut self) -> io::Result<()> {
        if self.asked.elapsed() < self.interval {
            return Ok(());
        }
        let allowed = self.is_allowed().await.map_err(|error| {
            tracing::warn!(%error, "a body was cut: whether it may still be read cannot be known");
            io::Error::other(error)
        })?;
        if !allowed {
            tracing::warn!("a body was cut: its reader may not read it any more");
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        self.asked = Instant::now();
        Ok(())
    }

    async fn is_allowed(&self) -> Result<bool, DatabaseError> {
        let is_over = match self.session_id {
            Some(session_id) => self.database.is_session_revoked(session_id).await?,
            // Whom another issuer proves has no session here that a deactivation would end. Accounts are never deleted.
            None => self.database.user(self.user_id).await?.is_some_and(|user| !user.active),
        };
        if is_over {
            return Ok(false);
        }
        self.database.is_study_in_reach(&self.scope, &self.study).await
    }
}
