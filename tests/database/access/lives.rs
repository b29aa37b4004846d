//! Share links and emergency accesses: what is counted, what ends them, and what no race gets around.

use chrono::TimeDelta;
use database::{
    BreakGlassRefused, DatabaseError, GrantKind, NewBreakGlass, NewGrant, NewShare, ReviewOutcome,
    ShareOutcome, StoreInstanceError,
};
use futures_util::future::join_all;
use model::access::{Action, Principal, Role};
use uuid::Uuid;

use super::world::World;
use crate::support::{Home, actor, instance, study_uid};

on_both_engines!(
    a_link_is_used_up,
    five_wrong_pins_end_a_link_also_in_a_race_and_after_a_restart,
    emergencies_are_few_reviewed_and_recorded,
    emergencies_do_not_race,
    a_paramedic_takes_no_study_over,
    a_grant_is_for_roles_that_read_by_grants,
);

const DAY: i64 = 24 * 3_600;

async fn doctor_with_study(world: &mut World<'_>) -> (Principal, String) {
    let doctor = world.account(Role::Doctor).await;
    let service = world.account(Role::Service).await;
    let patient_id = world.patient_id(1);
    let uid = world.store(&patient_id, "", None).await;
    world.book(&service, &doctor, &patient_id, "").await;
    (doctor, uid)
}

fn new_share(doctor: &Principal, token: u8, pin: Option<[u8; 32]>, uses_max: u32) -> NewShare {
    NewShare {
        token_sha256: [token; 32],
        pin_sha256: pin,
        uses_max,
        lifetime: TimeDelta::hours(24),
        user_id: doctor.user_id,
        doctor_id: doctor.doctor_id.expect("a doctor"),
    }
}

// threats.md row 52.
async fn a_link_is_used_up(home: Home) {
    let mut world = World::new(&home, 0);
    let (doctor, uid) = doctor_with_study(&mut world).await;
    let scope = doctor.authorize(Action::ShareStudy).expect("may share");
    let database = &home.database;
    let make = async |token: u8, uses_max: u32| {
        let new = new_share(&doctor, token, None, uses_max);
        database.create_share(&scope, &study_uid(&uid), new, &actor()).await.expect("made").expect("in reach")
    };
    let redeem =
        async |token: u8| database.redeem_share(&[token; 32], None, &actor()).await.expect("an answer");
    make(1, 3).await;
    let racers = join_all((0..12).map(|_| redeem(1))).await;
    let opened = racers.iter().filter(|outcome| matches!(outcome, ShareOutcome::Opened(_))).count();
    assert_eq!(opened, 3, "as often as allowed and not once more");
    assert_eq!(redeem(9).await, ShareOutcome::NotFound);
    let second = make(2, 100).await;
    assert!(matches!(redeem(2).await, ShareOutcome::Opened(share) if share.uses == 1));
    home.sleep_seconds(DAY);
    assert_eq!(redeem(2).await, ShareOutcome::NotFound, "over");
    let third = make(3, 100).await;
    let stranger = Uuid::now_v7();
    assert!(!database.revoke_share(stranger, third.id, &actor()).await.expect("an answer"));
    assert!(matches!(redeem(3).await, ShareOutcome::Opened(_)));
    assert!(database.revoke_share(third.doctor_id, third.id, &actor()).await.expect("an answer"));
    assert_eq!(redeem(3).await, ShareOutcome::NotFound, "taken back");
    let listed = database.shares_of_study(second.doctor_id, &study_uid(&uid), 10).await.expect("a list");
    assert_eq!(listed.iter().map(|share| share.uses).collect::<Vec<_>>(), [1, 1, 3]);
    assert!(database.shares_of_study(stranger, &study_uid(&uid), 10).await.expect("a list").is_empty());
    let records = database.audit_page(0, 1_000).await.expect("audit");
    let redeemed = records.iter().filter(|row| row.record.action == "redeem_share").count();
    assert_eq!(redeemed, 5, "every use is recorded");
}

