//! What is scheduled, by the keys of modalities, and how it follows the images.

use database::{Erasure, Matching, MatchingRules, WorklistCondition, WorklistKey, WorklistQuery};
use model::{
    SopInstanceUid, StudyInstanceUid,
    access::{Action, Principal, Role, Scope},
    performed_step::{PerformedStep, PerformedStepStatus, ScheduledReference},
    worklist::{ScheduledProcedureStep, StepStatus, WorklistItem, WorklistOrder},
};
use uuid::Uuid;

use crate::{
    consultations::{book, booking, doctor},
    support::{Home, actor, instance, patient, study_uid, with_uids},
};

on_both_engines!(
    steps_are_found_by_their_keys,
    pages_hold_each_step_once,
    a_step_starts_when_its_images_come,
    images_of_another_patient_move_nothing,
    an_order_finds_the_images_that_were_here_before_it,
    an_order_opens_nobodys_past,
    what_is_scheduled_for_somebody_goes_with_an_erasure,
);

fn step(id: &str, station: &str, modality: &str, start: (&str, &str)) -> ScheduledProcedureStep {
    ScheduledProcedureStep {
        step_id: id.to_owned(),
        station_ae_title: station.parse().expect("a title"),
        station_name: String::new(),
        location: String::new(),
        modality: modality.to_owned(),
        start_date: start.0.to_owned(),
        start_time: start.1.to_owned(),
        performing_physician_name: "Osei^Ada".to_owned(),
        description: String::new(),
        status: StepStatus::Scheduled,
    }
}

fn order(study: &str, patient: (&str, &str), steps: Vec<ScheduledProcedureStep>) -> WorklistOrder {
    WorklistOrder {
        study_instance_uid: StudyInstanceUid::parse(study).expect("a UID"),
        accession_number: format!("A{study}"),
        requested_procedure_id: format!("R{study}"),
        requested_procedure_description: String::new(),
        requesting_physician: String::new(),
        referring_physician_name: String::new(),
        patient_id: patient.0.to_owned(),
        issuer_of_patient_id: String::new(),
        patient_name: patient.1.to_owned(),
        patient_birth_date: String::new(),
        patient_sex: String::new(),
        consultation_id: None,
        steps,
    }
}

async fn schedule(home: &Home, order: WorklistOrder) -> WorklistItem {
    let made = home.database.create_worklist_item(&Scope::internal(), order, &actor()).await;
    made.expect("scheduled")
}

async fn status_of(home: &Home, item: &WorklistItem) -> Vec<StepStatus> {
    let found = home.database.worklist_item(&Scope::internal(), item.id).await.expect("read").expect("there");
    found.order.steps.iter().map(|step| step.status).collect()
}

