//! `docs/asyncapi.yaml` describes what is sent: the list of events is the program's, and payloads fit.

use std::{fs, path::Path};

use model::{
    clinical::ConsultationStatus,
    clock::Clock,
    event::{Change, CompletedBy, Event, EventEnvelope},
};
use tests::python;
use uuid::Uuid;

/// Checks payloads against the document, and gives the names of its events.
pub fn check(payloads: &[String]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let lines = folder.path().join("payloads");
    fs::write(&lines, payloads.join("\n")).expect("payloads");
    let document = root.join("../docs/asyncapi.yaml");
    let script = root.join("e2e/python/asyncapi_check.py");
    let output = python::run(&script, &[document.to_str().expect("a path"), lines.to_str().expect("a path")]);
    let (names, count) = output.trim().split_once('\n').expect("two lines");
    assert_eq!(count, payloads.len().to_string());
    names.split(' ').map(str::to_owned).collect()
}

/// One of each; that none is left out is told by `Event::NAMES`.
fn samples() -> Vec<Event> {
    let (id, other, uid) = (Uuid::now_v7(), Uuid::now_v7(), || "1.2.840.1".to_owned());
    let now = Clock::system().now();
    let (xray_id, consultation_id, doctor_id) = (id, id, other);
    let (prescription_id, report_id, again) = (id, other, true);
    let (study_instance_uid, series_instance_uid, sop_instance_uid) = (uid(), uid(), uid());
    vec![
        Event::InstanceStored { xray_id, study_instance_uid, series_instance_uid, sop_instance_uid, again },
        Event::InstanceConflicted { xray_id, study_instance_uid: uid(), sop_instance_uid: uid() },
        Event::PatientClashed { patient: id, other, study_instance_uid: uid() },
        Event::PreviewMade { xray_id, study_instance_uid: uid() },
        Event::PreviewFailed { xray_id, study_instance_uid: uid(), reason: "no pixels".to_owned() },
        Event::ObjectAltered { xray_id, study_instance_uid: uid(), object: "preview".to_owned() },
        Event::InstancesDeleted {
            deletion_id: id,
            study_instance_uid: uid(),
            series_instance_uid: Some(uid()),
            sop_instance_uid: None,
        },
        Event::PatientErased { patient: id },
        Event::StudyLinked { consultation_id, study_instance_uid: uid() },
        Event::StudyUnlinked { consultation_id, study_instance_uid: uid() },
        Event::StudyCompleted { study_instance_uid: uid(), completed_by: CompletedBy::Quiet },
        Event::ConsultationScheduled {
            consultation_id,
            doctor_id,
            status: Some(ConsultationStatus::InProgress),
            change: Some(Change::Started),
        },
        Event::ConsultationChanged {
            consultation_id,
            doctor_id,
            status: "booked".to_owned(),
            change: Some(Change::Reassigned),
            previous_doctor_id: Some(id),
        },
        Event::ConsultationEnded {
            consultation_id,
            doctor_id,
            status: Some(ConsultationStatus::NoShow),
            change: Some(Change::NoShow),
        },
        Event::ConsultationGivenAway { consultation_id, doctor_id, scheduled_at: now },
        Event::ReminderDue {
            consultation_id,
            doctor_id,
            minutes_before: 10,
            scheduled_at: now,
            time_zone: "Africa/Accra".to_owned(),
        },
        Event::PrescriptionFinalized { prescription_id, consultation_id, doctor_id },
        Event::PrescriptionCancelled { prescription_id, consultation_id, doctor_id },
        Event::ReportFinalized { report_id, consultation_id, doctor_id, critical: true },
        Event::ReportCancelled { report_id, consultation_id, doctor_id },
        Event::BreakGlassStarted { break_glass_id: id, doctor_id },
        Event::SecurityAlerted { kind: "associations_refused".to_owned(), source_address: "::1".to_owned() },
        Event::WebhookTested { webhook_id: id },
    ]
}

#[test]
fn every_event_is_described_and_fits() {
    let sent =
        |event| EventEnvelope { sequence: 1, event_id: Uuid::now_v7(), at: Clock::system().now(), event };
    let payloads: Vec<String> =
        samples().into_iter().map(|event| serde_json::to_string(&sent(event)).expect("JSON")).collect();
    let known: Vec<&str> = Event::NAMES.into_iter().chain([Event::TRIAL]).collect();
    let named: Vec<&str> = samples().iter().map(Event::name).collect();
    assert_eq!(named, known, "one sample of each");
    assert_eq!(check(&payloads), known, "docs/asyncapi.yaml has the events of the program, in its order");
}
