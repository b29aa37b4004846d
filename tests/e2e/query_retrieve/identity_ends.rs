//! A person who is one no more (PS3.7 D.3.3.7): what was opened for the person is over within five seconds, in the middle of a
//! retrieval, too.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{
    scu::{Reference, provider_role, user_identity},
    session::PASSWORD,
    synthetic::CR_IMAGE_STORAGE,
};

use super::{
    user_identity::{NOT_AUTHORIZED, PASSCODE, TOKEN, WORKS},
    *,
};
use crate::access::booked;

/// Within this time what is taken from a person, or from an AE, is taken from associations.
pub(super) const KNOWN_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks whether it is.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// What is known of a person or an AE is good for two seconds while an operation runs; then it is asked for again.
pub(super) const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(2_500);

/// An association for a person that can find, and get CR images; its answer confirms the identity.
fn open_for(platform: &Platform, identity: (u8, Vec<u8>)) -> Dialogue {
    let contexts = [(STUDY_FIND, IMPLICIT), (STUDY_GET, IMPLICIT), (CR_IMAGE_STORAGE, EXPLICIT)];
    let items = [identity, provider_role(CR_IMAGE_STORAGE)];
    let dialogue = Dialogue::open(platform.dicom(), "FINDSCU", &contexts, &items);
    let confirmation = [0x59, 0, 0, 2, 0, 0];
    assert!(dialogue.accept.windows(6).any(|bytes| bytes == confirmation), "not confirmed");
    dialogue
}

fn find_studies(dialogue: &mut Dialogue) -> (usize, u16) {
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, b"")]);
    dialogue.write(&Dialogue::request(C_FIND, STUDY_FIND, None, &keys));
    let (found, last) = dialogue.responses();
    (found.len(), last.status())
}

/// C-GET of a study in context 3; `between` runs after the first instance came, before it is answered.
pub(super) fn get_study(dialogue: &mut Dialogue, study: &str, mut between: impl FnMut()) -> (usize, Message) {
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, study.as_bytes())]);
    let command = [
        (0x0002, STUDY_GET.into()),
        (0x0100, C_GET.to_le_bytes().to_vec()),
        (0x0110, vec![1, 0]),
        (0x0700, vec![0, 0]),
        (0x0800, vec![0, 0]),
    ];
    dialogue.write(&Dialogue::encode(3, &command, Some(&keys)));
    let mut received = 0;
    loop {
        let message = dialogue.message();
        if message.number(0x0100) == Some(0x0001) {
            received += 1;
            if received == 1 {
                between();
            }
            dialogue.answer_store(&message, 0);
        } else if message.status() != 0xff00 {
            return (received, message);
        }
    }
}

fn within_five_seconds(what: &str, mut is_over: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_over() {
        assert!(begun.elapsed() < KNOWN_WITHIN, "{what} is not known after {:?}", begun.elapsed());
        std::thread::sleep(LOOK_PAUSE);
    }
}

// threats.md rows 42, 52
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_token_opens_its_consultation_and_ends_with_it_also_in_the_middle() {
    let platform = platform(Options::default(), &[("FINDSCU", WORKS)]).await;
    let mine = Synthetic::cr("PAT-1", 8, 8);
    let series = mine.series(4);
    store(&platform, &series);
    store(&platform, &[Synthetic::cr("PAT-2", 8, 8)]);
    let (doctor, consultation) = booked(&platform, "ada", "PAT-1").await;
    let path = format!("/consultations/{consultation}/viewer-token");
    let issue = async || {
        let issued = doctor.post_json(&path, &json!({})).await;
        issued["access_token"].as_str().expect("a token").to_owned()
    };
    let token = issue().await;
    let identity = || user_identity(TOKEN, token.as_bytes(), b"");
    let mut dialogue = open_for(&platform, identity());
    let mut getting = open_for(&platform, identity());
    assert_eq!(find_studies(&mut dialogue), (1, 0));
    let (received, last) = get_study(&mut dialogue, &mine.study_instance_uid, || {});
    assert_eq!((received, last.status()), (series.len(), 0));

    // Half of it is there when the token is taken back.
    let mut revoked = Some(doctor.request(Method::DELETE, &path).send());
    let handle = tokio::runtime::Handle::current();
    let (received, last) = tokio::task::block_in_place(|| {
        get_study(&mut getting, &mine.study_instance_uid, || {
            let answer = handle.block_on(revoked.take().expect("once")).expect("an answer");
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
            std::thread::sleep(ASKED_AGAIN_AFTER);
        })
    });
    assert!(received < series.len(), "{received} instances");
    assert_eq!(last.number(0x1022), Some((series.len() - received) as u16), "the rest has failed");
    within_five_seconds("the end of a token", || find_studies(&mut dialogue) == (0, NOT_AUTHORIZED));
    let refused = platform.audit_records("use_operation").await;
    assert!(refused.iter().any(|one| one.detail == "the user identity is not good any more"), "{refused:?}");

    let token = issue().await;
    let mut dialogue = open_for(&platform, user_identity(TOKEN, token.as_bytes(), b""));
    assert_eq!(find_studies(&mut dialogue), (1, 0));
    doctor.post_json(&format!("/consultations/{consultation}/cancel"), &json!({})).await;
    within_five_seconds("the end of a consultation", || find_studies(&mut dialogue).0 == 0);
    assert!(!platform.log().contains(&token), "a token stands in the log");
}