// threats.md row 52: PIN 5 tries.
async fn five_wrong_pins_end_a_link_also_in_a_race_and_after_a_restart(home: Home) {
    let mut world = World::new(&home, 0);
    let (doctor, uid) = doctor_with_study(&mut world).await;
    let scope = doctor.authorize(Action::ShareStudy).expect("may share");
    let (right, wrong) = (Some([7; 32]), Some([8; 32]));
    for token in [1, 2] {
        let new = new_share(&doctor, token, right, 100);
        home.database.create_share(&scope, &study_uid(&uid), new, &actor()).await.expect("made");
    }
    let redeem = async |token: u8, pin: Option<[u8; 32]>| {
        home.database.redeem_share(&[token; 32], pin, &actor()).await.expect("an answer")
    };
    assert_eq!(redeem(1, None).await, ShareOutcome::PinNeeded, "asking takes no try");
    assert_eq!(redeem(1, wrong).await, ShareOutcome::PinWrong { left: 4 });
    assert!(matches!(redeem(1, right).await, ShareOutcome::Opened(_)));
    assert_eq!(redeem(1, wrong).await, ShareOutcome::PinWrong { left: 3 }, "a right one gives none back");
    let again = home.reopen().await;
    let other = again.redeem_share(&[1; 32], wrong, &actor()).await.expect("an answer");
    assert_eq!(other, ShareOutcome::PinWrong { left: 2 }, "a restart gives none back");
    let racers = join_all((0..10).map(|_| redeem(1, wrong))).await;
    let tried = racers.iter().filter(|outcome| matches!(outcome, ShareOutcome::PinWrong { .. })).count();
    assert_eq!(tried, 2);
    assert_eq!(redeem(1, right).await, ShareOutcome::NotFound, "dead");
    assert!(matches!(redeem(2, right).await, ShareOutcome::Opened(_)), "the other one is not");
}

fn emergency(doctor: &Principal) -> NewBreakGlass {
    NewBreakGlass {
        user_id: doctor.user_id,
        doctor_id: doctor.doctor_id.expect("a doctor"),
        patient_id: "P1".to_owned(),
        issuer_of_patient_id: String::new(),
        reason: "found unconscious, no consultation yet".to_owned(),
    }
}

async fn emergencies_are_few_reviewed_and_recorded(home: Home) {
    let world = World::new(&home, 0);
    let (doctor, admin) = (world.account(Role::Doctor).await, world.account(Role::Admin).await);
    let database = &home.database;
    let mut accesses = Vec::new();
    for _ in 0..3 {
        accesses.push(database.start_break_glass(emergency(&doctor), &actor()).await.expect("begun"));
    }
    let fourth = database.start_break_glass(emergency(&doctor), &actor()).await;
    assert!(matches!(fourth, Err(BreakGlassRefused::UsedUp)));
    let alerts = database.outbox_after(0, 99).await.expect("events");
    assert_eq!(alerts.iter().filter(|alert| alert.event.name() == "break_glass.started").count(), 3);
    home.sleep_seconds(31 * 60);
    assert_eq!(database.end_expired_break_glass().await.expect("swept"), 3);
    assert_eq!(database.end_expired_break_glass().await.expect("swept"), 0);
    home.sleep_seconds(8 * DAY);
    let late = database.start_break_glass(emergency(&doctor), &actor()).await;
    assert!(matches!(late, Err(BreakGlassRefused::Unreviewed)));
    let review = async |id: Uuid, reviewer: Uuid| {
        database.review_break_glass(id, (reviewer, "justified"), &actor()).await.expect("an answer")
    };
    assert_eq!(review(accesses[0].id, doctor.user_id).await, ReviewOutcome::Own);
    assert_eq!(review(Uuid::now_v7(), admin.user_id).await, ReviewOutcome::NotFound);
    let queue = database.break_glass_list(None, true, 10).await.expect("a list");
    assert_eq!(queue.len(), 3);
    for access in &accesses {
        assert_eq!(review(access.id, admin.user_id).await, ReviewOutcome::Reviewed);
        assert_eq!(review(access.id, admin.user_id).await, ReviewOutcome::AlreadyReviewed);
    }
    database.start_break_glass(emergency(&doctor), &actor()).await.expect("reviewed, so begun");
    let records = database.audit_page(0, 1_000).await.expect("audit");
    for (action, count) in [("start_break_glass", 4), ("end_break_glass", 3), ("review_break_glass", 3)] {
        assert_eq!(records.iter().filter(|row| row.record.action == action).count(), count, "{action}");
    }
    let reasons = records.iter().any(|row| row.record.detail.contains("unconscious"));
    assert!(!reasons, "what a doctor wrote about a patient stays out of the trail");
}

