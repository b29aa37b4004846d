//! The names of all events: what can be subscribed to, and what `docs/asyncapi.yaml` describes.

use super::Event;

impl Event {
    /// The name of an administrator's trial of a webhook: sent to that webhook, and nothing to subscribe to.
    pub const TRIAL: &str = "webhook.tested";

    /// Every name on the wire but [`Event::TRIAL`].
    pub const NAMES: [&str; 22] = [
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
        "consultation.given_away",
        "reminder.due",
        "prescription.finalized",
        "prescription.cancelled",
        "report.finalized",
        "report.cancelled",
        "break_glass.started",
        "security.alerted",
    ];

    /// Names of events with what was done behind them: to be subscribed to instead of the name, by who wants some of its
    /// events alone.
    pub const DETAILED_NAMES: [&str; 11] = [
        "consultation.scheduled.proposed",
        "consultation.scheduled.booked",
        "consultation.scheduled.started",
        "consultation.changed.arrived",
        "consultation.changed.started",
        "consultation.changed.edited",
        "consultation.changed.rescheduled",
        "consultation.changed.reassigned",
        "consultation.ended.completed",
        "consultation.ended.cancelled",
        "consultation.ended.no_show",
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
            Self::ConsultationGivenAway { .. } => "consultation.given_away",
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

    /// The name with what was done behind it, one of [`Event::DETAILED_NAMES`]; of events that say so.
    pub fn detailed_name(&self) -> Option<&'static str> {
        let (Self::ConsultationScheduled { change, .. }
        | Self::ConsultationChanged { change, .. }
        | Self::ConsultationEnded { change, .. }) = self
        else {
            return None;
        };
        let (name, done) = (self.name(), (*change)?.as_str());
        Self::DETAILED_NAMES.into_iter().find(|detailed| {
            detailed.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) == Some(done)
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        clinical::{ConsultationCommand, ConsultationStatus},
        event::Change,
    };

    /// What serde says of a name that is none is the list of those that there are.
    #[test]
    fn no_event_is_left_out() {
        let refusal = serde_json::from_str::<Event>(r#"{"type":"none"}"#).expect_err("no event").to_string();
        let known: Vec<&str> = refusal.split('`').skip(3).step_by(2).collect();
        let listed: Vec<&str> = Event::NAMES.into_iter().chain([Event::TRIAL]).collect();
        assert_eq!(known, listed, "{refusal}");
    }

    #[test]
    fn whatever_is_done_with_a_consultation_has_a_name_of_its_own() {
        let (consultation_id, doctor_id) = (Uuid::nil(), Uuid::nil());
        let mut named = Vec::new();
        for status in
            [ConsultationStatus::Proposed, ConsultationStatus::Booked, ConsultationStatus::InProgress]
        {
            let change = Some(Change::from(status));
            let status = Some(status);
            let made = Event::ConsultationScheduled { consultation_id, doctor_id, status, change };
            named.push(made.detailed_name().expect("a name"));
        }
        let changes = ConsultationCommand::ALL.map(Change::from).into_iter().chain([Change::Edited]);
        for change in changes.filter(|change| *change != Change::Booked) {
            assert_eq!(serde_json::to_value(change).expect("JSON"), change.as_str());
            let (status, change) = (String::new(), Some(change));
            let changed = Event::ConsultationChanged {
                consultation_id,
                doctor_id,
                status,
                change,
                previous_doctor_id: None,
            };
            let ended = Event::ConsultationEnded { consultation_id, doctor_id, status: None, change };
            named.extend(changed.detailed_name().or(ended.detailed_name()));
        }
        named.sort_unstable();
        let mut known = Event::DETAILED_NAMES;
        known.sort_unstable();
        assert_eq!(named, known);
    }

    #[test]
    fn events_of_earlier_versions_are_read_and_sent_as_they_were() {
        let ids = format!(r#""consultation_id":"{0}","doctor_id":"{0}""#, Uuid::nil());
        for old in [
            format!(r#"{{"type":"consultation.scheduled",{ids}}}"#),
            format!(r#"{{"type":"consultation.changed",{ids},"status":"booked"}}"#),
            format!(r#"{{"type":"consultation.ended",{ids}}}"#),
        ] {
            let event: Event = serde_json::from_str(&old).expect("an event");
            assert_eq!(event.detailed_name(), None, "{old}");
            assert_eq!(serde_json::to_string(&event).expect("JSON"), old);
        }
    }
}
