//! Sessions and refresh tokens: what is good once, what is taken back, and who knows of it when.

use chrono::TimeDelta;
use database::{NewSession, NewUser, RefreshOutcome, SessionKind, SessionSet};
use model::access::Role;
use uuid::Uuid;

use crate::support::{Home, START, actor, at};

on_both_engines!(
    a_session_is_opened_for_an_active_account_only,
    a_refresh_token_is_good_once,
    of_many_refreshes_at_once_one_wins,
    revocation_reaches_other_processes,
    ended_sessions_are_forgotten,
);

async fn account(home: &Home, name: &str) -> Uuid {
    let user =
        NewUser { username: name.into(), password_hash: "$x".into(), role: Role::Viewer, doctor_id: None };
    home.database.create_user(user, &actor()).await.expect("created").id
}

fn new(user_id: Uuid, refresh: u8) -> NewSession {
    NewSession {
        refresh_sha256: Some([refresh; 32]),
        ..NewSession::new(user_id, SessionKind::Password, at(START + 3_600))
    }
}

const IDLE: TimeDelta = TimeDelta::seconds(600);

async fn a_session_is_opened_for_an_active_account_only(home: Home) {
    let user = account(&home, "ann").await;
    let opened = home.database.create_session(new(user, 1), &actor()).await.expect("opened");
    assert_eq!((opened.role, opened.doctor_id), (Role::Viewer, None));
    assert_eq!(home.database.session(opened.session.id).await.expect("read"), Some(opened.session.clone()));
    assert_eq!(home.database.sessions_of(user, 10).await.expect("list"), [opened.session]);
    assert!(home.database.create_session(new(Uuid::now_v7(), 2), &actor()).await.is_err());
    let changed = NewSession { password_hash: Some("$another".into()), ..new(user, 3) };
    assert!(home.database.create_session(changed, &actor()).await.is_err());
    let same = NewSession { password_hash: Some("$x".into()), ..new(user, 4) };
    home.database.create_session(same, &actor()).await.expect("opened");
}

async fn a_refresh_token_is_good_once(home: Home) {
    let (database, user) = (&home.database, account(&home, "ann").await);
    let session = database.create_session(new(user, 1), &actor()).await.expect("opened").session;
    let refresh = async |old: u8, new: u8| {
        database.refresh_session(&[old; 32], &[new; 32], IDLE, &actor()).await.expect("asked")
    };
    assert!(
        matches!(refresh(1, 2).await, RefreshOutcome::Renewed(opened) if opened.session.id == session.id)
    );
    assert!(matches!(refresh(2, 3).await, RefreshOutcome::Renewed(_)));
    assert_eq!(refresh(9, 10).await, RefreshOutcome::Refused, "unknown");
    assert!(!database.is_session_revoked(session.id).await.expect("known"));
    assert_eq!(refresh(1, 4).await, RefreshOutcome::Reused(session.id));
    assert!(database.is_session_revoked(session.id).await.expect("known"));
    assert_eq!(refresh(3, 5).await, RefreshOutcome::Refused, "the whole family has ended");

    database.create_session(new(user, 20), &actor()).await.expect("opened");
    home.sleep_seconds(601);
    assert_eq!(refresh(20, 21).await, RefreshOutcome::Refused, "it lay unused for too long");
    database.create_session(new(user, 30), &actor()).await.expect("opened");
    home.sleep_seconds(3_600);
    assert_eq!(refresh(30, 31).await, RefreshOutcome::Refused, "the session has ended");
}

async fn of_many_refreshes_at_once_one_wins(home: Home) {
    let user = account(&home, "ann").await;
    home.database.create_session(new(user, 1), &actor()).await.expect("opened");
    let racers = (100..108_u8).map(|token| {
        let database = home.database.clone();
        tokio::spawn(async move { database.refresh_session(&[1; 32], &[token; 32], IDLE, &actor()).await })
    });
    let mut renewed = 0;
    for racer in racers.collect::<Vec<_>>() {
        if matches!(racer.await.expect("ran").expect("asked"), RefreshOutcome::Renewed(_)) {
            renewed += 1;
        }
    }
    assert_eq!(renewed, 1);
}

// threats.md row 42: known everywhere within five seconds, here two.
async fn revocation_reaches_other_processes(home: Home) {
    let user = account(&home, "ann").await;
    let other = home.reopen().await;
    let mut ids = Vec::new();
    for token in 1..4 {
        ids.push(home.database.create_session(new(user, token), &actor()).await.expect("opened").session.id);
    }
    let consultation = Uuid::now_v7();
    let granted = NewSession {
        grant_id: Some(consultation),
        ..NewSession::new(user, SessionKind::Consultation, at(START + 3_600))
    };
    let granted = home.database.create_session(granted, &actor()).await.expect("opened").session.id;
    for id in ids.iter().chain([&granted]) {
        assert!(!other.is_session_revoked(*id).await.expect("known"));
    }
    assert!(home.database.revoke_session(ids[0], "test", &actor()).await.expect("revoked"));
    assert!(!home.database.revoke_session(ids[0], "test", &actor()).await.expect("again"));
    let set = SessionSet::OfGrant(consultation);
    assert_eq!(home.database.revoke_sessions(set, "closed", &actor()).await.expect("revoked"), 1);
    assert!(home.database.is_session_revoked(ids[0]).await.expect("known"), "at once in this process");
    tokio::time::sleep(std::time::Duration::from_millis(2_200)).await;
    assert!(other.is_session_revoked(ids[0]).await.expect("known"));
    assert!(other.is_session_revoked(granted).await.expect("known"));
    assert!(!other.is_session_revoked(ids[1]).await.expect("known"));
    let set = SessionSet::OfUser(user);
    assert_eq!(home.database.revoke_sessions(set, "test", &actor()).await.expect("revoked"), 2);
    let restarted = home.reopen().await;
    assert!(restarted.is_session_revoked(ids[2]).await.expect("known"), "a new process knows the old ones");
    let audited = home.database.audit_page(0, 1_000).await.expect("audit");
    assert_eq!(audited.iter().filter(|row| row.record.action == "revoke_session").count(), 4);
}

async fn ended_sessions_are_forgotten(home: Home) {
    let user = account(&home, "ann").await;
    let old = home.database.create_session(new(user, 1), &actor()).await.expect("opened").session.id;
    home.sleep_seconds(31 * 86_400 + 3_600);
    let later = NewSession::new(user, SessionKind::Password, at(START + 40 * 86_400));
    home.database.create_session(later, &actor()).await.expect("opened");
    assert_eq!(home.database.session(old).await.expect("read"), None);
}
