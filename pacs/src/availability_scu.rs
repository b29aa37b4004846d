//! PS3.4 Annex R, Instance Availability Notification as user: whoever is registered for it is told by N-CREATE which instances of a
//! study can be had of us, when the study is complete.

use archive::Archive;
use chrono::{DateTime, TimeDelta, Utc};
use database::{AvailabilityEnd, AvailabilityNotice, DatabaseError, PerformedStepFilter, StoredInstance};
use dicom_dictionary_std::uids;
use dicom_header::VR;
use model::{AeTitle, SopClassUid, SopInstanceUid, ae::Ae, transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN};
use serde::{Deserialize, Serialize};
use service::shutdown::Shutdown;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    archive_lookup::reading_scope,
    call::{CallConfig, Callee, can_be_called},
    config::PacsConfig,
    delivery::{Debt, DeliveryError, Owed, Patience, deliver, teller},
    dimse::command_set::{CommandSetBuilder, DATA_SET_PRESENT, command_field, element},
    query_retrieve::data_set::DataSet,
    registry::Registry,
    store_scu::{Proposal, ScuAssociation, ScuError, ScuTimeouts, StoreResponse, plain_syntaxes},
    upper_layer::framing::Transport,
};

const RETRIEVE_AE_TITLE: u32 = 0x0008_0054;
const INSTANCE_AVAILABILITY: u32 = 0x0008_0056;
const REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE: u32 = 0x0008_1111;
const REFERENCED_SERIES_SEQUENCE: u32 = 0x0008_1115;
const REFERENCED_SOP_CLASS_UID: u32 = 0x0008_1150;
const REFERENCED_SOP_INSTANCE_UID: u32 = 0x0008_1155;
const REFERENCED_SOP_SEQUENCE: u32 = 0x0008_1199;
const STUDY_INSTANCE_UID: u32 = 0x0020_000D;
const SERIES_INSTANCE_UID: u32 = 0x0020_000E;
const PERFORMED_WORKITEM_CODE_SEQUENCE: u32 = 0x0040_4019;

/// Instances of one notification; more are told in several.
const INSTANCES_MAX: usize = 10_000;
/// The counter of studies that were told of.
const NOTIFIED: &str = "maxray_availability_notified_total";
/// Performed steps that are named of one study.
const STEPS_MAX: u32 = 1_000;

/// Section `[pacs.availability]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AvailabilityConfig {
    /// Notifications made at once.
    pub notices_max: usize,
    /// Wait after the first attempt that failed; doubled after each further one.
    pub retry_first_ms: u64,
    /// Longest such wait.
    pub retry_longest_ms: u64,
    /// Time after the study was complete from which nothing more is tried.
    pub give_up_after_ms: u64,
}

impl Default for AvailabilityConfig {
    fn default() -> Self {
        Self {
            notices_max: 4,
            retry_first_ms: 10_000,
            retry_longest_ms: 3_600_000,
            give_up_after_ms: 604_800_000,
        }
    }
}

/// Tells those who want to know of studies that are complete.
pub struct Notifier {
    archive: Archive,
    registry: Registry,
    title: AeTitle,
    call: CallConfig,
    config: AvailabilityConfig,
}

/// What is proposed.
pub fn proposal() -> Option<Proposal> {
    Some(Proposal {
        sop_class_uid: SopClassUid::parse(uids::INSTANCE_AVAILABILITY_NOTIFICATION).ok()?,
        transfer_syntax_uids: plain_syntaxes(),
        as_provider: false,
    })
}

impl Notifier {
    /// For the notices that wait in the archive's database.
    pub fn new(archive: Archive, config: &PacsConfig) -> Self {
        let registry = Registry::new(archive.database().clone());
        let (title, call) = (config.ae_title.clone(), config.call.clone());
        Self { archive, registry, title, call, config: config.availability.clone() }
    }

    /// Works until the shutdown begins. An alarm that asks for an increase needs a number before it.
    pub async fn run(&self, shutdown: &Shutdown) {
        for counter in [NOTIFIED, Self::FAILED] {
            metrics::counter!(counter).increment(0);
        }
        deliver(self, self.config.notices_max, &Notify::new(), shutdown).await;
    }

