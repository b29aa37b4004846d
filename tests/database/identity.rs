//! What counts as the same instance, study and patient.

use database::{Attribute, ConflictPolicy, Counts, Matching, NewInstance, StoreInstanceError, StoreOutcome};
use model::{access::Scope, event::Event};

use crate::support::{Home, content, instance, patient, sop_uid, study_uid, with_uids};

on_both_engines!(
    the_same_content_is_a_duplicate,
    other_content_is_kept_hidden_or_refused,
    known_uids_do_not_move,
    a_study_belongs_to_one_patient,
    clashing_demographics_are_kept_apart_and_flagged,
    empty_demographics_contradict_nothing,
    a_clash_inside_a_study_flags_it_once,
    studies_without_patient_id_are_not_merged,
    an_id_with_very_many_names_is_never_merged,
    hostile_texts_are_stored,
);

async fn counts(home: &Home) -> Counts {
    home.database.counts().await.expect("counts")
}

async fn events(home: &Home) -> Vec<Event> {
    let found = home.database.outbox_after(0, 1_000).await.expect("events");
    found.into_iter().map(|envelope| envelope.event).collect()
}

/// Other content under the same UIDs.
fn changed(new: &NewInstance, text: &str) -> NewInstance {
    let (id, object_key) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    NewInstance { id, object_key, data_set_sha256: content(text), ..new.clone() }
}

async fn the_same_content_is_a_duplicate(home: Home) {
    let first = instance("1.2", 1);
    let id = home.put(first.clone()).await;
    let again = changed(&first, "1.2.1.1");
    assert_eq!(home.store(again).await.expect("stored"), StoreOutcome::Duplicate { id });
    assert_eq!(
        home.store(first.clone()).await.expect("stored"),
        StoreOutcome::Stored { id },
        "same call again"
    );
    assert_eq!((counts(&home).await.instances, events(&home).await.len()), (1, 1));
    let sop = &first.header.instance.sop_instance_uid;
    let found = home.database.find_stored(sop, &first.data_set_sha256).await.expect("look-up");
    assert_eq!(found, Some(id));
    assert_eq!(home.database.find_stored(sop, &content("other")).await.expect("look-up"), None);
}

async fn other_content_is_kept_hidden_or_refused(home: Home) {
    let first = instance("1.2", 1);
    let id = home.put(first.clone()).await;
    let second = changed(&first, "second");
    let hidden = second.id;
    assert_eq!(home.store(second.clone()).await.expect("kept"), StoreOutcome::Conflict { id: hidden });
    let outcome = home.store(changed(&first, "second")).await.expect("known version");
    assert_eq!(outcome, StoreOutcome::Duplicate { id: hidden });
    assert_eq!(home.store(second).await.expect("same call"), StoreOutcome::Conflict { id: hidden });
    let third = NewInstance { conflict_policy: ConflictPolicy::Refuse, ..changed(&first, "third") };
    assert!(matches!(home.store(third).await, Err(StoreInstanceError::ConflictRefused)));

    let found = counts(&home).await;
    assert_eq!((found.instances, found.conflicts, found.bytes), (1, 1, 2 * 1_132));
    let scope = Scope::internal();
    let visible = home.database.instances(&scope, &study_uid("1.2"), None, None).await.expect("instances");
    assert_eq!(visible.iter().map(|instance| instance.id).collect::<Vec<_>>(), [id]);
    assert_eq!(home.database.instance_by_id(&scope, hidden).await.expect("look-up"), None);
    let rows = home
        .find(&database::SearchQuery { level: database::Level::Instance, limit: 9, ..Default::default() })
        .await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].number_of_study_related_instances, 1);
    let events = events(&home).await;
    assert!(
        matches!(&events[1], Event::InstanceConflicted { xray_id, .. } if *xray_id == hidden),
        "{events:?}"
    );
    assert_eq!(events.len(), 2);
    assert_eq!(home.database.all_instances(None, 9).await.expect("all").len(), 2);
    assert_eq!(home.database.pending_previews(9).await.expect("previews").len(), 1);
    assert!(home.database.header(hidden).await.expect("header").is_some());
}

