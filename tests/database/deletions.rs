//! What is deleted: how long it can be given back, and which objects may be removed.

use chrono::TimeDelta;
use database::{
    AuditFilter, AuditOutcome, DatabaseError, DeletedInstance, Deletion, DeletionRules, DeletionTarget,
    LinkOutcome, NewInstance, NewUser, SealedRow, SealedRowKind, StoreInstanceError, StoreOutcome,
};
use model::{
    access::{Role, Scope},
    event::Event,
};
use uuid::Uuid;

use crate::{
    consultations::{book, booking, doctor},
    support::{Home, actor, instance, patient},
};

on_both_engines!(
    a_deletion_is_kept_while_it_is_restored,
    what_is_purged_meanwhile_does_not_come_back,
    what_a_row_names_is_not_removed,
    what_is_to_be_removed_is_no_orphan,
    a_new_index_leaves_pictures_to_be_removed,
    a_restoration_links_its_own_study_alone,
    a_study_without_patient_id_comes_back,
    who_was_made_or_changed_meanwhile_is_no_second_person,
);

/// Deletes all of study 1.1, for a minute.
async fn delete(home: &Home) -> Uuid {
    delete_study(home, "1.1").await
}

async fn delete_study(home: &Home, study: &str) -> Uuid {
    let target = DeletionTarget { study_instance_uid: study.to_owned(), ..DeletionTarget::default() };
    let grace = TimeDelta::minutes(1);
    let rules = DeletionRules { two_person: false, grace, preview_grace: grace };
    let deleted = home.database.delete_instances(&target, rules, Uuid::now_v7(), &actor()).await;
    deleted.expect("deleted").id
}

/// The same as what was stored, as it comes back.
fn back(new: &NewInstance) -> NewInstance {
    let mut back = new.clone();
    back.origin.door = "restore";
    back
}

/// Gives back the only instance of a deletion; how many links came back with it.
async fn restore(home: &Home, deletion: Uuid, new: &NewInstance) -> u64 {
    assert_eq!(home.database.begin_restoration(deletion).await.expect("a list"), [new.id]);
    let kept = kept(home, deletion, new).await;
    home.put(back(new)).await;
    home.database.record_restored(&kept).await.expect("restored");
    home.database.end_restoration(deletion, &actor()).await.expect("the end")
}

async fn kept(home: &Home, deletion: Uuid, new: &NewInstance) -> DeletedInstance {
    home.database.deleted_instance(deletion, new.id).await.expect("it is kept")
}

async fn purged(home: &Home) -> u64 {
    home.database.purge_deleted().await.expect("an answer")
}

async fn dropped(home: &Home) -> Vec<Uuid> {
    home.database.dropped_objects(100).await.expect("a list")
}

async fn unnamed(home: &Home, objects: &[Uuid]) -> Vec<Uuid> {
    let mut unnamed = home.database.unnamed_objects(objects).await.expect("a list");
    unnamed.sort_unstable();
    unnamed
}

/// Each instance takes 50 minutes.
async fn a_deletion_is_kept_while_it_is_restored(home: Home) {
    let all = [1, 2, 3].map(|number| instance("1.1", number));
    for new in &all {
        home.put(new.clone()).await;
    }
    let id = delete(&home).await;
    let mut listed = home.database.begin_restoration(id).await.expect("a list");
    listed.sort_unstable();
    assert_eq!(listed, all.each_ref().map(|new| new.id));
    for new in &all {
        home.sleep_seconds(3_000);
        assert_eq!(purged(&home).await, 0, "it was purged while it was restored");
        let kept = kept(&home, id, new).await;
        home.put(back(new)).await;
        home.database.record_restored(&kept).await.expect("restored");
    }
    home.database.end_restoration(id, &actor()).await.expect("the end");
    home.sleep_seconds(1_000_000);
    assert_eq!((purged(&home).await, dropped(&home).await), (0, vec![]));
}