    /// Who is told, as long as it wants to be.
    async fn listener(&self, title: &AeTitle) -> Result<Option<Ae>, DeliveryError> {
        let registry = self.registry.get().await.map_err(|_| DeliveryError::Registry)?;
        let wants = |ae: &&Ae| ae.title == *title && ae.profile.enabled && ae.profile.notify_availability;
        let ae = registry.iter().find(wants);
        match ae {
            Some(ae) if !can_be_called(ae) => Err(DeliveryError::NotRegistered),
            ae => Ok(ae.cloned()),
        }
    }

    /// What it may see of the study, and the steps in which that was made.
    async fn look(
        &self,
        notice: &AvailabilityNotice,
        ae: &Ae,
    ) -> Result<(Vec<StoredInstance>, Vec<SopInstanceUid>), DatabaseError> {
        let (database, study) = (self.archive.database(), &notice.study_instance_uid);
        let Some(scope) = reading_scope(database, ae.profile.reads_as).await? else {
            return Ok((Vec::new(), Vec::new()));
        };
        let instances = database.instances(&scope, study, None, None).await?;
        let steps = PerformedStepFilter {
            study_instance_uids: vec![study.to_string()],
            limit: STEPS_MAX,
            ..PerformedStepFilter::default()
        };
        let steps = database.performed_steps(&scope, &steps, |row| Ok(row.step.sop_instance_uid)).await?;
        Ok((instances, steps))
    }

    /// Gives how many instances it knows of now.
    async fn notify(&self, notice: &AvailabilityNotice) -> Result<usize, DeliveryError> {
        let Some(ae) = self.listener(&notice.ae_title).await? else { return Ok(0) };
        let (instances, steps) = self.look(notice, &ae).await?;
        if instances.is_empty() {
            return Ok(0);
        }
        let (proposals, timeouts): (Vec<_>, _) = (proposal().into_iter().collect(), ScuTimeouts::default());
        let callee = Callee::of(&ae);
        let association =
            ScuAssociation::connect(&self.call, &callee, &self.title, &proposals, timeouts).await;
        let mut association = association.map_err(DeliveryError::Unreachable)?;
        for part in instances.chunks(INSTANCES_MAX) {
            let notification = encode(&self.title, part, &steps);
            match association.notify_availability(notification).await {
                Ok(response) if response.is_success() => {}
                Ok(response) => {
                    // It has heard.
                    let _ = association.release().await;
                    return Err(DeliveryError::Status(response.status));
                }
                Err(error) => {
                    association.abort(&error).await;
                    return Err(error.into());
                }
            }
        }
        // It has heard everything.
        let _ = association.release().await;
        Ok(instances.len())
    }
}

impl Owed for Notifier {
    type Item = AvailabilityNotice;
    const WHAT: &'static str = "availability of a study";
    const FAILED: &'static str = "maxray_availability_attempts_failed_total";

    fn archive(&self) -> &Archive {
        &self.archive
    }

    fn patience(&self) -> Patience {
        let AvailabilityConfig { retry_first_ms, retry_longest_ms, give_up_after_ms, .. } = self.config;
        Patience {
            retry_first: retry_first_ms,
            retry_longest: retry_longest_ms,
            give_up_after: give_up_after_ms,
        }
    }

