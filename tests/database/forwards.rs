//! What waits to be sent on: in which order, by which rule.

use chrono::TimeDelta;
use database::{DeletionRules, DeletionTarget, ForwardFilter, ForwardRuleRow, NewForward};
use model::{
    access::Scope,
    forward::{ForwardPriority, ForwardRule},
};
use uuid::Uuid;

use crate::support::{Home, actor, instance, title};

on_both_engines!(
    what_is_heavier_goes_first,
    two_rules_queue_an_instance_once_with_the_heavier_priority,
    rules_that_change_take_what_waits_with_them,
    what_two_rules_ask_for_goes_by_the_other_one,
    what_rules_ask_for_no_more_is_not_queued_by_them,
    what_comes_back_is_not_stored_for_the_first_time,
);

const LEASE: TimeDelta = TimeDelta::seconds(30);

async fn rule(home: &Home, name: &str, destination: &str, priority: ForwardPriority) -> ForwardRuleRow {
    let rule = ForwardRule {
        enabled: true,
        destination: title(destination),
        from: Vec::new(),
        attributes: std::collections::BTreeMap::new(),
        priority,
    };
    home.database.create_forward_rule(name, rule, &actor()).await.expect("a rule")
}

fn by(row: &ForwardRuleRow, instance: Uuid) -> NewForward {
    let (destination, priority) = (row.rule.destination.clone(), row.rule.priority.weight());
    NewForward { rule_id: row.id, instance, destination, priority }
}

async fn put(home: &Home, instances: i32) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for number in 0..instances {
        ids.push(home.put(instance("1.1", number)).await);
    }
    ids
}

/// The instances that are taken, in order; they are due again at once.
async fn taken(home: &Home, destination: &str) -> Vec<Uuid> {
    let taken = home.database.take_forwards(&title(destination), 10, LEASE).await.expect("taken");
    home.sleep_seconds(60);
    taken.into_iter().map(|one| one.instance).collect()
}

async fn waiting(home: &Home) -> usize {
    let filter = ForwardFilter { limit: 100, ..ForwardFilter::default() };
    home.database.forwards(filter).await.expect("a list").len()
}

async fn what_is_heavier_goes_first(home: Home) {
    let ids = put(&home, 6).await;
    let low = rule(&home, "a", "CENTRAL", ForwardPriority::Low).await;
    let high = rule(&home, "b", "CENTRAL", ForwardPriority::High).await;
    let medium = rule(&home, "c", "CENTRAL", ForwardPriority::Medium).await;
    let new = [(&low, 0), (&medium, 1), (&high, 2), (&low, 3), (&high, 4), (&medium, 5)];
    let new: Vec<NewForward> = new.iter().map(|(row, index)| by(row, ids[*index])).collect();
    home.database.queue_forwards(&new, 1).await.expect("queued");
    assert_eq!(taken(&home, "CENTRAL").await, [2, 4, 1, 5, 0, 3].map(|index| ids[index]));
    let two = home.database.take_forwards(&title("CENTRAL"), 2, LEASE).await.expect("taken");
    assert_eq!([two[0].instance, two[1].instance], [ids[2], ids[4]]);
}

async fn two_rules_queue_an_instance_once_with_the_heavier_priority(home: Home) {
    let ids = put(&home, 3).await;
    let low = rule(&home, "a", "CENTRAL", ForwardPriority::Low).await;
    let medium = rule(&home, "b", "CENTRAL", ForwardPriority::Medium).await;
    let high = rule(&home, "c", "CENTRAL", ForwardPriority::High).await;
    // At once, and one after the other.
    let new = [by(&medium, ids[0]), by(&low, ids[1]), by(&high, ids[1]), by(&low, ids[2])];
    home.database.queue_forwards(&new, 1).await.expect("queued");
    assert_eq!(taken(&home, "CENTRAL").await, [ids[1], ids[0], ids[2]]);
    home.database.queue_forwards(&[by(&high, ids[2]), by(&low, ids[0])], 2).await.expect("queued");
    assert_eq!(waiting(&home).await, 3);
    let order = taken(&home, "CENTRAL").await;
    assert!(order[2] == ids[0] && order.contains(&ids[2]), "{order:?} of {ids:?}");
    // What the heavier one asked for is as light as before when that is gone.
    for heavier in [&high, &medium] {
        assert!(home.database.remove_forward_rule(heavier.id, &actor()).await.expect("removed"));
    }
    let left = home.database.take_forwards(&title("CENTRAL"), 10, LEASE).await.expect("taken");
    let left: Vec<_> = left.iter().map(|one| (one.rule_id, one.priority)).collect();
    assert_eq!(left, [(low.id, low.rule.priority.weight()); 3]);
}

