//! The names of all events: what can be subscribed to, and what `docs/asyncapi.yaml` describes.

use super::Event;

impl Event {
    /// The name of an administrator's trial of a webhook: sent to that webhook, and nothing to subscribe to.
    pub const TRIAL: &str = "webhook.tested";

    /// Every name on the wire but [`Event::TRIAL`].
    pub const NAMES: [&str; 21] = [
        "instance.stored",
        "instance.conflicted",
        "patient.clashed",
        "preview.made",
        "preview.failed",
        "object.altered",
        "instances.deleted",
        "patient.erased",
        "study.linked",
        "study.unlinked",
        "study.completed",
        "consultation.scheduled",
        "consultation.changed",
        "consultation.ended",
        "reminder.due",
        "prescription.finalized",
        "prescription.cancelled",
        "report.finalized",
        "report.cancelled",
        "break_glass.started",
        "security.alerted",
    ];

    /// The name on the wire: noun.past.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InstanceStored { .. } => "instance.stored",
            Self::InstanceConflicted { .. } => "instance.conflicted",
            Self::PatientClashed { .. } => "patient.clashed",
            Self::PreviewMade { .. } => "preview.made",
            Self::PreviewFailed { .. } => "preview.failed",
            Self::ObjectAltered { .. } => "object.altered",
            Self::InstancesDeleted { .. } => "instances.deleted",
            Self::PatientErased { .. } => "patient.erased",
            Self::StudyLinked { .. } => "study.linked",
            Self::StudyCompleted { .. } => "study.completed",
            Self::StudyUnlinked { .. } => "study.unlinked",
            Self::ConsultationScheduled { .. } => "consultation.scheduled",
            Self::ConsultationChanged { .. } => "consultation.changed",
            Self::ConsultationEnded { .. } => "consultation.ended",
            Self::ReminderDue { .. } => "reminder.due",
            Self::PrescriptionFinalized { .. } => "prescription.finalized",
            Self::PrescriptionCancelled { .. } => "prescription.cancelled",
            Self::ReportFinalized { .. } => "report.finalized",
            Self::ReportCancelled { .. } => "report.cancelled",
            Self::BreakGlassStarted { .. } => "break_glass.started",
            Self::SecurityAlerted { .. } => "security.alerted",
            Self::WebhookTested { .. } => "webhook.tested",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What serde says of a name that is none is the list of those that there are.
    #[test]
    fn no_event_is_left_out() {
        let refusal = serde_json::from_str::<Event>(r#"{"type":"none"}"#).expect_err("no event").to_string();
        let known: Vec<&str> = refusal.split('`').skip(3).step_by(2).collect();
        let listed: Vec<&str> = Event::NAMES.into_iter().chain([Event::TRIAL]).collect();
        assert_eq!(known, listed, "{refusal}");
    }
}