async fn what_is_purged_meanwhile_does_not_come_back(home: Home) {
    let all = [1, 2, 3].map(|number| instance("1.1", number));
    for new in &all {
        home.put(new.clone()).await;
    }
    let id = delete(&home).await;
    home.database.begin_restoration(id).await.expect("a list");
    let [here, late, never] = &all;
    let (here_kept, late_kept) = (kept(&home, id, here).await, kept(&home, id, late).await);
    home.put(back(here)).await;
    home.database.record_restored(&here_kept).await.expect("restored");
    // In the index, and not yet let go of.
    home.put(back(late)).await;
    home.sleep_seconds(3_601);
    assert_eq!(purged(&home).await, 1, "nothing was restored for more than an hour");
    let refused = home.database.record_restored(&late_kept).await;
    assert!(matches!(refused, Err(DatabaseError::Conflict(_))), "{refused:?}");
    let refused = home.store(back(never)).await;
    assert!(
        matches!(refused, Err(StoreInstanceError::Database(DatabaseError::Conflict(_)))),
        "no row may name an object that is about to be removed: {refused:?}"
    );
    assert!(home.database.deleted_instance(id, never.id).await.is_err());
    assert_eq!(dropped(&home).await, [never.object_key], "what is in the index stays");
    // What is there already needs no object.
    let duplicate = NewInstance { id: Uuid::now_v7(), ..back(late) };
    let outcome = home.store(duplicate).await.expect("an answer");
    assert_eq!(outcome, StoreOutcome::Duplicate { id: late.id });
}

async fn what_a_row_names_is_not_removed(home: Home) {
    let (here, deleted) = (instance("1.2", 1), instance("1.1", 1));
    for new in [&here, &deleted] {
        home.put(new.clone()).await;
    }
    // As no transaction of ours does.
    let wrongly = "INSERT INTO dropped_object (object_key, remove_after) \
        SELECT object_key, stored_at FROM instance";
    home.sql(wrongly).await;
    delete(&home).await;
    assert!(home.database.is_removal_pending().await.expect("an answer"));
    assert!(dropped(&home).await.is_empty());
    assert!(!home.database.is_removal_pending().await.expect("an answer"), "they are not dropped any more");
}

/// What a change of keys replaced is there for who reads it, and removed at its time.
async fn what_is_to_be_removed_is_no_orphan(home: Home) {
    let here = instance("1.2", 1);
    home.put(here.clone()).await;
    let (kind, object_key) = (SealedRowKind::Instance, here.object_key);
    let row = SealedRow { instance: here.id, kind, object_key, object_seal: here.object_seal.clone() };
    let [new, nobodys] = [(); 2].map(|()| Uuid::now_v7());
    let replaced = home.database.replace_object(&row, new, &[8; 128], TimeDelta::minutes(1)).await;
    assert!(replaced.expect("an answer"));
    let all = [object_key, new, nobodys];
    assert_eq!(unnamed(&home, &all).await, [nobodys]);
    // Nor is it read for an index that is made again.
    assert_eq!(home.database.deleted_objects().await.expect("a list"), [object_key]);
    home.sleep_seconds(61);
    assert_eq!(dropped(&home).await, [object_key]);
    home.database.forget_dropped_objects(&[object_key]).await.expect("forgotten");
    assert_eq!(unnamed(&home, &all).await, [object_key, nobodys]);
}

async fn a_new_index_leaves_pictures_to_be_removed(home: Home) {
    let here = instance("1.2", 1);
    home.put(here.clone()).await;
    let [large, small] = [(); 2].map(|()| Uuid::now_v7());
    let hex = |id: Uuid| match home.database {
        database::Database::Sqlite(_) => format!("x'{}'", id.simple()),
        database::Database::Postgres(_) => format!("'{id}'"),
    };
    let made = format!("UPDATE preview SET preview_key = {}, thumbnail_key = {}", hex(large), hex(small));
    home.sql(&made).await;
    home.database.clear_index().await.expect("cleared");
    let mut pictures = dropped(&home).await;
    pictures.sort_unstable();
    assert_eq!(pictures, [large, small]);
    assert_eq!(unnamed(&home, &[here.object_key, large, small]).await, [here.object_key]);
}

/// Studies that are linked to a consultation, in the order of their UIDs.
async fn linked(home: &Home, consultation: Uuid) -> Vec<String> {
    let found = home.database.linked_studies(&Scope::internal(), consultation).await.expect("links");
    let mut uids: Vec<String> =
        found.iter().map(|link| link.study.study.study_instance_uid.to_string()).collect();
    uids.sort_unstable();
    uids
}