async fn change(home: &Home, row: &ForwardRuleRow) {
    assert!(home.database.update_forward_rule(row.id, &row.rule, &actor()).await.expect("changed"));
}

async fn rules_that_change_take_what_waits_with_them(home: Home) {
    let ids = put(&home, 2).await;
    let mut one = rule(&home, "one", "CENTRAL", ForwardPriority::Medium).await;
    let other = rule(&home, "other", "READING", ForwardPriority::Medium).await;
    home.database.queue_forwards(&[by(&one, ids[0]), by(&other, ids[1])], 1).await.expect("queued");
    one.rule.enabled = false;
    change(&home, &one).await;
    assert_eq!(home.database.forward_destinations().await.expect("a list"), [title("READING")]);
    assert!(taken(&home, "CENTRAL").await.is_empty());
    one.rule.enabled = true;
    change(&home, &one).await;
    assert_eq!(taken(&home, "CENTRAL").await, [ids[0]], "it waited");
    one.rule.destination = title("ELSEWHERE");
    change(&home, &one).await;
    assert!(taken(&home, "CENTRAL").await.is_empty());
    assert_eq!(waiting(&home).await, 1, "nothing waits for the former destination");
    assert!(home.database.remove_forward_rule(other.id, &actor()).await.expect("removed"));
    assert_eq!(waiting(&home).await, 0);
}

/// By which rules the queue goes now.
async fn owners(home: &Home) -> Vec<(Uuid, Uuid)> {
    let filter = ForwardFilter { limit: 100, ..ForwardFilter::default() };
    let found = home.database.forwards(filter).await.expect("a list");
    let mut owners: Vec<_> = found.into_iter().map(|one| (one.rule_id, one.id)).collect();
    owners.sort_by_key(|(_, id)| *id);
    owners
}

async fn what_two_rules_ask_for_goes_by_the_other_one(home: Home) {
    let ids = put(&home, 3).await;
    let mut high = rule(&home, "a", "CENTRAL", ForwardPriority::High).await;
    let mut medium = rule(&home, "b", "CENTRAL", ForwardPriority::Medium).await;
    let low = rule(&home, "c", "CENTRAL", ForwardPriority::Low).await;
    // The first is asked for by all of them at once, the second by one after the other, the third by one alone.
    let new =
        [by(&low, ids[0]), by(&high, ids[0]), by(&medium, ids[0]), by(&high, ids[1]), by(&high, ids[2])];
    home.database.queue_forwards(&new, 1).await.expect("queued");
    home.database.queue_forwards(&[by(&medium, ids[1])], 2).await.expect("queued");
    let owning = async |rows: &[&ForwardRuleRow]| {
        let owners: Vec<Uuid> = owners(&home).await.into_iter().map(|(rule, _)| rule).collect();
        assert_eq!(owners, rows.iter().map(|row| row.id).collect::<Vec<_>>());
    };
    owning(&[&high, &high, &high]).await;
    high.rule.enabled = false;
    change(&home, &high).await;
    owning(&[&medium, &medium, &high]).await;
    assert_eq!(taken(&home, "CENTRAL").await, ids[..2]);
    medium.rule.destination = title("ELSEWHERE");
    change(&home, &medium).await;
    owning(&[&low, &high, &high]).await;
    assert_eq!(taken(&home, "CENTRAL").await, ids[..1], "the others wait for their rule");
    high.rule.enabled = true;
    change(&home, &high).await;
    assert!(home.database.remove_forward_rule(low.id, &actor()).await.expect("removed"));
    owning(&[&high, &high, &high]).await;
    assert_eq!(taken(&home, "CENTRAL").await, ids);
    assert!(home.database.remove_forward_rule(high.id, &actor()).await.expect("removed"));
    owning(&[]).await;
}

