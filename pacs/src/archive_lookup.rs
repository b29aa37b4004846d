//! The archive as what Query/Retrieve looks into: the same search, the same rules of access and the same records as
//! behind DICOMweb.

use archive::ReadError;
use conversion::{Form, Outgoing, Patience, TranscodeError, Way};
use database::{
    AuditOutcome, AuditRecord, Database, DatabaseError, InstanceKeys, PatientRow, SearchQuery, SearchResult,
    StoredInstance,
};
use model::{
    StudyInstanceUid, TransferSyntaxUid,
    access::{Action, Principal, Role, Scope},
};
use uuid::Uuid;

use crate::{
    access::Rights,
    archive_backend::{House, actor},
    backend::{Backend, Peer, RefusedAct, Unavailable},
    dimse::status,
    query_retrieve::{
        lookup::{Ending, Looked, Lookup, NotOpened, Opened},
        response::{Counts, Refused},
    },
    retrieve::begun::{begun, even},
};

/// What a peer is told about failures that are not its own: the operator's log says more.
const NOT_NOW: &str = "the archive cannot be asked now";

/// The action of a retrieval in the audit trail.
const RETRIEVE: &str = "retrieve_instances";

fn how(destination: Option<String>) -> String {
    destination.map_or("C-GET".to_owned(), |title| format!("C-MOVE to {title}"))
}

fn not_now(error: &DatabaseError) -> Refused {
    tracing::error!(%error, "the index cannot be asked");
    Refused::saying(status::OUT_OF_RESOURCES, NOT_NOW)
}

/// How far an AE sees: as far as the account that it is registered with, else as a program that reads every study. None:
/// the account may not read studies, or no more.
pub(crate) async fn reading_scope(
    database: &Database,
    reads_as: Option<Uuid>,
) -> Result<Option<Scope>, DatabaseError> {
    let reader = match reads_as {
        None => Some(Principal::new(Uuid::nil(), Role::Service, None)),
        Some(account) => {
            let user = database.user(account).await?.filter(|user| user.active);
            user.map(|user| Principal::new(user.id, user.role, user.doctor_id))
        }
    };
    Ok(reader.and_then(|reader| reader.authorize(Action::ReadStudy).ok()))
}

impl House {
    async fn open_stored(&self, instance: &StoredInstance) -> Result<Opened, NotOpened> {
        let read = self.archive().read_data_set(instance).await;
        let data_set = read.map_err(|error| unreadable(instance, &error))?;
        let data_set = if instance.data_set_length_bytes.is_multiple_of(2) {
            data_set
        } else if instance.transfer_syntax_uid.data_set_encoding().deflated {
            // A deflated data set is padded with one byte to an even length (PS3.5 A.5).
            even(data_set)
        } else {
            return Err(unreadable(instance, &ReadError::Damaged("the data set has an odd number of bytes")));
        };
        let data_set = begun(data_set).await.map_err(|error| unreadable(instance, &error))?;
        Ok(Opened { transfer_syntax: instance.transfer_syntax_uid.clone(), data_set })
    }

    /// In another transfer syntax, as DICOMweb gives it out, when nothing is lost with it. What has lost something is
    /// another instance with a UID of its own (PS3.3 C.7.6.1.1.5), which nobody has asked for.
    async fn open_converted(
        &self,
        instance: &StoredInstance,
        transfer_syntaxes: &[TransferSyntaxUid],
    ) -> Result<Opened, NotOpened> {
        let header = self.archive().database().header(instance.id).await.map_err(|error| {
            tracing::error!(%error, "the index cannot be asked");
            NotOpened::Unreadable
        })?;
        let header = header.ok_or(NotOpened::Unreadable)?;
        for offer in conversion::of(instance, &header) {
            let is_lossless = match offer.way {
                Way::AsStored => continue,
                Way::Rewritten { .. } => true,
                Way::Transcoded { target, .. } => !target.is_lossy(),
            };
            let syntax = transfer_syntaxes.iter().find(|uid| uid.as_str() == offer.transfer_syntax);
            let Some(transfer_syntax) = syntax.filter(|_| is_lossless).cloned() else { continue };
            let outgoing = Outgoing {
                converter: self.converter().clone(),
                instance: instance.clone(),
                header: header.clone(),
                transfer_syntax: transfer_syntax.clone(),
                form: Form::DataSet,
                patience: Patience::Unlimited,
            };
            match conversion::open(outgoing, offer.way).await {
                Ok(data_set) => {
                    let data_set =
                        begun(even(data_set)).await.map_err(|error| unreadable(instance, &error))?;
                    return Ok(Opened { transfer_syntax, data_set });
                }
                Err(TranscodeError::NotPossible(reason)) => {
                    tracing::warn!(reason, sop_instance_uid = %instance.sop_instance_uid, "not converted");
                }
                Err(TranscodeError::Read(error)) => return Err(unreadable(instance, &error)),
                Err(TranscodeError::Busy(_)) => return Err(NotOpened::Unreadable),
            }
        }
        Err(NotOpened::TransferSyntax)
    }
}

