//! A doctor finds the studies of the own consultations and of their patients, and no others.

use database::{ChangeConsultation, Level, NewConsultation, SearchQuery};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationCommand},
};

use crate::{
    consultations::{book, booking, doctor},
    support::{Home, actor, doctor_scope, instance, patient, study_uid, study_uids, with_uids},
};

on_both_engines!(
    a_doctor_sees_own_patients_on_every_way,
    a_cancelled_consultation_opens_nothing,
    an_issuer_must_fit_when_it_is_named,
    a_link_opens_a_study_alone,
);

async fn visible(home: &Home, scope: &Scope, level: Level) -> Vec<String> {
    let query = SearchQuery { level, limit: 100, ..SearchQuery::default() };
    let found = home.database.search(scope, &query).await.expect("a search");
    assert!(!found.more);
    assert_eq!(found.total, Some(found.rows.len() as u64));
    study_uids(&found.rows)
}

async fn fill(home: &Home) {
    for (study, patient_id) in [("1.1", "P1"), ("1.2", "P2"), ("1.3", ""), ("1.4", "p1")] {
        for number in 1..3 {
            let mut new = with_uids(study, &format!("{study}.1"), &format!("{study}.1.{number}"), number);
            new.header.patient = patient(patient_id, "Doe^Jane");
            home.put(new).await;
        }
    }
}

async fn a_doctor_sees_own_patients_on_every_way(home: Home) {
    fill(&home).await;
    let (ann, bob) = (doctor(&home).await, doctor(&home).await);
    book(&home, booking(ann, "P1")).await;
    book(&home, booking(ann, "P1")).await;
    book(&home, booking(bob, "P2")).await;
    book(&home, booking(bob, "")).await;
    let (of_ann, of_bob) = (doctor_scope(ann), doctor_scope(bob));
    assert_eq!(visible(&home, &Scope::internal(), Level::Study).await.len(), 4);
    assert_eq!(visible(&home, &of_ann, Level::Study).await, ["1.1"], "not 1.4: p1 is not P1");
    assert_eq!(visible(&home, &of_ann, Level::Series).await, ["1.1"]);
    assert_eq!(visible(&home, &of_ann, Level::Instance).await, ["1.1", "1.1"]);
    assert_eq!(visible(&home, &of_bob, Level::Study).await, ["1.2"], "no Patient ID is nobody's");
    assert_eq!(visible(&home, &doctor_scope(doctor(&home).await), Level::Study).await, [""; 0]);

    let database = &home.database;
    let all = database.instances(&Scope::internal(), &study_uid("1.2"), None, None).await.expect("instances");
    assert_eq!(all.len(), 2);
    assert_eq!(database.instances(&of_ann, &study_uid("1.2"), None, None).await.expect("instances"), []);
    let series = &all[0].series_instance_uid;
    let sop = &all[0].sop_instance_uid;
    let one =
        database.instances(&of_bob, &study_uid("1.2"), Some(series), Some(sop)).await.expect("instances");
    assert_eq!(one, all[..1]);
    assert_eq!(database.instance_by_id(&of_ann, all[0].id).await.expect("look-up"), None);
    assert_eq!(database.instance_by_id(&of_bob, all[0].id).await.expect("look-up").as_ref(), Some(&all[0]));
}

async fn a_cancelled_consultation_opens_nothing(home: Home) {
    fill(&home).await;
    let ann = doctor(&home).await;
    let scope = doctor_scope(ann);
    let Consultation { id, .. } = book(&home, booking(ann, "P1")).await;
    home.database.link_study(&scope, id, &study_uid("1.1"), &actor()).await.expect("linked");
    assert_eq!(visible(&home, &scope, Level::Study).await, ["1.1"]);
    let cancel = ChangeConsultation::new(ConsultationCommand::Cancel);
    home.database.change_consultation(&scope, id, cancel, &actor()).await.expect("cancelled");
    assert_eq!(visible(&home, &scope, Level::Study).await, [""; 0]);
    assert_eq!(home.database.linked_studies(&scope, id).await.expect("list"), []);
    assert_eq!(home.database.linked_studies(&Scope::internal(), id).await.expect("list").len(), 1);
}

async fn an_issuer_must_fit_when_it_is_named(home: Home) {
    for (study, issuer) in [("1.1", ""), ("1.2", "H1"), ("1.3", "H2")] {
        let mut new = instance(study, 1);
        new.header.patient.issuer_of_patient_id = issuer.into();
        home.put(new).await;
    }
    let (ann, bob) = (doctor(&home).await, doctor(&home).await);
    book(&home, NewConsultation { issuer_of_patient_id: "H1".to_owned(), ..booking(ann, "4711") }).await;
    book(&home, booking(bob, "4711")).await;
    assert_eq!(visible(&home, &doctor_scope(ann), Level::Study).await, ["1.2"]);
    assert_eq!(visible(&home, &doctor_scope(bob), Level::Study).await, ["1.1", "1.2", "1.3"]);
}

async fn a_link_opens_a_study_alone(home: Home) {
    // The patient record of the study and the consultation agree when it is linked; the clash is found later.
    home.put(instance("1.1", 1)).await;
    let ann = doctor(&home).await;
    let consultation = book(&home, booking(ann, "4711")).await;
    let linked =
        home.database.link_study(&Scope::internal(), consultation.id, &study_uid("1.1"), &actor()).await;
    assert_eq!(linked.expect("an answer"), database::LinkOutcome::Linked);
    assert_eq!(visible(&home, &doctor_scope(ann), Level::Study).await, ["1.1"]);
    assert_eq!(visible(&home, &doctor_scope(doctor(&home).await), Level::Study).await, [""; 0]);
}
