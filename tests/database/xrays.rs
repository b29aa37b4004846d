//! X-rays that come with forms: what people say of them, and forms that come again.

use database::{
    AuditActor, Claim, ClaimedForm, DatabaseError, FormClaim, FormOfXray, KeptAnswer, Level, NewClaim,
    SearchQuery, StoredInstance, XrayConditions, XrayMetadata,
};
use model::access::Scope;
use uuid::Uuid;

use crate::{
    consultations::{book, booking, doctor},
    support::{Home, START, actor, at, instance},
};

on_both_engines!(
    what_is_said_counts_in_place_of_the_data_set,
    a_key_is_its_forms_until_that_is_refused,
    a_form_is_done_as_one_by_who_has_its_claim,
);

async fn stored(home: &Home, study: &str) -> StoredInstance {
    let id = home.put(instance(study, 1)).await;
    home.database.instance_by_id(&Scope::internal(), id).await.expect("look-up").expect("stored")
}

async fn what_is_said_counts_in_place_of_the_data_set(home: Home) {
    // Of a chest and the first of January, as their data sets say.
    let (silent, said) = (stored(&home, "1.1").await, stored(&home, "1.2").await);
    let database = &home.database;
    let the_day_before = Some(at(START - 86_400));
    let hand =
        XrayMetadata { body_part: "HAND".to_owned(), captured_at: the_day_before, ..XrayMetadata::default() };
    database.write_xray_metadata(&said, &hand, &actor()).await.expect("written");
    let find = async |body_part: Option<&str>, from: Option<&str>| -> Vec<Uuid> {
        let from = from.map(|day| day.parse().expect("a day"));
        let conditions = XrayConditions { body_part: body_part.map(str::to_owned), from };
        let query = SearchQuery { level: Level::Instance, limit: 10, ..SearchQuery::default() };
        let found = database.search_xrays(&Scope::internal(), &query, &conditions).await.expect("a search");
        found.rows.into_iter().filter_map(|row| Some(row.instance?.id)).collect()
    };
    assert_eq!(find(None, None).await, [silent.id, said.id]);
    assert_eq!(find(Some("CHEST"), None).await, [silent.id]);
    assert_eq!(find(Some("HAND"), None).await, [said.id]);
    assert_eq!(find(None, Some("2026-01-01")).await, [silent.id]);
    assert_eq!(find(None, Some("2025-12-31")).await, [silent.id, said.id]);
    assert!(find(None, Some("2026-01-02")).await.is_empty());
    let taken_back = XrayMetadata { notes: "seen".to_owned(), version: 1, ..XrayMetadata::default() };
    database.write_xray_metadata(&said, &taken_back, &actor()).await.expect("written");
    assert_eq!(find(Some("CHEST"), Some("2026-01-01")).await, [silent.id, said.id]);
    let listed = database.xray_metadata_of(&[silent.id, said.id]).await.expect("a list");
    assert_eq!((listed.len(), listed[&said.id].notes.as_str()), (1, "seen"));
}

fn key() -> NewClaim {
    NewClaim { user_id: Uuid::now_v7(), key: "k1".to_owned(), request_hmac: [1; 32] }
}

async fn claim(home: &Home, new: &NewClaim) -> Claim {
    home.database.claim_idempotency_key(new).await.expect("an answer")
}

async fn claimed(home: &Home, new: &NewClaim) -> Uuid {
    match claim(home, new).await {
        Claim::Yours(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Says that it is for the form whose hash this is.
async fn say(home: &Home, claim: Uuid, form: u8) -> FormClaim {
    home.database.claim_form(claim, &[form; 32]).await.expect("an answer")
}

async fn said(home: &Home, claim: Uuid, form: u8) -> ClaimedForm {
    match say(home, claim, form).await {
        FormClaim::Yours(form) => form,
        other => panic!("{other:?}"),
    }
}

async fn a_key_is_its_forms_until_that_is_refused(home: Home) {
    let (database, new) = (&home.database, key());
    let first = claimed(&home, &new).await;
    assert!(!said(&home, first, 2).await.again);
    database.forget_form(first).await.expect("refused");
    home.sleep_seconds(5);
    let came_at = home.now();
    let form = said(&home, first, 3).await;
    assert_eq!((form.came_at, form.again, form.applied), (came_at, false, false));
    assert_eq!((form.user_id, form.key.as_str()), (new.user_id, "k1"));
    // Somebody is at it for longer than a minute,
    home.sleep_seconds(50);
    database.renew_claim(first).await.expect("renewed");
    home.sleep_seconds(50);
    assert_eq!(claim(&home, &new).await, Claim::Running);
    // and is not heard of any more.
    home.sleep_seconds(10);
    let second = claimed(&home, &new).await;
    assert_eq!(say(&home, first, 3).await, FormClaim::TakenOver);
    assert_eq!(say(&home, second, 2).await, FormClaim::OtherForm);
    let form = said(&home, second, 3).await;
    assert_eq!((form.came_at, form.again), (came_at, true));
    // It failed: the form may come again at once, and no other one.
    database.release_claim(second).await.expect("released");
    let third = claimed(&home, &new).await;
    assert_eq!(say(&home, third, 2).await, FormClaim::OtherForm);
    let answer = KeptAnswer { status: 201, headers: "[]".to_owned(), body: b"{}".to_vec() };
    database.keep_answer(third, &answer).await.expect("kept");
    let (subject, form_hmac) = (String::new(), Some(vec![3; 32]));
    assert_eq!(claim(&home, &new).await, Claim::Answered { answer, subject, form_hmac });
}

async fn a_form_is_done_as_one_by_who_has_its_claim(home: Home) {
    let (database, scope) = (&home.database, Scope::internal());
    let ann = doctor(&home).await;
    let consultation = book(&home, booking(ann, "4711")).await;
    let xray = stored(&home, "1.2").await;
    let words = XrayMetadata {
        consultation_id: Some(consultation.id),
        notes: "swollen".to_owned(),
        ..XrayMetadata::default()
    };
    let new = key();
    let lost = claimed(&home, &new).await;
    said(&home, lost, 3).await;
    home.sleep_seconds(60);
    let own = claimed(&home, &new).await;
    said(&home, own, 3).await;
    let keep = async |claim: Uuid| {
        let form = FormOfXray {
            study_instance_uid: &xray.study_instance_uid,
            consultation: Some((&scope, consultation.id)),
            said: Some((&xray, &words)),
        };
        database.keep_form_of_xray(form, &AuditActor { claim: Some(claim), ..actor() }).await
    };
    let there = async || {
        let links = database.linked_studies(&scope, consultation.id).await.expect("a list");
        let kept = database.xray_metadata(xray.id).await.expect("what was said");
        (links.len(), kept.consultation_id, kept.notes, kept.version)
    };
    assert!(matches!(keep(lost).await, Err(DatabaseError::Busy)));
    assert_eq!(there().await, (0, None, String::new(), 0));
    assert!(keep(own).await.expect("done"));
    let all = (1, Some(consultation.id), "swollen".to_owned(), 1);
    assert_eq!(there().await, all);
    // Its answer was lost: who comes again is told that all of it was done, and does nothing twice.
    home.sleep_seconds(60);
    let again = claimed(&home, &new).await;
    assert!(said(&home, again, 3).await.applied);
    assert!(keep(again).await.expect("nothing is left to do"));
    assert_eq!(there().await, all);
}