#[tokio::test]
async fn what_is_taken_from_an_account_is_taken_from_its_open_associations() {
    let platform = platform(Options::default(), &[("FINDSCU", WORKS)]).await;
    let run = |arguments: &[&str]| {
        let output = platform.command(arguments).output().expect("maxray runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    store(&platform, &[Synthetic::cr("P1", 8, 8)]);
    for (name, command, status) in [
        ("ann", &["user", "deactivate", "ann"][..], NOT_AUTHORIZED),
        ("ben", &["user", "password", "ben"], NOT_AUTHORIZED),
        ("cleo", &["user", "role", "cleo", "admin"], NOT_AUTHORIZED),
    ] {
        platform.add_user(name, "viewer");
        let mut dialogue = open_for(&platform, user_identity(PASSCODE, name.as_bytes(), PASSWORD.as_bytes()));
        assert_eq!(find_studies(&mut dialogue), (1, 0), "{name}");
        run(command);
        within_five_seconds(name, || find_studies(&mut dialogue) == (0, status));
        dialogue.release();
    }
    let session = platform.user("dora", "viewer").await;
    let mut dialogue = open_for(&platform, user_identity(TOKEN, session.token().as_bytes(), b""));
    assert_eq!(find_studies(&mut dialogue), (1, 0));
    run(&["user", "revoke", "dora"]);
    within_five_seconds("dora", || find_studies(&mut dialogue) == (0, NOT_AUTHORIZED));
}

// threats.md row 42
#[tokio::test]
async fn a_move_ends_in_the_middle_when_its_token_does() {
    let moves = ["--operation", "move"];
    let platform = platform(Options::default(), &[("MOVESCU", &moves)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Reference::start_busy(folder.path());
    let port = receiver.address().port().to_string();
    platform.register_ae("STORESCP", &["--call-host", "127.0.0.1", "--call-port", &port]);
    let series = Synthetic::cr("PAT-1", 8, 8).series(10);
    store(&platform, &series);
    let (doctor, consultation) = booked(&platform, "ada", "PAT-1").await;
    let path = format!("/consultations/{consultation}/viewer-token");
    let issued = doctor.post_json(&path, &json!({})).await;
    let token = issued["access_token"].as_str().expect("a token");

    let items = [user_identity(TOKEN, token.as_bytes(), b"")];
    let mut dialogue = Dialogue::open(platform.dicom(), "MOVESCU", &[(STUDY_MOVE, IMPLICIT)], &items);
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, series[0].study_instance_uid.as_bytes())]);
    dialogue.write(&Dialogue::request(C_MOVE, STUDY_MOVE, Some("STORESCP"), &keys));
    assert_eq!(dialogue.message().status(), 0xff00, "the first has arrived");
    let revoked = doctor.request(Method::DELETE, &path).send().await.expect("an answer");
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    let begun = Instant::now();
    let (_, last) = dialogue.responses();
    assert!(begun.elapsed() < KNOWN_WITHIN, "{:?}", begun.elapsed());
    let arrived = receiver.take().len();
    assert!((1..series.len()).contains(&arrived), "{arrived} instances");
    assert_eq!(last.number(0x1021), Some(arrived as u16), "completed");
    assert_eq!(last.number(0x1022), Some((series.len() - arrived) as u16), "the rest has failed");
    dialogue.release();
}
