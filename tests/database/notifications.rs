//! Reminders, webhooks and deliveries.

use chrono::TimeDelta;
use database::{
    Attempt, ChangeConsultation, Database, DatabaseError, DeliveryFilter, DeliveryOutcome, DeliveryState,
    NewConsultation, NewWebhook, Receivers, Webhook,
};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationCommand, ConsultationStatus},
    event::Event,
};
use uuid::Uuid;

use crate::{
    consultations::{book, booking, doctor},
    support::{Home, START, actor, at},
};

on_both_engines!(
    each_reminder_comes_once_at_its_time,
    reminders_move_and_end_with_their_consultation,
    nodes_that_look_at_once_send_no_reminder_twice,
    a_reminder_after_the_start_is_dropped,
    a_webhook_gets_what_it_asked_for_from_then_on_and_once,
    a_webhook_for_cancellations_gets_no_other_ends,
    a_delivery_is_tried_again_given_up_and_sent_again,
    deliveries_end_with_their_webhook_and_after_their_time,
);

const HOUR: i64 = 3_600;

async fn at_hour(home: &Home, hours: i64) -> Consultation {
    let doctor_id = doctor(home).await;
    book(home, NewConsultation { scheduled_at: at(START + hours * HOUR), ..booking(doctor_id, "4711") }).await
}

/// What was sent so far: consultation and minutes, in order.
async fn sent(database: &Database) -> Vec<(Uuid, u32)> {
    while database.send_due_reminders(2).await.expect("sent") > 0 {}
    let events = database.outbox_after(0, 1_000).await.expect("events");
    let reminders = events.into_iter().filter_map(|envelope| match envelope.event {
        Event::ReminderDue { consultation_id, minutes_before, .. } => Some((consultation_id, minutes_before)),
        _ => None,
    });
    reminders.collect()
}

async fn command(home: &Home, id: Uuid, command: ConsultationCommand) -> Consultation {
    let change = ChangeConsultation::new(command);
    home.database.change_consultation(&Scope::internal(), id, change, &actor()).await.expect("changed")
}

async fn each_reminder_comes_once_at_its_time(home: Home) {
    let (late, early) = (at_hour(&home, 30).await, at_hour(&home, 2).await);
    assert_eq!(sent(&home.database).await, []);
    assert_eq!(home.database.next_reminder().await.expect("next"), Some(at(START + HOUR)));
    home.sleep_seconds(HOUR - 1);
    assert_eq!(sent(&home.database).await, []);
    home.sleep_seconds(1);
    let mut expected = vec![(early.id, 60)];
    assert_eq!(sent(&home.database).await, expected);
    home.sleep_seconds(5 * HOUR);
    // Ten minutes before the early one nothing ran: that one is of no use any more.
    expected.push((late.id, 1_440));
    assert_eq!(sent(&home.database).await, expected);
    home.sleep_seconds(24 * HOUR - 600);
    expected.extend([(late.id, 60), (late.id, 10)]);
    assert_eq!(sent(&home.reopen().await).await, expected);
    assert_eq!(sent(&home.database).await, expected);
    assert_eq!(home.database.next_reminder().await.expect("next"), None);
    let events = home.database.outbox_after(0, 100).await.expect("events");
    let last = events.last().map(|envelope| envelope.event.clone());
    let (doctor_id, scheduled_at) = (late.doctor_id, late.scheduled_at);
    let expected = Event::ReminderDue {
        consultation_id: late.id,
        doctor_id,
        minutes_before: 10,
        scheduled_at,
        time_zone: String::new(),
    };
    assert_eq!(last, Some(expected));
}

async fn reminders_move_and_end_with_their_consultation(home: Home) {
    use ConsultationCommand::{Arrive, Cancel, Complete, Confirm, NoShow, Start};
    let database = &home.database;
    let (cancelled, missed, over, arrived, moved) = (
        at_hour(&home, 2).await,
        at_hour(&home, 2).await,
        at_hour(&home, 2).await,
        at_hour(&home, 2).await,
        at_hour(&home, 2).await,
    );
    let doctor_id = doctor(&home).await;
    let proposed = NewConsultation {
        status: ConsultationStatus::Proposed,
        scheduled_at: at(START + 2 * HOUR),
        ..booking(doctor_id, "4712")
    };
    let (left, agreed) = (book(&home, proposed.clone()).await, book(&home, proposed).await);
    command(&home, cancelled.id, Cancel).await;
    command(&home, missed.id, NoShow).await;
    command(&home, over.id, Start).await;
    command(&home, over.id, Complete).await;
    command(&home, arrived.id, Arrive).await;
    command(&home, agreed.id, Confirm).await;
    let change = ChangeConsultation {
        time: Some((at(START + 4 * HOUR), None)),
        ..ChangeConsultation::new(ConsultationCommand::Reschedule)
    };
    database.change_consultation(&Scope::internal(), moved.id, change, &actor()).await.expect("moved");
    home.sleep_seconds(HOUR + 10);
    let mut come = sent(database).await;
    let mut expected = vec![(arrived.id, 60), (agreed.id, 60)];
    come.sort_unstable();
    expected.sort_unstable();
    assert_eq!(come, expected, "not of {} or {}", left.id, moved.id);
    // Another doctor, the same time: what came does not come again, what is to come does, to the new one.
    let new_doctor = doctor(&home).await;
    let change = ChangeConsultation {
        doctor_id: Some(new_doctor),
        ..ChangeConsultation::new(ConsultationCommand::Reassign)
    };
    database.change_consultation(&Scope::internal(), agreed.id, change, &actor()).await.expect("given on");
    home.sleep_seconds(50 * 60);
    assert_eq!(sent(database).await.len(), 4);
    let last = database.outbox_after(0, 100).await.expect("events");
    let to_new = last
        .iter()
        .filter(|one| one.event.doctor_id() == Some(new_doctor) && one.event.name() == "reminder.due");
    assert_eq!(to_new.count(), 1);
    home.sleep_seconds(HOUR + 600);
    assert_eq!(sent(database).await[4..], [(moved.id, 60)]);
}

