//! Events: what happened, told to the outside. They carry identifiers only, never patient data.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clinical::ConsultationStatus;

mod about;
mod change;
mod names;

pub use self::change::Change;

/// Something that happened, named noun.past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    /// An instance became durable and visible.
    #[serde(rename = "instance.stored")]
    InstanceStored {
        /// Its id in REST paths (`/xrays/{id}`).
        xray_id: Uuid,
        /// Study Instance UID.
        study_instance_uid: String,
        /// Series Instance UID.
        series_instance_uid: String,
        /// SOP Instance UID.
        sop_instance_uid: String,
        /// It had been stored before: the index was made again from the objects, or it was deleted and restored.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A second, different content came under a known SOP Instance UID and was kept beside the first.
    #[serde(rename = "instance.conflicted")]
    InstanceConflicted {
        /// Id of the hidden version.
        xray_id: Uuid,
        /// Study Instance UID.
        study_instance_uid: String,
        /// SOP Instance UID.
        sop_instance_uid: String,
    },
    /// Instances under one Patient ID disagree on name, birth date or sex; somebody has to look.
    #[serde(rename = "patient.clashed")]
    PatientClashed {
        /// The patient record that the new study went to.
        patient: Uuid,
        /// The patient record it was kept apart from; the same as `patient` when the clash is inside one study.
        other: Uuid,
        /// The study that brought the clash.
        study_instance_uid: String,
    },
    /// A preview was made.
    #[serde(rename = "preview.made")]
    PreviewMade {
        /// Instance it shows.
        xray_id: Uuid,
        /// Study Instance UID.
        study_instance_uid: String,
    },
    /// No preview could be made; the instance is stored all the same.
    #[serde(rename = "preview.failed")]
    PreviewFailed {
        /// Instance it would have shown.
        xray_id: Uuid,
        /// Study Instance UID.
        study_instance_uid: String,
        /// Why, in one sentence without patient data.
        reason: String,
    },
    /// An object is not what was stored: a byte was changed, cut off or put in its place. What it would have shown is
    /// not shown.
    #[serde(rename = "object.altered")]
    ObjectAltered {
        /// Instance it belongs to.
        xray_id: Uuid,
        /// Study Instance UID.
        study_instance_uid: String,
        /// `instance` or `preview`.
        object: String,
    },
    /// Instances were deleted: gone for everybody, and to be restored until the grace period ends.
    #[serde(rename = "instances.deleted")]
    InstancesDeleted {
        /// The deletion.
        deletion_id: Uuid,
        /// Study Instance UID.
        study_instance_uid: String,
        /// Series Instance UID; left out when all of the study was deleted.
        #[serde(skip_serializing_if = "Option::is_none")]
        series_instance_uid: Option<String>,
        /// SOP Instance UID; left out when all of the series was deleted.
        #[serde(skip_serializing_if = "Option::is_none")]
        sop_instance_uid: Option<String>,
    },
    /// Everything of a patient was erased.
    #[serde(rename = "patient.erased")]
    PatientErased {
        /// The patient record that was.
        patient: Uuid,
    },
    /// A study was linked to a consultation.
    #[serde(rename = "study.linked")]
    StudyLinked {
        /// Consultation id.
        consultation_id: Uuid,
        /// Study Instance UID.
        study_instance_uid: String,
    },
    /// A study was unlinked from a consultation.
    #[serde(rename = "study.unlinked")]
    StudyUnlinked {
        /// Consultation id.
        consultation_id: Uuid,
        /// Study Instance UID.
        study_instance_uid: String,
    },
    /// A study is complete, as far as one can tell. When more of it comes later, it is told again.
    #[serde(rename = "study.completed")]
    StudyCompleted {
        /// Study Instance UID.
        study_instance_uid: String,
        /// How one can tell.
        #[serde(default)]
        completed_by: CompletedBy,
    },
    /// A consultation was proposed, booked or started, or its doctor agreed to what was proposed.
    #[serde(rename = "consultation.scheduled")]
    ConsultationScheduled {
        /// Consultation id.
        consultation_id: Uuid,
        /// Doctor id.
        doctor_id: Uuid,
        /// Where it stood then; not in events of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<ConsultationStatus>,
        /// What was done; not in events of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<Change>,
    },
    /// A consultation was changed: another time, another doctor, the patient arrived, the meeting began.
    #[serde(rename = "consultation.changed")]
    ConsultationChanged {
        /// Consultation id.
        consultation_id: Uuid,
        /// Doctor id, the new one's when it has another.
        doctor_id: Uuid,
        /// Where it stands now.
        status: String,
        /// What was done; not in events of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<Change>,
        /// The doctor who had it before; only when it was given to another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_doctor_id: Option<Uuid>,
    },
    /// A consultation was completed or cancelled, or the patient did not come.
    #[serde(rename = "consultation.ended")]
    ConsultationEnded {
        /// Consultation id.
        consultation_id: Uuid,
        /// Doctor id.
        doctor_id: Uuid,
        /// How it ended; not in events of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<ConsultationStatus>,
        /// What was done; not in events of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<Change>,
    },
    /// A consultation is another doctor's now. For the one who had it, who hears nothing else of it any more: it says what
    /// that one knew.
    #[serde(rename = "consultation.given_away")]
    ConsultationGivenAway {
        /// Consultation id.
        consultation_id: Uuid,
        /// The doctor who had it.
        doctor_id: Uuid,
        /// Its start when it was given away.
        scheduled_at: DateTime<Utc>,
    },
    /// A consultation that is agreed begins soon.
    #[serde(rename = "reminder.due")]
    ReminderDue {
        /// Consultation id.
        consultation_id: Uuid,
        /// Doctor id.
        doctor_id: Uuid,
        /// Which reminder it is: how long before the start it was to come.
        minutes_before: u32,
        /// Agreed start.
        scheduled_at: DateTime<Utc>,
        /// The doctor's time zone (IANA), in which people want to read the start.
        time_zone: String,
    },
    /// A prescription was signed.
    #[serde(rename = "prescription.finalized")]
    PrescriptionFinalized {
        /// Prescription id.
        prescription_id: Uuid,
        /// Consultation id.
        consultation_id: Uuid,
        /// Doctor id.
        doctor_id: Uuid,
    },
    /// A signed prescription was taken back.
    #[serde(rename = "prescription.cancelled")]
    PrescriptionCancelled {
        /// Prescription id.
        prescription_id: Uuid,
        /// Consultation id.
        consultation_id: Uuid,
        /// Doctor id.
        doctor_id: Uuid,
    },
    /// A report was signed.
    #[serde(rename = "report.finalized")]
    ReportFinalized {
        /// Report id.
        report_id: Uuid,
        /// Consultation id.
        consultation_id: Uuid,
        /// Doctor id.
        doctor_id: Uuid,
        /// Somebody has to act at once; the report says why.
        critical: bool,
    },
    /// A signed report was taken back.
    #[serde(rename = "report.cancelled")]
    ReportCancelled {
        /// Report id.
        report_id: Uuid,
        /// Consultation id.
        consultation_id: Uuid,
        /// Doctor id.
        doctor_id: Uuid,
    },
    /// Alert: a doctor reads a patient's studies in an emergency. Somebody has to review it.
    #[serde(rename = "break_glass.started")]
    BreakGlassStarted {
        /// Id of the access.
        break_glass_id: Uuid,
        /// Doctor id.
        doctor_id: Uuid,
    },
    /// Somebody tries to get in where nothing is for them; somebody has to look.
    #[serde(rename = "security.alerted")]
    SecurityAlerted {
        /// What is happening: `associations_refused`.
        kind: String,
        /// Network address that it comes from.
        source_address: String,
    },
    /// An administrator tries a webhook out. Sent to that webhook alone; it is never in the outbox.
    #[serde(rename = "webhook.tested")]
    WebhookTested {
        /// The webhook.
        webhook_id: Uuid,
    },
}

/// How one can tell that a study is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletedBy {
    /// Modalities said so (MPPS): a step was completed, and none is scheduled or under way any more.
    #[default]
    PerformedStep,
    /// Nothing of it has come for a while.
    Quiet,
}

/// An event as it is kept in the outbox and sent: delivered at least once, so consumers drop known `event_id`s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventEnvelope {
    /// Position in the outbox; grows.
    pub sequence: i64,
    /// Identity of the event.
    pub event_id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
