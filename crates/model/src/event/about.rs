//! What an event is about, and whom it is addressed to: who may hear of it follows from that.

use uuid::Uuid;

use super::Event;

impl Event {
    /// The study it is about, when there is one: who may read that study may see the event.
    pub fn study_instance_uid(&self) -> Option<&str> {
        match self {
            Self::InstanceStored { study_instance_uid, .. }
            | Self::InstanceConflicted { study_instance_uid, .. }
            | Self::PatientClashed { study_instance_uid, .. }
            | Self::PreviewMade { study_instance_uid, .. }
            | Self::PreviewFailed { study_instance_uid, .. }
            | Self::ObjectAltered { study_instance_uid, .. }
            | Self::InstancesDeleted { study_instance_uid, .. }
            | Self::StudyLinked { study_instance_uid, .. }
            | Self::StudyCompleted { study_instance_uid, .. }
            | Self::StudyUnlinked { study_instance_uid, .. } => Some(study_instance_uid),
            Self::PatientErased { .. }
            | Self::ConsultationScheduled { .. }
            | Self::ConsultationChanged { .. }
            | Self::ConsultationEnded { .. }
            | Self::ConsultationGivenAway { .. }
            | Self::ReminderDue { .. }
            | Self::PrescriptionFinalized { .. }
            | Self::PrescriptionCancelled { .. }
            | Self::ReportFinalized { .. }
            | Self::ReportCancelled { .. }
            | Self::BreakGlassStarted { .. }
            | Self::SecurityAlerted { .. }
            | Self::WebhookTested { .. } => None,
        }
    }

    /// The doctor it is addressed to, when it is not about a study.
    pub fn doctor_id(&self) -> Option<Uuid> {
        match self {
            Self::ConsultationScheduled { doctor_id, .. }
            | Self::ConsultationChanged { doctor_id, .. }
            | Self::ConsultationEnded { doctor_id, .. }
            | Self::ConsultationGivenAway { doctor_id, .. }
            | Self::ReminderDue { doctor_id, .. }
            | Self::PrescriptionFinalized { doctor_id, .. }
            | Self::PrescriptionCancelled { doctor_id, .. }
            | Self::ReportFinalized { doctor_id, .. }
            | Self::ReportCancelled { doctor_id, .. }
            | Self::BreakGlassStarted { doctor_id, .. } => Some(*doctor_id),
            _ => None,
        }
    }
}