    fn debt<'a>(&self, notice: &'a AvailabilityNotice) -> Debt<'a> {
        Debt {
            ae_title: &notice.ae_title,
            about: notice.study_instance_uid.as_str(),
            since: notice.requested_at,
            attempts: notice.attempts,
        }
    }

    async fn claim(&self, lease: TimeDelta) -> Result<Option<AvailabilityNotice>, DatabaseError> {
        self.archive.database().claim_availability_notice(lease).await
    }

    async fn tell(&self, notice: &AvailabilityNotice) -> Result<(), DeliveryError> {
        let end = match self.notify(notice).await? {
            0 => AvailabilityEnd::Nothing,
            instances => {
                metrics::counter!(NOTIFIED).increment(1);
                let (study_instance_uid, ae_title) = (&notice.study_instance_uid, &notice.ae_title);
                tracing::info!(%study_instance_uid, %ae_title, instances, "availability reported");
                AvailabilityEnd::Told(instances)
            }
        };
        Ok(self.archive.database().end_availability_notice(notice, end, &teller()).await?)
    }

    async fn postpone(&self, notice: &AvailabilityNotice, until: DateTime<Utc>) -> Result<(), DatabaseError> {
        self.archive.database().postpone_availability_notice(notice, until).await
    }

    async fn postpone_all(&self, ae_title: &AeTitle, until: DateTime<Utc>) -> Result<(), DatabaseError> {
        self.archive.database().postpone_availability_notices_of(ae_title, until).await
    }

    async fn give_up(&self, notice: &AvailabilityNotice) -> Result<(), DatabaseError> {
        let database = self.archive.database();
        database.end_availability_notice(notice, AvailabilityEnd::GivenUp, &teller()).await
    }
}

fn reference(class: &str, instance: &str) -> DataSet {
    let mut item = DataSet::default();
    item.text(REFERENCED_SOP_CLASS_UID, VR::UI, class);
    item.text(REFERENCED_SOP_INSTANCE_UID, VR::UI, instance);
    item
}

/// PS3.4 table R.3.2-1; instances come in the order of their series. Nothing else may be in it.
fn encode(retrieve_from: &AeTitle, instances: &[StoredInstance], steps: &[SopInstanceUid]) -> DataSet {
    let mut notification = DataSet::default();
    let steps = steps.iter().map(|uid| {
        let mut item = reference(uids::MODALITY_PERFORMED_PROCEDURE_STEP, uid.as_str());
        item.items(PERFORMED_WORKITEM_CODE_SEQUENCE, Vec::new());
        item
    });
    notification.items(REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, steps.collect());
    let study = instances.first().map_or("", |instance| instance.study_instance_uid.as_str());
    notification.text(STUDY_INSTANCE_UID, VR::UI, study);
    let series = instances.chunk_by(|one, next| one.series_instance_uid == next.series_instance_uid);
    let series = series.map(|instances| {
        let mut item = DataSet::default();
        let uid = instances.first().map_or("", |instance| instance.series_instance_uid.as_str());
        item.text(SERIES_INSTANCE_UID, VR::UI, uid);
        let references = instances.iter().map(|instance| {
            let mut item = reference(instance.sop_class_uid.as_str(), instance.sop_instance_uid.as_str());
            item.text(INSTANCE_AVAILABILITY, VR::CS, "ONLINE");
            item.text(RETRIEVE_AE_TITLE, VR::AE, retrieve_from.as_str());
            item
        });
        item.items(REFERENCED_SOP_SEQUENCE, references.collect());
        item
    });
    notification.items(REFERENCED_SERIES_SEQUENCE, series.collect());
    notification
}

impl<S: Transport> ScuAssociation<S> {
    /// N-CREATE of a notification (PS3.7 10.1.5), which gets a UID of its own.
    async fn notify_availability(&mut self, notification: DataSet) -> Result<StoreResponse, ScuError> {
        let proposal = proposal().ok_or(ScuError::Proposal)?;
        let (context_id, syntax) = self.context_of(&proposal)?;
        let data_set = notification.encode(syntax == IMPLICIT_VR_LITTLE_ENDIAN, "");
        let message_id = self.next_message_id();
        let uid = SopInstanceUid::from_uuid(Uuid::now_v7());
        let command = CommandSetBuilder::default()
            .uid(element::AFFECTED_SOP_CLASS_UID, Some(proposal.sop_class_uid.as_str()))
            .number(element::COMMAND_FIELD, command_field::N_CREATE_RQ)
            .number(element::MESSAGE_ID, message_id)
            .number(element::COMMAND_DATA_SET_TYPE, DATA_SET_PRESENT)
            .uid(element::AFFECTED_SOP_INSTANCE_UID, Some(uid.as_str()))
            .build();
        self.upper_layer.send_message(context_id, &command, Some(&data_set)).await?;
        self.response(message_id).await
    }
}