/// Study 1.1 came again meanwhile, and nobody linked it.
async fn a_restoration_links_its_own_study_alone(home: Home) {
    let doctor = doctor(&home).await;
    let consultation = book(&home, booking(doctor, "4711")).await.id;
    let (first, other, again) = (instance("1.1", 1), instance("1.3", 1), instance("1.1", 2));
    for new in [&first, &other] {
        home.put(new.clone()).await;
        let uid = &new.header.study.study_instance_uid;
        let linked = home.database.link_study(&Scope::internal(), consultation, uid, &actor()).await;
        assert_eq!(linked.expect("an answer"), LinkOutcome::Linked);
    }
    delete(&home).await;
    let deletion = delete_study(&home, "1.3").await;
    home.put(again.clone()).await;
    assert_eq!(restore(&home, deletion, &other).await, 1);
    assert_eq!(
        home.database.restore_links(&actor()).await.expect("put back"),
        0,
        "a reindex took nothing away"
    );
    assert_eq!(linked(&home, consultation).await, ["1.3"]);
    let events = home.database.outbox_after(0, 100).await.expect("events");
    let told = events.iter().filter(
        |one| matches!(&one.event, Event::StudyLinked { study_instance_uid, .. } if study_instance_uid == "1.3"),
    );
    assert_eq!(told.count(), 2, "what is linked again is told again");
    let filter = AuditFilter {
        action: Some("link_study".to_owned()),
        study_instance_uid: Some("1.3".to_owned()),
        limit: 10,
        ..AuditFilter::default()
    };
    let records = home.database.audit_search(&filter).await.expect("records");
    let rules: Vec<&str> = records.iter().map(|row| row.record.rule.as_str()).collect();
    assert_eq!(rules, ["restore", ""], "the newest first");

    // The first deletion ends while a study with its UID is there: its links end with it.
    home.sleep_seconds(61);
    assert_eq!(purged(&home).await, 1);
    let deletion = delete(&home).await;
    assert_eq!(restore(&home, deletion, &again).await, 0);
    assert_eq!(linked(&home, consultation).await, ["1.3"]);
}

/// Nothing but the key tells whose it is.
async fn a_study_without_patient_id_comes_back(home: Home) {
    let mut new = instance("1.1", 1);
    new.header.patient = patient("", "");
    home.put(new.clone()).await;
    let deletion = delete(&home).await;
    assert_eq!(restore(&home, deletion, &new).await, 0);
}

async fn who_was_made_or_changed_meanwhile_is_no_second_person(home: Home) {
    let account = async |name: &str| {
        let (username, password_hash) = (name.to_owned(), "$x".to_owned());
        let new = NewUser { username, password_hash, role: Role::Admin, doctor_id: None };
        home.database.create_user(new, &actor()).await.expect("an account").id
    };
    let ask = async |who: Uuid| -> Result<Deletion, DatabaseError> {
        let target = DeletionTarget { study_instance_uid: "1.1".to_owned(), ..DeletionTarget::default() };
        let grace = TimeDelta::minutes(1);
        let rules = DeletionRules { two_person: true, grace, preview_grace: grace };
        home.database.delete_instances(&target, rules, who, &actor()).await
    };
    home.put(instance("1.1", 1)).await;
    let (first, second, third) = (account("first").await, account("second").await, account("third").await);
    assert_eq!(ask(first).await.expect("asked for").state, "asked");
    home.sleep_seconds(1);
    let made = account("made").await;
    home.database.set_password_hash(third, "$y", &actor()).await.expect("another password");
    for who in [made, third] {
        let refused = ask(who).await;
        assert!(matches!(refused, Err(DatabaseError::Conflict(_))), "{refused:?}");
    }
    let filter = AuditFilter {
        action: Some("ask_deletion".to_owned()),
        outcome: Some(AuditOutcome::Refused),
        limit: 10,
        ..AuditFilter::default()
    };
    assert_eq!(home.database.audit_search(&filter).await.expect("records").len(), 2);
    assert_eq!(ask(second).await.expect("confirmed").state, "deleted");
}