async fn nodes_that_look_at_once_send_no_reminder_twice(home: Home) {
    let mut booked = Vec::new();
    for _ in 0..20 {
        booked.push(at_hour(&home, 2).await.id);
    }
    let other = home.reopen().await;
    home.sleep_seconds(HOUR);
    let one = async |database: Database| {
        let mut empty = 0;
        while empty < 3 {
            match database.send_due_reminders(3).await {
                Ok(0) => empty += 1,
                // Two writers of one SQLite file: one of them waits.
                Ok(_) | Err(DatabaseError::Busy) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::join!(one(home.database.clone()), one(other.clone()), one(other));
    let mut come: Vec<Uuid> = sent(&home.database).await.into_iter().map(|(id, _)| id).collect();
    come.sort_unstable();
    booked.sort_unstable();
    assert_eq!(come, booked);
}

async fn a_reminder_after_the_start_is_dropped(home: Home) {
    at_hour(&home, 2).await;
    // Booked within the hour before the start: only the last reminder is to come.
    let soon = book(
        &home,
        NewConsultation { scheduled_at: at(START + 1_800), ..booking(doctor(&home).await, "4712") },
    )
    .await;
    home.sleep_seconds(1_300);
    assert_eq!(sent(&home.database).await, [(soon.id, 10)]);
    home.sleep_seconds(2 * HOUR);
    assert_eq!(sent(&home.database).await.len(), 1);
    assert_eq!(home.database.next_reminder().await.expect("next"), None);
}

async fn webhook(home: &Home, types: &[&str]) -> Webhook {
    let new = NewWebhook {
        address: "https://hooks.example.org/".to_owned(),
        description: String::new(),
        event_types: types.iter().map(|name| (*name).to_owned()).collect(),
    };
    home.database.create_webhook(new, 100, &actor()).await.expect("made")
}

/// What the worker does with everything that is new.
async fn fan_out(database: &Database) -> u64 {
    let cursor = database.delivery_cursor().await.expect("cursor");
    let events = database.outbox_after(cursor, 1_000).await.expect("events");
    database.make_deliveries(&events, &Receivers::default()).await.expect("made")
}

const ALL: DeliveryFilter = DeliveryFilter { state: None, limit: 100, offset: 0 };

async fn a_webhook_gets_what_it_asked_for_from_then_on_and_once(home: Home) {
    let database = &home.database;
    at_hour(&home, 2).await;
    let wanted = webhook(&home, &["consultation.ended", "consultation.scheduled"]).await;
    let other = webhook(&home, &["instance.stored"]).await;
    let booked = at_hour(&home, 3).await;
    command(&home, booked.id, ConsultationCommand::Cancel).await;
    let start = database.delivery_cursor().await.expect("cursor");
    assert_eq!(fan_out(database).await, 2);
    let end = database.delivery_cursor().await.expect("cursor");
    assert_eq!(end, database.outbox_last().await.expect("last"));
    // Another node that stands where this one began makes nothing twice, and takes the cursor nowhere back.
    let events = database.outbox_after(start, 100).await.expect("events");
    home.reopen().await.make_deliveries(&events[..2], &Receivers::default()).await.expect("made");
    assert_eq!(database.delivery_cursor().await.expect("cursor"), end);
    let made = database.deliveries(wanted.id, ALL).await.expect("deliveries");
    let types: Vec<&str> = made.iter().map(|one| one.event_type.as_str()).collect();
    assert_eq!(types, ["consultation.ended", "consultation.scheduled"], "the newest first");
    let sent: model::event::EventEnvelope = serde_json::from_str(&made[1].body).expect("an event");
    assert_eq!(
        (sent.event_id, &sent.event),
        (made[1].event_id, &events.iter().rev().nth(1).expect("two").event)
    );
    assert_eq!(database.deliveries(other.id, ALL).await.expect("deliveries"), []);
    let with_work: Vec<Uuid> =
        database.webhooks_with_work().await.expect("webhooks").into_iter().map(|one| one.id).collect();
    assert_eq!(with_work, [wanted.id]);
    let full = NewWebhook { address: String::new(), description: String::new(), event_types: Vec::new() };
    let refused = database.create_webhook(full, 2, &actor()).await;
    assert!(matches!(refused, Err(DatabaseError::Conflict(_))), "{refused:?}");
}

async fn a_webhook_for_cancellations_gets_no_other_ends(home: Home) {
    let database = &home.database;
    let all = webhook(&home, &["consultation.ended", "consultation.ended.cancelled"]).await;
    let some = webhook(&home, &["consultation.ended.cancelled"]).await;
    let (missed, cancelled) = (at_hour(&home, 2).await, at_hour(&home, 3).await);
    command(&home, missed.id, ConsultationCommand::NoShow).await;
    command(&home, cancelled.id, ConsultationCommand::Cancel).await;
    assert_eq!(fan_out(database).await, 3, "each once");
    assert_eq!(database.deliveries(all.id, ALL).await.expect("deliveries").len(), 2);
    let made = database.deliveries(some.id, ALL).await.expect("deliveries");
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].event_type, "consultation.ended");
    assert!(made[0].body.contains(&cancelled.id.to_string()), "{}", made[0].body);
}

async fn a_delivery_is_tried_again_given_up_and_sent_again(home: Home) {
    let database = &home.database;
    let hook = webhook(&home, &["consultation.scheduled"]).await;
    at_hour(&home, 2).await;
    at_hour(&home, 2).await;
    fan_out(database).await;
    let lease = TimeDelta::minutes(1);
    let take = async || database.take_deliveries(Some(hook.id), 10, lease).await.expect("taken");
    let taken = take().await;
    assert_eq!(taken.iter().map(|one| one.attempts).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(take().await, [], "they are taken");
    assert_eq!(database.take_deliveries(None, 10, lease).await.expect("taken"), [], "they are no e-mails");
    let settle = async |id, status, outcome| {
        let attempts = [Attempt { id, status, outcome }];
        database.settle_deliveries(&attempts).await.expect("settled");
    };
    settle(taken[0].id, Some(204), DeliveryOutcome::Delivered).await;
    let wait = DeliveryOutcome::Retry(TimeDelta::seconds(10), "answered 500".to_owned());
    settle(taken[1].id, Some(500), wait).await;
    home.sleep_seconds(9);
    assert_eq!(take().await, []);
    home.sleep_seconds(1);
    let again = take().await;
    assert_eq!(
        (again.len(), again[0].id, again[0].attempts, again[0].last_status),
        (1, taken[1].id, 2, Some(500))
    );
    assert_eq!(again[0].body, taken[1].body);
    // Whoever took it is gone: it is due again after the lease.
    home.sleep_seconds(61);
    assert_eq!(take().await[0].attempts, 3);
    settle(taken[1].id, None, DeliveryOutcome::Dead("no answer".to_owned())).await;
    let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..ALL };
    let given_up = database.deliveries(hook.id, dead).await.expect("deliveries");
    assert_eq!((given_up.len(), given_up[0].id), (1, taken[1].id));
    assert_eq!((given_up[0].last_error.as_str(), given_up[0].settled_at), ("no answer", Some(home.now())));
    home.sleep_seconds(100_000);
    assert_eq!(take().await, []);
    let pending = database.test_webhook(hook.id, &actor()).await.expect("made").expect("there").id;
    let refused = database.redeliver(hook.id, pending, &actor()).await;
    assert!(matches!(refused, Err(DatabaseError::Conflict(_))), "{refused:?}");
    settle(pending, Some(200), DeliveryOutcome::Delivered).await;
    assert_eq!(database.redeliver(Uuid::nil(), taken[1].id, &actor()).await.expect("an answer"), None);
    let revived =
        database.redeliver(hook.id, taken[1].id, &actor()).await.expect("an answer").expect("there");
    assert_eq!((revived.state, revived.attempts, revived.settled_at), (DeliveryState::Pending, 0, None));
    assert_eq!(take().await.len(), 1);
}

async fn deliveries_end_with_their_webhook_and_after_their_time(home: Home) {
    let database = &home.database;
    let (hook, removed) = (webhook(&home, &["study.linked"]).await, webhook(&home, &["study.linked"]).await);
    let trial = database.test_webhook(hook.id, &actor()).await.expect("made").expect("there");
    database.test_webhook(removed.id, &actor()).await.expect("made").expect("there");
    assert_eq!(database.test_webhook(Uuid::nil(), &actor()).await.expect("an answer"), None);
    assert!(database.remove_webhook(removed.id, &actor()).await.expect("removed"));
    assert!(!database.remove_webhook(removed.id, &actor()).await.expect("an answer"));
    assert_eq!(database.deliveries(removed.id, ALL).await.expect("deliveries"), []);
    let attempts = [Attempt { id: trial.id, status: Some(200), outcome: DeliveryOutcome::Delivered }];
    database.settle_deliveries(&attempts).await.expect("settled");
    assert_eq!(database.forget_deliveries(home.now(), 10).await.expect("forgotten"), 0);
    home.sleep_seconds(1);
    assert_eq!(database.forget_deliveries(home.now(), 10).await.expect("forgotten"), 1);
    assert_eq!(database.deliveries(hook.id, ALL).await.expect("deliveries"), []);
}