/// Rules are read, then instances are looked for, then they are queued: meanwhile the rules may have changed.
async fn what_rules_ask_for_no_more_is_not_queued_by_them(home: Home) {
    let ids = put(&home, 2).await;
    let gone = rule(&home, "a", "CENTRAL", ForwardPriority::High).await;
    let mut disabled = rule(&home, "b", "CENTRAL", ForwardPriority::High).await;
    let mut elsewhere = rule(&home, "c", "CENTRAL", ForwardPriority::High).await;
    let low = rule(&home, "d", "CENTRAL", ForwardPriority::Low).await;
    let mut new: Vec<NewForward> = [&gone, &disabled, &elsewhere].map(|row| by(row, ids[0])).into();
    new.extend([by(&low, ids[0]), by(&gone, ids[1])]);
    assert!(home.database.remove_forward_rule(gone.id, &actor()).await.expect("removed"));
    disabled.rule.enabled = false;
    change(&home, &disabled).await;
    elsewhere.rule.destination = title("ELSEWHERE");
    change(&home, &elsewhere).await;
    home.database.queue_forwards(&new, 1).await.expect("queued");
    let owners: Vec<Uuid> = owners(&home).await.into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(owners, [low.id], "by the one that is left, and nothing that nobody asks for");
    assert_eq!(taken(&home, "CENTRAL").await, ids[..1]);
}

/// What the rules say of everything that happened.
async fn asked_for(home: &Home) -> Vec<Uuid> {
    let rules = home.database.forward_rules().await.expect("rules");
    let events = home.database.outbox_after(0, 100).await.expect("events");
    let found = home.database.forwards_of(&Scope::internal(), &rules, &events).await.expect("an answer");
    found.into_iter().map(|one| one.instance).collect()
}

/// The index is made again from the objects, or an instance is restored, after a rule was made: it was there before. What had not
/// arrived waits again.
async fn what_comes_back_is_not_stored_for_the_first_time(home: Home) {
    let all = [1, 2].map(|number| instance("1.1", number));
    for new in &all {
        home.put(new.clone()).await;
    }
    home.sleep_seconds(60);
    let row = rule(&home, "everything", "CENTRAL", ForwardPriority::Medium).await;
    assert!(asked_for(&home).await.is_empty(), "it was there before the rule");
    home.database.queue_forwards(&[by(&row, all[0].id)], 1).await.expect("queued");
    let before = owners(&home).await;
    home.database.clear_index().await.expect("cleared");
    assert_eq!(waiting(&home).await, 0);
    for new in &all {
        let mut back = new.clone();
        back.origin.door = "reindex";
        home.put(back).await;
    }
    home.database.restore_links(&actor()).await.expect("put back");
    assert_eq!(owners(&home).await, before, "it waits as before");
    assert!(asked_for(&home).await.is_empty(), "what was read from the objects is sent on");

    let target = DeletionTarget { study_instance_uid: "1.1".to_owned(), ..DeletionTarget::default() };
    let grace = TimeDelta::hours(1);
    let rules = DeletionRules { two_person: false, grace, preview_grace: grace };
    home.database.delete_instances(&target, rules, Uuid::now_v7(), &actor()).await.expect("deleted");
    let mut back = all[1].clone();
    back.origin.door = "restore";
    home.put(back).await;
    assert!(asked_for(&home).await.is_empty(), "what was restored is sent on");
    let new = home.put(instance("1.2", 1)).await;
    assert_eq!(asked_for(&home).await, [new]);
}
