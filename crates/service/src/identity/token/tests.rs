//! What `token` must hold.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::DateTime;

use super::*;

fn principal() -> Principal {
    Principal {
        session_id: Some(Uuid::from_u128(7)),
        grant: Some(Grant::Consultation(Uuid::from_u128(8))),
        ..Principal::new(Uuid::from_u128(5), Role::Doctor, Some(Uuid::from_u128(6)))
    }
}

fn clock_at(time: &Arc<AtomicI64>) -> Clock {
    let time = Arc::clone(time);
    Clock::from_fn(move || DateTime::from_timestamp(time.load(Ordering::SeqCst), 0).expect("time"))
}

fn issuer_at(time: &Arc<AtomicI64>) -> Issuer {
    Issuer::ephemeral(IdentityConfig::default(), clock_at(time)).expect("key")
}

/// An issuer with a key in a file, which lies in the directory.
fn issuer_in(directory: &tempfile::TempDir, clock: Clock) -> (Issuer, PathBuf) {
    let path = directory.path().join("token-keys.json");
    (Issuer::open(&path, IdentityConfig::default(), clock).expect("made"), path)
}

#[tokio::test]
async fn a_token_lives_fifteen_minutes() {
    let time = Arc::new(AtomicI64::new(1_800_000_000));
    let issuer = issuer_at(&time);
    let token = issuer.issue(&principal()).expect("token").access_token;
    assert_eq!(issuer.authenticator().authenticate(&token).await, Ok(principal()));
    time.fetch_add(960, Ordering::SeqCst);
    assert!(issuer.authenticator().authenticate(&token).await.is_err());
}

#[tokio::test]
async fn a_token_that_was_good_is_refused_when_its_key_has_ended() {
    let directory = tempfile::tempdir().expect("directory");
    let time = Arc::new(AtomicI64::new(1_800_000_000));
    let (issuer, _) = issuer_in(&directory, clock_at(&time));
    let token = issuer.issue_for(&principal(), TOKEN_LIFETIME_MAX_SECONDS).expect("token").access_token;
    issuer.rotate(false).expect("rotated");
    assert_eq!(issuer.authenticator().authenticate(&token).await, Ok(principal()));
    time.fetch_add(i64::from(TOKEN_LIFETIME_MAX_SECONDS) + 61, Ordering::SeqCst);
    assert_eq!(issuer.verify(&token), Err(TokenRefused::Invalid("the key is not ours")));
}

#[tokio::test]
async fn no_token_outlives_its_key() {
    let time = Arc::new(AtomicI64::new(1_800_000_000));
    let issued = issuer_at(&time).issue_for(&principal(), u32::MAX).expect("token");
    assert_eq!(issued.expires_in, TOKEN_LIFETIME_MAX_SECONDS);
}

#[tokio::test]
async fn tokens_of_another_issuer_are_refused() {
    let time = Arc::new(AtomicI64::new(1_800_000_000));
    let (ours, theirs) = (issuer_at(&time), issuer_at(&time));
    let foreign = theirs.issue(&principal()).expect("token").access_token;
    assert!(ours.authenticator().authenticate(&foreign).await.is_err());
    let good = ours.issue(&principal()).expect("token").access_token;
    let (head, _) = good.rsplit_once('.').expect("parts");
    let spliced = format!("{head}.{}", foreign.rsplit('.').next().expect("signature"));
    assert!(ours.authenticator().authenticate(&spliced).await.is_err());
}

#[tokio::test]
async fn a_rotation_by_another_process_is_noticed_and_old_tokens_stay_good() {
    let directory = tempfile::tempdir().expect("directory");
    let (issuer, path) = issuer_in(&directory, Clock::system());
    let before = issuer.issue(&principal()).expect("token").access_token;
    let key_id = rotate_signing_key(&path, &Clock::system(), false).expect("rotated");
    tokio::time::sleep(KEY_FILE_CHECK + Duration::from_millis(100)).await;
    let after = issuer.issue(&principal()).expect("token").access_token;
    assert_eq!(read_header(&after).expect("header").kid, Some(key_id));
    for token in [&before, &after] {
        assert!(issuer.authenticator().authenticate(token).await.is_ok());
    }
    issuer.rotate(true).expect("rotated");
    for token in [&before, &after] {
        assert!(issuer.authenticator().authenticate(token).await.is_err());
    }
}