async fn known_uids_do_not_move(home: Home) {
    home.put(with_uids("1.2", "1.2.1", "1.2.1.1", 1)).await;
    home.put(with_uids("1.3", "1.3.1", "1.3.1.1", 1)).await;
    let mut other_study = with_uids("1.3", "1.3.1", "1.2.1.1", 1);
    other_study.data_set_sha256 = content("moved");
    assert!(matches!(home.store(other_study).await, Err(StoreInstanceError::ForeignStudy)));
    let mut other_series = with_uids("1.2", "1.2.9", "1.2.1.1", 1);
    other_series.data_set_sha256 = content("moved");
    assert!(matches!(home.store(other_series).await, Err(StoreInstanceError::ForeignStudy)));
    let foreign_series = with_uids("1.3", "1.2.1", "1.3.1.2", 1);
    assert!(matches!(home.store(foreign_series).await, Err(StoreInstanceError::ForeignSeries)));
    let mut new_study = with_uids("1.4", "1.2.1", "1.4.1.1", 1);
    new_study.header.patient = patient("4712", "Roe^Jim");
    assert!(matches!(home.store(new_study).await, Err(StoreInstanceError::ForeignSeries)));
    let found = counts(&home).await;
    assert_eq!((found.patients, found.studies, found.series, found.instances), (1, 2, 2, 2));
    assert_eq!(home.database.audit_page(0, 99).await.expect("audit").len(), 6, "refusals are in the trail");
}

async fn a_study_belongs_to_one_patient(home: Home) {
    home.put(instance("1.2", 1)).await;
    let mut thief = instance("1.2", 2);
    thief.header.patient.patient_id = "666".into();
    assert!(matches!(home.store(thief).await, Err(StoreInstanceError::StudyOfAnotherPatient)));
    let mut without = instance("1.2", 3);
    without.header.patient.patient_id = String::new();
    home.put(without).await;

    let mut issued = instance("1.3", 1);
    issued.header.patient.issuer_of_patient_id = "H1".into();
    home.put(issued.clone()).await;
    let mut other_issuer = instance("1.3", 2);
    other_issuer.header.patient.issuer_of_patient_id = "H2".into();
    assert!(matches!(home.store(other_issuer).await, Err(StoreInstanceError::StudyOfAnotherPatient)));
    assert_eq!(counts(&home).await.patients, 2, "the same ID of another issuer is another patient");
}

async fn clashing_demographics_are_kept_apart_and_flagged(home: Home) {
    home.put(instance("1.1", 1)).await;
    let mut same = instance("1.2", 1);
    same.header.patient.patient_name = "DOE^JANE^^^".into();
    home.put(same).await;
    assert_eq!(counts(&home).await.patients, 1, "case and empty components do not count");

    let clashes: [fn(&mut NewInstance); 3] = [
        |new| new.header.patient.patient_name = "Roe^Richard".into(),
        |new| new.header.patient.patient_birth_date = "19991231".into(),
        |new| new.header.patient.patient_sex = "M".into(),
    ];
    for (index, clash) in clashes.into_iter().enumerate() {
        let mut new = instance(&format!("1.3.{index}"), 1);
        clash(&mut new);
        home.put(new.clone()).await;
        assert_eq!(counts(&home).await.patients, 2 + index as u64);
        let mut again = instance(&format!("1.4.{index}"), 1);
        clash(&mut again);
        home.put(again).await;
        assert_eq!(counts(&home).await.patients, 2 + index as u64, "the same variant again joins it");
    }
    let clashed: Vec<_> =
        events(&home).await.into_iter().filter(|event| event.name() == "patient.clashed").collect();
    assert_eq!(clashed.len(), 3);
    for event in &clashed {
        assert!(matches!(event, Event::PatientClashed { patient, other, .. } if patient != other));
    }
    let rows = home.find(&database::SearchQuery { limit: 99, ..Default::default() }).await;
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().all(|row| row.review), "every record under this ID is flagged");
}