/// Keys, and the Step IDs that they find.
type Row<'a> = (&'a [(WorklistKey, &'a str)], &'a [&'a str]);

/// Step IDs that these keys find, in order.
async fn found(home: &Home, keys: &[(WorklistKey, &str)]) -> Vec<String> {
    let condition = |(key, value): &(WorklistKey, &str)| {
        let matching = Matching::parse(key.vr(), value, MatchingRules::default()).expect("a value");
        matching.map(|matching| WorklistCondition { key: *key, matching })
    };
    let conditions = keys.iter().filter_map(condition).collect();
    let query = WorklistQuery { conditions, after: None, limit: 100 };
    let steps = home.database.worklist_steps(&Scope::internal(), &query).await.expect("a search");
    steps.into_iter().map(|found| found.step.step_id).collect()
}

async fn steps_are_found_by_their_keys(home: Home) {
    use WorklistKey::{
        AccessionNumber, Modality, PatientID, PatientName, RequestedProcedureID,
        ScheduledPerformingPhysicianName, ScheduledProcedureStepStartDate as Date,
        ScheduledProcedureStepStartTime as Time, ScheduledProcedureStepStatus, ScheduledStationAETitle,
        StudyInstanceUID,
    };
    let first = vec![
        step("S1", "CR1", "DX", ("20260131", "093000")),
        step("S2", "CT1", "CT", ("20260131", "140000")),
    ];
    schedule(&home, order("1.1", ("P1", "Müller^Jörg"), first)).await;
    let second = vec![step("S3", "CR1", "DX", ("20260201", "080000"))];
    schedule(&home, order("1.2", ("P2", "Yamada^Tarou=山田^太郎"), second)).await;
    let mut over = step("S4", "CR1", "DX", ("20260130", "080000"));
    over.status = StepStatus::Completed;
    schedule(&home, order("1.3", ("P2", "Yamada^Tarou"), vec![over])).await;
    let rows: &[Row<'_>] = &[
        (&[], &["S1", "S2", "S3"]),
        (&[(ScheduledStationAETitle, "CR1")], &["S1", "S3"]),
        (&[(ScheduledStationAETitle, "CR")], &[]),
        (&[(Modality, "DX\\CT")], &["S1", "S2", "S3"]),
        (&[(Date, "20260131")], &["S1", "S2"]),
        (&[(Date, "20260131-")], &["S1", "S2", "S3"]),
        (&[(Date, "20260131"), (Time, "12-")], &["S2"]),
        // One range of moments, not two of days and hours.
        (&[(Date, "20260131-20260201"), (Time, "1000-0900")], &["S2", "S3"]),
        (&[(PatientName, "MULLER*")], &["S1", "S2"]),
        (&[(PatientName, "山田*")], &["S3"]),
        (&[(PatientID, "p2")], &["S3"]),
        (&[(ScheduledPerformingPhysicianName, "osei^a?a")], &["S1", "S2", "S3"]),
        (&[(AccessionNumber, "A1.1"), (Modality, "CT")], &["S2"]),
        (&[(RequestedProcedureID, "R1.*")], &["S1", "S2", "S3"]),
        (&[(StudyInstanceUID, "1.2")], &["S3"]),
        (&[(ScheduledProcedureStepStatus, "COMPLETED")], &["S4"]),
        (&[(PatientID, "P'; DROP TABLE worklist_step; --")], &[]),
    ];
    for (keys, expected) in rows {
        assert_eq!(found(&home, keys).await, *expected, "{keys:?}");
    }
}

async fn pages_hold_each_step_once(home: Home) {
    for number in 1..=5 {
        // All at the same moment: the order is total nevertheless.
        let steps =
            (1..=4).map(|part| step(&format!("{number}-{part}"), "CR1", "DX", ("20260131", "093000")));
        let study = format!("1.{number}");
        schedule(&home, order(&study, ("P1", "Doe^Jane"), steps.collect())).await;
    }
    let mut query = WorklistQuery { limit: 3, ..WorklistQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = home.database.worklist_steps(&Scope::internal(), &query).await.expect("a page");
        seen.extend(page.iter().map(|found| found.step.step_id.clone()));
        let Some(last) = page.last() else { break };
        query.after = Some(last.cursor.clone());
    }
    let all = (1..=5).flat_map(|number| (1..=4).map(move |part| format!("{number}-{part}")));
    assert_eq!(seen, all.collect::<Vec<_>>());
}

async fn a_step_starts_when_its_images_come(home: Home) {
    let consultation = booking(doctor(&home).await, "4711");
    let scope = Scope::internal();
    let booked = home.database.create_consultation(&scope, consultation, &actor()).await.expect("booked");
    let steps = vec![
        step("S1", "CR1", "CR", ("20260131", "093000")),
        step("S2", "CT1", "CT", ("20260131", "140000")),
    ];
    let mut order = order("1.5", ("4711", "Doe^Jane"), steps);
    order.consultation_id = Some(booked.id);
    let item = schedule(&home, order).await;
    let mut first = instance("1.5", 1);
    first.header.series.modality = "CR".into();
    first.header.series.scheduled_procedure_step_id = String::new();
    home.put(first).await;
    assert_eq!(status_of(&home, &item).await, [StepStatus::Started, StepStatus::Scheduled]);
    let linked = home.database.linked_studies(&scope, booked.id).await.expect("links");
    assert_eq!(linked.len(), 1);
    // The step that is named counts, whatever the modality.
    let mut second = with_uids("1.5", "1.5.2", "1.5.2.1", 1);
    second.header.series.modality = "OT".into();
    second.header.series.scheduled_procedure_step_id = "S2".into();
    home.put(second).await;
    assert_eq!(status_of(&home, &item).await, [StepStatus::Started, StepStatus::Started]);
    let now = home.database.worklist_item(&scope, item.id).await.expect("read").expect("there");
    assert_eq!(now.version, item.version + 2, "who read it before does not overwrite it");
    let trail = home.database.audit_page(0, 100).await.expect("the trail");
    let actions: Vec<_> = trail.iter().map(|row| row.record.action.as_str()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "move_worklist_step").count(), 2);
    assert_eq!(actions.iter().filter(|action| **action == "link_study").count(), 1);
}

async fn images_of_another_patient_move_nothing(home: Home) {
    let one = |study: &str, patient: &str| {
        order(study, (patient, "Doe^Jane"), vec![step("S1", "CR1", "CR", ("20260131", "093000"))])
    };
    let other = schedule(&home, one("1.5", "4712")).await;
    let mut by_number = one("1.77", "4711");
    by_number.accession_number = "A-77".into();
    let by_number = schedule(&home, by_number).await;
    let mut new = instance("1.5", 1);
    new.header.study.accession_number = "A-77".into();
    home.put(new).await;
    assert_eq!(status_of(&home, &other).await, [StepStatus::Scheduled], "another patient's images");
    assert_eq!(status_of(&home, &by_number).await, [StepStatus::Started], "by the accession number");
    let mut called_off = by_number.order;
    called_off.steps[0].status = StepStatus::Canceled;
    let scope = Scope::internal();
    let changed = home.database.replace_worklist_item(&scope, by_number.id, 2, called_off, &actor()).await;
    changed.expect("an answer").expect("replaced");
    let mut late = with_uids("1.6", "1.6.1", "1.6.1.1", 1);
    late.header.study.accession_number = "A-77".into();
    home.put(late).await;
    let now = home.database.worklist_item(&scope, by_number.id).await.expect("read").expect("there");
    assert_eq!(now.order.steps[0].status, StepStatus::Canceled, "what people said stays");
}

/// Study Instance UIDs of a consultation.
async fn linked(home: &Home, consultation: Uuid) -> Vec<String> {
    let linked = home.database.linked_studies(&Scope::internal(), consultation).await.expect("links");
    let mut uids: Vec<String> =
        linked.iter().map(|link| link.study.study.study_instance_uid.to_string()).collect();
    uids.sort();
    uids
}

/// Instances of [`instance`] have the accession number A-17.
async fn an_order_finds_the_images_that_were_here_before_it(home: Home) {
    let consultation = book(&home, booking(doctor(&home).await, "4711")).await.id;
    let mut issued = instance("1.2", 1);
    issued.header.patient.issuer_of_patient_id = "HOSPITAL".into();
    let mut other = instance("1.3", 1);
    other.header.patient = patient("4712", "Roe^Jim");
    let mut unasked = instance("1.4", 1);
    unasked.header.study.accession_number = "A-18".into();
    for new in [issued, other, unasked, instance("1.5", 1), instance("1.6", 1)] {
        home.put(new).await;
    }
    let with = |study: &str, accession_number: &str, consultation_id: Option<Uuid>| {
        let steps = vec![
            step("S1", "CR1", "CR", ("20260131", "093000")),
            step("S2", "CT1", "CT", ("20260131", "140000")),
        ];
        let order = order(study, ("4711", "Doe^Jane"), steps);
        WorklistOrder { accession_number: accession_number.into(), consultation_id, ..order }
    };
    let scope = Scope::internal();
    let mut first = with("1.99", "A-17", None);
    first.issuer_of_patient_id = "HOSPITAL".into();
    let first = schedule(&home, first).await;
    assert_eq!((first.version, linked(&home, consultation).await.len()), (1, 0), "for nobody yet");
    let replace = async |item: &WorklistItem, order: WorklistOrder| {
        let replaced =
            home.database.replace_worklist_item(&scope, item.id, item.version, order, &actor()).await;
        replaced.expect("an answer").expect("replaced")
    };
    let mut order = first.order.clone();
    order.consultation_id = Some(consultation);
    let first = replace(&first, order).await;
    assert_eq!(linked(&home, consultation).await, ["1.2"], "of that issuer alone");
    assert_eq!(status_of(&home, &first).await, [StepStatus::Scheduled; 2], "the series says another step");

    let mut by_modality = with_uids("1.5", "1.5.2", "1.5.2.1", 1);
    by_modality.header.series.scheduled_procedure_step_id = String::new();
    home.put(by_modality).await;
    let second = schedule(&home, with("1.98", "A-17", Some(consultation))).await;
    assert_eq!(linked(&home, consultation).await, ["1.2", "1.5", "1.6"]);
    assert_eq!(second.order.steps[0].status, StepStatus::Started);
    assert_eq!((second.order.steps[1].status, second.version), (StepStatus::Scheduled, 2));
    let trail = home.database.audit_page(0, 100).await.expect("the trail");
    let rules = trail.iter().filter(|row| row.record.action == "link_study").map(|row| &row.record.rule);
    assert_eq!(rules.collect::<Vec<_>>(), ["worklist"; 3]);
    let events = home.database.outbox_after(0, 99).await.expect("events");
    assert_eq!(events.iter().filter(|event| event.event.name() == "study.linked").count(), 3);

    let taken_out = home.database.unlink_study(&scope, consultation, &study_uid("1.6"), &actor()).await;
    assert!(taken_out.expect("an answer"));
    let second = replace(&second, with("1.4", "A-17", Some(consultation))).await;
    assert_eq!(linked(&home, consultation).await, ["1.2", "1.4", "1.5"], "people's word stays");
    let mut put_back = second.order.clone();
    put_back.steps[0].status = StepStatus::Scheduled;
    let second = replace(&second, put_back).await;
    assert_eq!(second.order.steps[0].status, StepStatus::Scheduled, "nothing else is looked for");
}

/// Who books himself reaches nothing of the patient that came long before.
async fn an_order_opens_nobodys_past(home: Home) {
    let ann = doctor(&home).await;
    let doctor = Principal::new(Uuid::now_v7(), Role::Doctor, Some(ann));
    let scope = |action| doctor.authorize(action).expect("may");
    home.put(instance("1.5", 1)).await;
    home.sleep_seconds(48 * 3_600);
    home.put(instance("1.6", 1)).await;
    let booked = home
        .database
        .create_consultation(&scope(Action::CreateConsultation), booking(ann, "4711"), &actor())
        .await
        .expect("booked");
    let steps = vec![step("S1", "CR1", "CR", ("20260131", "093000"))];
    let mut order = order("1.5", ("4711", "Doe^Jane"), steps);
    (order.accession_number, order.consultation_id) = ("A-17".into(), Some(booked.id));
    let made = home.database.create_worklist_item(&scope(Action::ManageWorklist), order, &actor()).await;
    made.expect("scheduled");
    assert_eq!(linked(&home, booked.id).await, ["1.6"]);
}

async fn what_is_scheduled_for_somebody_goes_with_an_erasure(home: Home) {
    let one = |study: &str, patient: (&str, &str)| {
        order(study, patient, vec![step("S1", "CR1", "CR", ("20260131", "093000"))])
    };
    let of_study = |study: &str| ScheduledReference {
        study_instance_uid: StudyInstanceUid::parse(study).expect("a UID"),
        accession_number: String::new(),
        step_id: String::new(),
    };
    let said = |uid: &str, patient_id: &str, issuer: &str, study: &str| PerformedStep {
        sop_instance_uid: SopInstanceUid::parse(uid).expect("a UID"),
        ae_title: "CR1".parse().expect("a title"),
        status: PerformedStepStatus::InProgress,
        modality: "CR".into(),
        patient_id: patient_id.to_owned(),
        issuer_of_patient_id: issuer.to_owned(),
        scheduled: vec![of_study(study)],
        attributes: "{}".into(),
        version: 1,
    };
    home.put(instance("1.5", 1)).await;
    let mut items = Vec::new();
    for (study, patient) in [
        ("1.5", ("4711", "Doe^Jane")),
        ("1.7", ("4711", "DOE^JANE")),
        ("1.8", ("4711", "Roe^Richard")),
        ("1.9", ("4712", "Doe^Jane")),
    ] {
        items.push(schedule(&home, one(study, patient)).await);
    }
    let steps = [
        ("2.1", "4711", "", "1.99", false),
        ("2.2", "4712", "", "1.98", true),
        // Type 2: a modality may not know whose it is, or know more than the images say.
        ("2.3", "", "", "1.5", false),
        ("2.4", "4711", "HOSP", "1.5", false),
        ("2.5", "4711", "HOSP", "1.97", true),
        ("2.6", "4712", "", "1.5", true),
    ];
    for (uid, patient_id, issuer, study, _) in steps {
        let step = said(uid, patient_id, issuer, study);
        assert!(home.database.create_performed_step(&step, &actor()).await.expect("kept"));
    }
    let patient = home.database.patients_by_patient_id("4711", None).await.expect("patients")[0].id;
    let erasure = Erasure { reason: "asked for", any_name: false };
    let erased = home.database.erase_patient(patient, erasure, &actor()).await.expect("erased");
    assert_eq!(erased.worklist_items_left, [items[2].id]);
    let mut left = Vec::new();
    for item in &items {
        let found = home.database.worklist_item(&Scope::internal(), item.id).await.expect("read");
        left.push(found.is_some());
    }
    assert_eq!(left, [false, false, true, true], "another name and another ID are others");
    for (uid, _, _, _, there) in steps {
        let uid = SopInstanceUid::parse(uid).expect("a UID");
        let found = home.database.performed_step(&uid).await.expect("read");
        assert_eq!(found.is_some(), there, "{uid}");
    }
}
