//! What is deleted: how long it can be given back, and which objects may be removed.

use chrono::TimeDelta;
use database::{
    DatabaseError, DeletedInstance, DeletionRules, DeletionTarget, NewInstance, SealedRow, SealedRowKind,
    StoreInstanceError, StoreOutcome,
};
use uuid::Uuid;

use crate::support::{Home, actor, instance};

on_both_engines!(
    a_deletion_is_kept_while_it_is_restored,
    what_is_purged_meanwhile_does_not_come_back,
    what_a_row_names_is_not_removed,
    what_is_to_be_removed_is_no_orphan,
    a_new_index_leaves_pictures_to_be_removed,
);

/// Deletes all of study 1.1, for a minute.
async fn delete(home: &Home) -> Uuid {
    let target = DeletionTarget { study_instance_uid: "1.1".to_owned(), ..DeletionTarget::default() };
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
