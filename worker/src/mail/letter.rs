//! What e-mails say: what happened, when the consultation is in the doctor's own time, and how to find it. Nothing of the
//! patient: e-mail is read by many on its way.

use chrono::{DateTime, Utc};
use jiff::{Timestamp, tz::TimeZone};
use model::{
    clinical::{Consultation, ConsultationStatus},
    event::Event,
};

/// Subject and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub subject: String,
    pub text: String,
}

/// The letter about an event, given how the consultation stands now; `None` when there is nothing to say (any more).
pub(super) fn letter_about(
    event: &Event,
    consultation: &Consultation,
    time_zone: &str,
    link: &str,
    now: DateTime<Utc>,
) -> Option<Letter> {
    use ConsultationStatus::{Arrived, Booked, Cancelled, Completed, InProgress, NoShow, Proposed};
    let status = consultation.status;
    let (subject, sentence) = match event {
        Event::ConsultationScheduled { .. } => match status {
            Proposed => ("Consultation proposed", "A consultation is proposed and waits for your word."),
            InProgress => ("Consultation begun", "A consultation with you has begun."),
            Booked | Arrived => ("Consultation booked", "A consultation was booked with you."),
            Completed | Cancelled | NoShow => return None,
        },
        Event::ConsultationGivenAway { .. } => (
            "Consultation given to another doctor",
            "A consultation is not yours any more: it was given to another doctor. This is when it was.",
        ),
        Event::ConsultationChanged { .. } if status.is_over() => return None,
        Event::ConsultationChanged { previous_doctor_id: Some(_), .. } => {
            ("Consultation given to you", "A consultation was given to you. This is when it is.")
        }
        Event::ConsultationChanged { status: then, .. } if then == Arrived.as_str() => {
            ("Patient has arrived", "The patient of a consultation has arrived.")
        }
        Event::ConsultationChanged { status: then, .. } if matches!(then.as_str(), "booked" | "proposed") => {
            ("Consultation changed", "A consultation was changed. This is when it is now.")
        }
        Event::ConsultationEnded { .. } if status == Cancelled => {
            ("Consultation cancelled", "A consultation was cancelled.")
        }
        Event::ReminderDue { scheduled_at, .. }
            if matches!(status, Booked | Arrived)
                && *scheduled_at == consultation.scheduled_at
                && *scheduled_at > now =>
        {
            ("Reminder of a consultation", "A consultation begins soon.")
        }
        _ => return None,
    };
    let at = match event {
        // What became of it since is the other doctor's.
        Event::ConsultationGivenAway { scheduled_at, .. } => *scheduled_at,
        _ => consultation.scheduled_at,
    };
    let (short, long) = in_zone(at, time_zone);
    Some(Letter {
        subject: format!("{subject}: {short}"),
        text: format!("{sentence}\r\n\r\nWhen: {long}\r\nConsultation: {link}\r\n"),
    })
}

/// A time as a clock in that zone shows it; UTC when the zone is not known.
fn in_zone(at: DateTime<Utc>, time_zone: &str) -> (String, String) {
    let zone = TimeZone::get(time_zone).unwrap_or(TimeZone::UTC);
    let name = zone.iana_name().unwrap_or("UTC").to_owned();
    let at = zone.to_datetime(Timestamp::from_second(at.timestamp()).unwrap_or_default());
    (at.strftime("%-d %b %Y, %H:%M").to_string(), format!("{} ({name})", at.strftime("%A, %-d %B %Y, %H:%M")))
}

#[cfg(test)]
mod tests {
    use model::event::Change;
    use uuid::Uuid;

    use super::*;

    fn consultation(status: ConsultationStatus) -> Consultation {
        let at = "2027-03-28T07:30:00Z".parse().expect("a time");
        Consultation {
            id: Uuid::nil(),
            doctor_id: Uuid::nil(),
            patient_id: "PAT-1".to_owned(),
            issuer_of_patient_id: "HOSP".to_owned(),
            patient_name: "Doe^Jane".to_owned(),
            status,
            scheduled_at: at,
            ends_at: None,
            reason: "cough".to_owned(),
            version: 1,
            created_by: None,
            closed_at: None,
            created_at: at,
            updated_at: at,
        }
    }

    fn subject(event: &Event, status: ConsultationStatus, now: &str) -> Option<String> {
        let now = now.parse().expect("a time");
        letter_about(event, &consultation(status), "Europe/Berlin", "L", now).map(|letter| letter.subject)
    }

    const BEFORE: &str = "2027-03-28T07:00:00Z";
    const ID: Uuid = Uuid::nil();