fn unreadable(instance: &StoredInstance, error: &ReadError) -> NotOpened {
    tracing::error!(%error, sop_instance_uid = %instance.sop_instance_uid, "an instance cannot be read");
    NotOpened::Unreadable
}

impl Lookup for House {
    async fn scope(&self, peer: &Peer, rights: &Rights) -> Result<Scope, Refused> {
        let scope = match &peer.person {
            // Not what the AE is registered to see besides: a person may see less, and who proves one asks as that one.
            Some(person) => person.principal.authorize(Action::ReadStudy).ok(),
            None => reading_scope(self.archive().database(), rights.reads_as)
                .await
                .map_err(|error| not_now(&error))?,
        };
        if let Some(scope) = scope {
            return Ok(scope);
        }
        self.record_refusal(peer, RefusedAct::Reading).await;
        Err(Refused::saying(status::NOT_AUTHORIZED, "the account may not read studies"))
    }

    async fn is_in_reach(&self, scope: &Scope, study: &StudyInstanceUid) -> Result<bool, Refused> {
        let found = self.archive().database().is_study_in_reach(scope, study).await;
        found.map_err(|error| not_now(&error))
    }

    async fn search(&self, scope: &Scope, query: &SearchQuery) -> Result<SearchResult, Refused> {
        self.archive().database().search(scope, query).await.map_err(|error| not_now(&error))
    }

    async fn search_patients(
        &self,
        scope: &Scope,
        query: &SearchQuery,
        after: Option<Uuid>,
    ) -> Result<Vec<PatientRow>, Refused> {
        let found = self.archive().database().search_patients(scope, query, after).await;
        found.map_err(|error| not_now(&error))
    }

    async fn instances(
        &self,
        scope: &Scope,
        keys: InstanceKeys<'_>,
        limit: u64,
    ) -> Result<Vec<StoredInstance>, Refused> {
        let found = self.archive().database().listed_instances(scope, keys, limit).await;
        found.map_err(|error| not_now(&error))
    }

    async fn open(
        &self,
        instance: &StoredInstance,
        transfer_syntaxes: &[TransferSyntaxUid],
    ) -> Result<Opened, NotOpened> {
        if transfer_syntaxes.contains(&instance.transfer_syntax_uid) {
            return self.open_stored(instance).await;
        }
        self.open_converted(instance, transfer_syntaxes).await
    }

    async fn record(&self, peer: &Peer, rights: &Rights, looked: Looked) -> Result<(), Unavailable> {
        let actor = actor(peer);
        let user_id = actor.user_id.or(rights.reads_as);
        let actor = database::AuditActor { user_id, ..actor };
        let record = match looked {
            Looked::Searched { filter, found, more, study } => {
                let beyond = if more { " or more" } else { "" };
                let record = AuditRecord::success(&actor, "search_archive")
                    .saying(format!("C-FIND, filter {filter}, {found}{beyond} found"));
                study.into_iter().fold(record, AuditRecord::of_study)
            }
            Looked::SearchedWorklist { filter, found, more } => {
                let beyond = if more { " or more" } else { "" };
                AuditRecord::success(&actor, "search_worklist")
                    .saying(format!("C-FIND, filter {filter}, {found}{beyond} found"))
            }
            Looked::Retrieved { study, instances, destination } => AuditRecord::success(&actor, RETRIEVE)
                .of_study(study)
                .saying(format!("{}, asked for {instances}", how(destination))),
            Looked::RetrievalEnded { study, counts, ending, destination } => {
                let Counts { remaining, completed, failed, warning } = counts;
                let ended = match ending {
                    Ending::Done => "",
                    Ending::Cancelled => ", cancelled",
                    Ending::BrokenOff => ", broken off",
                };
                let detail = format!(
                    "{}, {completed} completed, {failed} failed, {warning} with a warning, {remaining} remaining{ended}",
                    how(destination)
                );
                let has_failed = failed > 0 || (ending == Ending::BrokenOff && remaining > 0);
                let outcome = if has_failed { AuditOutcome::Failed } else { AuditOutcome::Success };
                let record = AuditRecord::success(&actor, RETRIEVE).of_study(study).saying(detail);
                AuditRecord { outcome, ..record }
            }
            Looked::NotRetrieved { study, reason } => {
                AuditRecord::refused(&actor, RETRIEVE).of_study(study).saying(reason)
            }
        };
        self.record_act(record).await
    }
}