async fn emergencies_do_not_race(home: Home) {
    let world = World::new(&home, 0);
    let doctor = world.account(Role::Doctor).await;
    let begun = join_all(
        (0..10)
            .map(|_| async { home.database.start_break_glass(emergency(&doctor), &actor()).await.is_ok() }),
    );
    assert_eq!(begun.await.into_iter().filter(|begun| *begun).count(), 3);
}

// threats.md section 7, A5: sending into a study that exists makes nobody its owner.
async fn a_paramedic_takes_no_study_over(home: Home) {
    let world = World::new(&home, 0);
    let (first, second) = (world.account(Role::Paramedic).await, world.account(Role::Paramedic).await);
    let sent = |number: i32, who: Option<&Principal>| {
        let mut new = instance("1.7", number);
        new.origin.user_id = who.map(|who| who.user_id);
        new.origin.own_studies_only = who.is_some();
        new
    };
    home.put(sent(1, Some(&first))).await;
    let refused = home.store(sent(2, Some(&second))).await;
    assert!(matches!(refused, Err(StoreInstanceError::StudyOfAnotherSender)), "{refused:?}");
    let mut other_patient = sent(2, Some(&first));
    "4712".clone_into(&mut other_patient.header.patient.patient_id);
    let refused = home.store(other_patient).await;
    assert!(matches!(refused, Err(StoreInstanceError::StudyOfAnotherPatient)), "{refused:?}");
    home.put(sent(3, Some(&first))).await;
    home.put(sent(4, None)).await;
    let count = async |who: &Principal| {
        let scope = who.authorize(Action::ReadStudy).expect("may read");
        home.database.instances(&scope, &study_uid("1.7"), None, None).await.expect("instances").len()
    };
    assert_eq!((count(&first).await, count(&second).await), (3, 0));
    let mut of_a_machine = instance("1.8", 1);
    "4713".clone_into(&mut of_a_machine.header.patient.patient_id);
    home.put(of_a_machine.clone()).await;
    of_a_machine.header.instance.sop_instance_uid = crate::support::sop_uid("1.8.1.9");
    of_a_machine.data_set_sha256 = crate::support::content("other");
    of_a_machine.id = Uuid::now_v7();
    of_a_machine.origin.user_id = Some(first.user_id);
    of_a_machine.origin.own_studies_only = true;
    let refused = home.store(of_a_machine).await;
    assert!(matches!(refused, Err(StoreInstanceError::StudyOfAnotherSender)), "{refused:?}");
}

async fn a_grant_is_for_roles_that_read_by_grants(home: Home) {
    let world = World::new(&home, 0);
    for role in Role::ALL {
        let account = world.account(role).await;
        for kind in [GrantKind::Everything, GrantKind::Study(study_uid("1.2"))] {
            let useful = role == Role::Viewer || (role == Role::Doctor && kind != GrantKind::Everything);
            let new = NewGrant { user_id: account.user_id, kind, expires_at: None };
            let added = home.database.add_grant(new, &actor()).await;
            assert_eq!(added.is_ok(), useful, "{role:?} {added:?}");
        }
    }
    let nobody = NewGrant { user_id: Uuid::now_v7(), kind: GrantKind::Everything, expires_at: None };
    let refused = home.database.add_grant(nobody, &actor()).await;
    assert!(matches!(refused, Err(DatabaseError::NotFound)));
}
