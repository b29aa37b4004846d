//! The index is made again from the objects: who a patient is, what keeps one from being erased, and which links come back.

use std::collections::BTreeSet;

use database::{
    AuditFilter, AuditRecord, DatabaseError, DeletionRules, DeletionTarget, Erasure, LinkOutcome, NewInstance,
};
use model::{access::Scope, event::Event};
use uuid::Uuid;

use crate::{
    consultations::{book, booking, doctor},
    support::{Home, actor, instance, patient},
};

on_both_engines!(patients_keep_their_ids_and_their_legal_holds, a_link_comes_back_to_the_same_patient_alone,);

/// The same as what was stored, as it is read again.
fn again(new: &NewInstance) -> NewInstance {
    let mut again = new.clone();
    again.origin.door = "reindex";
    again
}

/// An instance of a patient's study, whose seal names its key.
fn of(study: &str, patient_id: &str, name: &str) -> NewInstance {
    let mut new = instance(study, 1);
    new.object_seal[8..24].copy_from_slice(new.patient_key_id.as_bytes());
    new.header.patient = patient(patient_id, name);
    new
}

/// Whom the records about a study name.
async fn named(home: &Home, study: &str) -> BTreeSet<Option<Uuid>> {
    let study_instance_uid = Some(study.to_owned());
    let filter = AuditFilter { study_instance_uid, limit: 100, ..AuditFilter::default() };
    let records = home.database.audit_search(&filter).await.expect("records");
    records.iter().map(|row| row.record.patient).collect()
}

/// Two records under one Patient ID, one patient without an ID, and one of whom something can be restored.
async fn patients_keep_their_ids_and_their_legal_holds(home: Home) {
    let database = &home.database;
    let all = [of("1.1", "4711", "Doe^Jane"), of("1.2", "4711", "Roe^Richard"), of("1.3", "", "")];
    let deleted = of("1.4", "4712", "Poe^Edgar");
    for new in all.iter().chain([&deleted]) {
        home.put(new.clone()).await;
    }
    let seen = AuditRecord::success(&actor(), "read_study").of_study("1.2");
    database.audit(seen).await.expect("recorded");
    let before = database.patients_in_reach(&Scope::internal(), "4711", None).await.expect("patients");
    let [_, held] = before[..] else { panic!("{before:?} are not two") };
    database.add_legal_hold(held, "court order", &actor()).await.expect("held");
    let holds = database.legal_holds().await.expect("holds");
    let target = DeletionTarget { study_instance_uid: "1.4".to_owned(), ..DeletionTarget::default() };
    let grace = chrono::TimeDelta::hours(1);
    let rules = DeletionRules { two_person: false, grace, preview_grace: grace };
    database.delete_instances(&target, rules, Uuid::now_v7(), &actor()).await.expect("deleted");

    // Cut off after its first object, and begun again; the order is another one.
    database.clear_index().await.expect("cleared beside a legal hold");
    home.put(again(&all[0])).await;
    database.clear_index().await.expect("cleared again");
    assert_eq!(database.legal_holds().await.expect("holds"), holds);
    for new in all.iter().rev() {
        home.put(again(new)).await;
    }
    database.restore_links(&actor()).await.expect("put back");

    let after = database.patients_in_reach(&Scope::internal(), "4711", None).await.expect("patients");
    assert_eq!(after, before);
    let action = Some("read_study".to_owned());
    let filter = AuditFilter { patients: after, action, limit: 10, ..AuditFilter::default() };
    assert_eq!(database.audit_search(&filter).await.expect("records").len(), 1, "who looked is known");
    for new in &all {
        let study = new.header.study.study_instance_uid.as_str();
        assert_eq!(named(&home, study).await.len(), 1, "{study} is of somebody else now");
    }
    assert_eq!(database.legal_holds().await.expect("holds"), holds);
    let erasure = Erasure { reason: "asked for", any_name: false };
    let refused = database.erase_patient(held, erasure, &actor()).await;
    assert!(matches!(refused, Err(DatabaseError::Conflict(_))), "{refused:?}");
    let restorable = database.patients_by_patient_id("4712", None).await.expect("patients");
    let erased = database.erase_patient(restorable[0].id, erasure, &actor()).await.expect("erased");
    assert_eq!(erased.keys, [deleted.patient_key_id], "what could be restored opens no more");
}

/// Whatever the reason: an older database, or a study that came again under another patient.
async fn a_link_comes_back_to_the_same_patient_alone(home: Home) {
    let doctor = doctor(&home).await;
    let consultation = book(&home, booking(doctor, "4711")).await.id;
    let (same, other) = (of("1.1", "4711", "Doe^Jane"), of("1.2", "4711", "Doe^Jane"));
    for new in [&same, &other] {
        home.put(new.clone()).await;
        let uid = &new.header.study.study_instance_uid;
        let linked = home.database.link_study(&Scope::internal(), consultation, uid, &actor()).await;
        assert_eq!(linked.expect("an answer"), LinkOutcome::Linked);
    }
    home.database.clear_index().await.expect("cleared");
    home.put(again(&same)).await;
    home.put(of("1.2", "4799", "Roe^Richard")).await;
    assert_eq!(home.database.restore_links(&actor()).await.expect("put back"), 1);
    let linked = home.database.linked_studies(&Scope::internal(), consultation).await.expect("links");
    let uids: Vec<&str> = linked.iter().map(|link| link.study.study.study_instance_uid.as_str()).collect();
    assert_eq!(uids, ["1.1"]);
    let events = home.database.outbox_after(0, 100).await.expect("events");
    let told = events.iter().filter(|one| matches!(one.event, Event::StudyLinked { .. })).count();
    assert_eq!(told, 3, "linked twice, and one of them again");
}
