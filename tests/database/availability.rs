//! Who is still to be told of complete studies.

use chrono::TimeDelta;
use database::{AvailabilityEnd, AvailabilityNotice};
use model::{ae::AeProfile, performed_step::PerformedStepStatus};
use tests::wait;

use crate::{
    quiet_studies::{holder, look, step},
    support::{Home, actor, instance, title},
};

on_both_engines!(who_is_registered_for_it_is_owed_a_notice, a_notice_that_is_owed_again_is_told_again);

const LEASE: TimeDelta = TimeDelta::seconds(300);

async fn register(home: &Home, name: &str, wants: bool, enabled: bool) {
    let profile = AeProfile { notify_availability: wants, enabled, ..AeProfile::default() };
    home.database.create_ae(title(name), profile, &actor()).await.expect("registered");
}

async fn claim(home: &Home) -> Option<AvailabilityNotice> {
    home.database.claim_availability_notice(LEASE).await.expect("an answer")
}

async fn end(home: &Home, notice: &AvailabilityNotice) {
    let end = AvailabilityEnd::Told(1);
    home.database.end_availability_notice(notice, end, &actor()).await.expect("ended");
}

async fn who_is_registered_for_it_is_owed_a_notice(home: Home) {
    register(&home, "RIS", true, true).await;
    register(&home, "ASLEEP", true, false).await;
    register(&home, "STORE", false, true).await;
    home.put(instance("1.2", 1)).await;
    step(&home, "1.2", PerformedStepStatus::InProgress).await;
    assert_eq!(claim(&home).await, None, "it is not complete");
    let writing = home.somebody_writes().await;
    step(&home, "1.2", PerformedStepStatus::Completed).await;
    if writing.is_some() {
        assert_eq!(claim(&home).await, None, "an instance that is being stored belongs to it");
    }
    drop(writing);
    let notice = wait::until("a notice", async || claim(&home).await).await;
    assert_eq!((&notice.ae_title, notice.study_instance_uid.as_str()), (&title("RIS"), "1.2"));
    assert_eq!(claim(&home).await, None, "somebody is at it, and nobody else wants to know");
    home.sleep_seconds(301);
    let again = claim(&home).await.expect("who was at it has died");
    assert_eq!((notice.attempts, again.attempts), (1, 2));
    let until = home.now() + TimeDelta::seconds(10);
    home.database.postpone_availability_notice(&notice, until).await.expect("an answer");
    home.sleep_seconds(11);
    assert_eq!(claim(&home).await, None, "who has lost it puts nothing off");
    home.database.postpone_availability_notice(&again, home.now()).await.expect("put off");
    home.database.postpone_availability_notices_of(&title("RIS"), until + LEASE).await.expect("put off");
    assert_eq!(claim(&home).await, None, "everything of it is put off");
    home.sleep_seconds(301);
    let last = claim(&home).await.expect("it is due");
    end(&home, &last).await;
    home.sleep_seconds(3_600);
    assert_eq!(claim(&home).await, None);
}

async fn a_notice_that_is_owed_again_is_told_again(home: Home) {
    let lease = holder(&home).await;
    register(&home, "RIS", true, true).await;
    home.put(instance("1.2", 1)).await;
    home.sleep_seconds(61);
    look(&home, &lease).await;
    let first = claim(&home).await.expect("a notice");
    home.put(instance("1.2", 2)).await;
    home.sleep_seconds(61);
    look(&home, &lease).await;
    let second = claim(&home).await.expect("it is owed anew, though the first is being told");
    assert!(second.attempts == 1 && second.requested_at > first.requested_at, "{second:?}");
    end(&home, &first).await;
    home.sleep_seconds(301);
    let third = claim(&home).await.expect("the end of the first was not its end");
    assert_eq!(third.requested_at, second.requested_at);
    end(&home, &third).await;
    home.sleep_seconds(86_400);
    assert_eq!(claim(&home).await, None);
}
