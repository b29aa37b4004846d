//! Rotation, what a file must look like, and keys of shared secrets.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn ids(ring: &KeyRing, now: i64) -> Vec<String> {
    let jwks = ring.jwks(now);
    let keys = jwks["keys"].as_array().expect("keys");
    keys.iter().map(|key| key["kid"].as_str().expect("kid").to_owned()).collect()
}

// threats.md row 41: two live keys, the old one until its tokens have ended.
#[test]
fn a_rotation_keeps_the_old_key_until_its_tokens_have_ended() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("token-keys.json");
    let clock = Clock::system();
    let first = KeyRing::open(&path, &clock).expect("made").signing_key_id;
    let second = rotate_signing_key(&path, &clock, false).expect("rotated");
    let ring = KeyRing::open(&path, &clock).expect("read");
    let now = clock.now().timestamp();
    assert_eq!(ring.signing_key_id, second);
    assert_eq!(ids(&ring, now), [second.clone(), first.clone()]);
    assert!(ring.verifying(&first, now).is_some());
    let later = now + i64::from(TOKEN_LIFETIME_MAX_SECONDS) + 120;
    assert!(ring.verifying(&first, later).is_none());
    assert_eq!(ids(&ring, later), [second]);
    let third = rotate_signing_key(&path, &clock, true).expect("rotated");
    assert_eq!(ids(&KeyRing::open(&path, &clock).expect("read"), now), [third]);
    assert!(!ring.jwks(now).to_string().contains("\"d\""), "no private half is shown");
}

/// One node signs with the new secret while another one still has the old settings, and the other way round.
#[test]
fn nodes_with_the_same_secrets_take_each_others_tokens() {
    let [old, new] = [1, 2].map(|byte| BASE64_STANDARD.encode([byte; 32]));
    let ring = |secret: &str, other: &str| {
        let (token_secret, token_secret_other) = (secret.to_owned(), other.to_owned());
        let config = IdentityConfig { token_secret, token_secret_other, ..IdentityConfig::default() };
        KeyRing::of_secrets(&config).expect("keys")
    };
    let before = ring(&old, "");
    assert_eq!(ids(&before, 0), ids(&ring(&old, ""), 0));
    let (prepared, swapped) = (ring(&old, &new), ring(&new, &old));
    assert_eq!(prepared.signing_key_id, before.signing_key_id);
    assert_ne!(swapped.signing_key_id, before.signing_key_id);
    for (node, signed_by) in [(&prepared, &swapped), (&swapped, &prepared), (&prepared, &before)] {
        assert!(node.verifying(&signed_by.signing_key_id, i64::MAX - 1).is_some());
    }
    assert!(ring(&new, "").verifying(&before.signing_key_id, 0).is_none());
}

#[test]
fn the_file_is_private_and_must_stay_so() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("token-keys.json");
    KeyRing::open(&path, &Clock::system()).expect("made");
    assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("opened");
    assert!(matches!(KeyRing::open(&path, &Clock::system()), Err(KeyError::Open)));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
    fs::write(&path, "{}").expect("damaged");
    assert!(matches!(KeyRing::open(&path, &Clock::system()), Err(KeyError::Malformed)));
}