async fn empty_demographics_contradict_nothing(home: Home) {
    let mut bare = instance("1.1", 1);
    bare.header.patient.patient_name = String::new();
    bare.header.patient.patient_birth_date = String::new();
    bare.header.patient.patient_sex = String::new();
    home.put(bare).await;
    home.put(instance("1.2", 1)).await;
    let mut ideographic = instance("1.3", 1);
    ideographic.header.patient.patient_name = "Doe^Jane=山田".into();
    home.put(ideographic).await;
    assert_eq!(counts(&home).await.patients, 1);
    let rows = home.find(&database::SearchQuery { limit: 99, ..Default::default() }).await;
    assert!(rows.iter().all(|row| !row.review && row.patient.patient_name.is_empty()), "nothing is altered");

    let mut other = instance("1.4", 1);
    other.header.patient.patient_name = "Roe^Richard".into();
    home.put(other).await;
    assert_eq!(
        counts(&home).await.patients,
        2,
        "the bare record was joined by Doe before: Roe clashes with Doe"
    );
}

async fn a_clash_inside_a_study_flags_it_once(home: Home) {
    home.put(instance("1.2", 1)).await;
    for number in 2..5 {
        let mut new = instance("1.2", number);
        new.header.patient.patient_name = "Roe^Richard".into();
        home.put(new).await;
    }
    assert_eq!(counts(&home).await.patients, 1);
    let clashed: Vec<_> =
        events(&home).await.into_iter().filter(|event| event.name() == "patient.clashed").collect();
    assert!(
        matches!(&clashed[..], [Event::PatientClashed { patient, other, .. }] if patient == other),
        "{clashed:?}"
    );
    let rows = home.find(&database::SearchQuery { limit: 9, ..Default::default() }).await;
    assert!(rows[0].review);
    assert_eq!(rows[0].patient.patient_name, "Doe^Jane");
}

async fn studies_without_patient_id_are_not_merged(home: Home) {
    for study in ["1.1", "1.2"] {
        for number in 1..3 {
            let mut new = instance(study, number);
            new.header.patient.patient_id = String::new();
            home.put(new).await;
        }
    }
    let found = counts(&home).await;
    assert_eq!((found.patients, found.studies), (2, 2));
    assert!(events(&home).await.iter().all(|event| event.name() == "instance.stored"));
}

async fn an_id_with_very_many_names_is_never_merged(home: Home) {
    for number in 0..80 {
        let mut new = instance(&format!("1.{number}"), 1);
        new.header.patient.patient_name = format!("Phantom^N{number}");
        home.put(new).await;
    }
    let mut known = instance("2.1", 1);
    known.header.patient.patient_name = "Phantom^N70".into();
    home.put(known).await;
    assert_eq!(counts(&home).await.patients, 80);
    let mut new = instance("2.2", 1);
    new.header.patient.patient_name = "Phantom^N99".into();
    home.put(new).await;
    assert_eq!(counts(&home).await.patients, 81);
}

async fn hostile_texts_are_stored(home: Home) {
    let long = "x".repeat(100_000);
    let mut new = instance("1.2", 1);
    new.header.patient.patient_id = long.clone();
    new.header.patient.patient_name = format!("A\0{long}");
    new.header.study.study_description = "'; DROP TABLE study; --\u{1f}\u{fffd}".into();
    new.header.study.accession_number = long.clone();
    new.header.series.protocol_name = "\"\\{}[]\u{e000}".into();
    new.header.instance.image_type = long;
    new.origin.request_id = "a\0b".into();
    home.put(new).await;
    let mut other = instance("1.3", 1);
    other.header.patient.patient_id = "x".repeat(100_001);
    home.put(other).await;
    assert_eq!(
        counts(&home).await.patients,
        2,
        "IDs that are too long to compare are not taken for the same"
    );
    let found = home
        .studies_with(
            Attribute::StudyDescription,
            Matching::Equals("'; drop table study; -- \u{fffd}".to_owned()),
        )
        .await;
    assert_eq!(found, ["1.2"]);
    let stored = home.database.find_stored(&sop_uid("1.2.1.1"), &content("1.2.1.1")).await.expect("look-up");
    assert!(stored.is_some());
}