    fn scheduled() -> Event {
        Event::ConsultationScheduled { consultation_id: ID, doctor_id: ID, status: None, change: None }
    }

    fn changed(status: &str) -> Event {
        Event::ConsultationChanged {
            consultation_id: ID,
            doctor_id: ID,
            status: status.to_owned(),
            change: None,
            previous_doctor_id: None,
        }
    }

    #[test]
    fn a_letter_says_when_in_the_doctors_time_and_nothing_of_the_patient() {
        let event = scheduled();
        let now = BEFORE.parse().expect("a time");
        let booked = consultation(ConsultationStatus::Booked);
        // The night before, clocks went forward.
        let letter = letter_about(&event, &booked, "Europe/Berlin", "https://c.example/1", now);
        let letter = letter.expect("a letter");
        assert_eq!(letter.subject, "Consultation booked: 28 Mar 2027, 09:30");
        assert!(
            letter.text.contains("When: Sunday, 28 March 2027, 09:30 (Europe/Berlin)"),
            "{}",
            letter.text
        );
        assert!(letter.text.contains("https://c.example/1"));
        for word in ["PAT-1", "Doe", "Jane", "cough", "HOSP"] {
            assert!(!letter.text.contains(word) && !letter.subject.contains(word), "{word}");
        }
        let unknown = letter_about(&event, &booked, "", "1", now).expect("a letter");
        assert!(unknown.text.contains("07:30 (UTC)"), "{}", unknown.text);
    }

    /// Letters wait while the mail server is away, and overtake each other.
    #[test]
    fn a_letter_that_comes_late_does_not_tell_what_is_not_so_any_more() {
        use ConsultationStatus::{Arrived, Cancelled, Completed, NoShow, Proposed};
        let (scheduled, moved) = (scheduled(), changed("booked"));
        for over in [Cancelled, Completed, NoShow] {
            assert_eq!((subject(&scheduled, over, BEFORE), subject(&moved, over, BEFORE)), (None, None));
        }
        for (status, start) in [(Proposed, "Consultation proposed"), (Arrived, "Consultation booked")] {
            let said = subject(&scheduled, status, BEFORE).expect("a letter");
            assert!(said.starts_with(start), "{said}");
        }
    }

    #[test]
    fn what_is_over_or_was_done_by_the_doctor_is_not_told() {
        use ConsultationStatus::{Booked, Cancelled, Completed, InProgress, NoShow};
        let reminder = Event::ReminderDue {
            consultation_id: ID,
            doctor_id: ID,
            minutes_before: 10,
            scheduled_at: consultation(Booked).scheduled_at,
            time_zone: String::new(),
        };
        assert!(subject(&reminder, Booked, BEFORE).is_some_and(|subject| subject.starts_with("Reminder")));
        assert_eq!(subject(&reminder, Booked, "2027-03-28T07:30:00Z"), None, "it has begun");
        assert_eq!(subject(&reminder, Cancelled, BEFORE), None);
        let ended =
            Event::ConsultationEnded { consultation_id: ID, doctor_id: ID, status: None, change: None };
        assert!(subject(&ended, Cancelled, BEFORE).is_some());
        assert_eq!(subject(&ended, Completed, BEFORE), None);
        assert_eq!(subject(&ended, NoShow, BEFORE), None);
        assert!(
            subject(&changed("booked"), Booked, BEFORE).is_some_and(|subject| subject.contains("changed"))
        );
        assert!(
            subject(&changed("arrived"), InProgress, BEFORE)
                .is_some_and(|subject| subject.contains("arrived"))
        );
        assert_eq!(subject(&changed("in_progress"), InProgress, BEFORE), None);
    }

    #[test]
    fn who_gave_a_consultation_away_is_told_when_it_was_and_not_what_became_of_it() {
        use ConsultationStatus::{Booked, Cancelled};
        let scheduled_at = "2027-03-27T07:30:00Z".parse().expect("a time");
        let given_away = Event::ConsultationGivenAway { consultation_id: ID, doctor_id: ID, scheduled_at };
        for status in [Booked, Cancelled] {
            let said = subject(&given_away, status, BEFORE).expect("a letter");
            assert_eq!(said, "Consultation given to another doctor: 27 Mar 2027, 08:30");
        }
        let taken_over = Event::ConsultationChanged {
            consultation_id: ID,
            doctor_id: ID,
            status: "booked".to_owned(),
            change: Some(Change::Reassigned),
            previous_doctor_id: Some(Uuid::from_u128(1)),
        };
        let said = subject(&taken_over, Booked, BEFORE).expect("a letter");
        assert_eq!(said, "Consultation given to you: 28 Mar 2027, 09:30");
    }
}
