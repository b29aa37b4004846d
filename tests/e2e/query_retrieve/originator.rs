//! PS3.7 9.1.1.1: a C-STORE sub-operation of C-MOVE says who asked for it; no other C-STORE does.

use std::{net::TcpStream, path::Path, thread};

use serde_json::{Value, json};
use tests::{operator::free_port, python, scu::provider_role, synthetic::CR_IMAGE_STORAGE, wait};

use super::*;

const MOVE_ORIGINATOR_APPLICATION_ENTITY_TITLE: u16 = 0x1030;
const MOVE_ORIGINATOR_MESSAGE_ID: u16 = 0x1031;

/// How long pynetdicom waits for what is sent to it, on a busy machine.
const PATIENCE_SECONDS: &str = "90";

/// C-MOVE of a study by a message with this ID: the last response.
fn move_study(platform: &Platform, calling: &str, message_id: u16, study: &str) -> Message {
    let mut dialogue = Dialogue::open(platform.dicom(), calling, &[(STUDY_MOVE, IMPLICIT)], &[]);
    let command = [
        (0x0002, STUDY_MOVE.into()),
        (0x0100, C_MOVE.to_le_bytes().to_vec()),
        (0x0110, message_id.to_le_bytes().to_vec()),
        (0x0600, b"STORESCP".to_vec()),
        (0x0700, vec![0, 0]),
        (0x0800, vec![0, 0]),
    ];
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, study.as_bytes())]);
    dialogue.write(&Dialogue::encode(1, &command, Some(&keys)));
    let (_, last) = dialogue.responses();
    dialogue.release();
    last
}

#[tokio::test]
async fn the_destination_hears_who_asked_for_a_move_and_by_which_message() {
    let aes: &[(&str, &[&str])] = &[("MOVESCU", RETRIEVES), ("WORKSTATION_2", RETRIEVES)];
    let platform = platform(Options::default(), aes).await;
    let port = free_port();
    let listens = port.to_string();
    platform.register_ae("STORESCP", &["--call-host", "127.0.0.1", "--call-port", &listens]);
    let (first, second, third) =
        (Synthetic::cr("P1", 8, 8).series(2), Synthetic::cr("P2", 8, 8), Synthetic::cr("P3", 8, 8));
    store(&platform, &[&first[..], std::slice::from_ref(&second)].concat());

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/storage_scp.py");
    let receiver =
        thread::spawn(move || python::run(&script, &[&listens, "STORESCP", "4", PATIENCE_SECONDS]));
    wait::until("pynetdicom to listen", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
    for (calling, message_id, study, sent) in [
        ("MOVESCU", 0x0207, &first[0].study_instance_uid, 2),
        ("WORKSTATION_2", 1, &second.study_instance_uid, 1),
    ] {
        let last = move_study(&platform, calling, message_id, study);
        assert_eq!((last.status(), last.number(0x1021)), (0, Some(sent)), "{calling}");
        assert_eq!(last.number(0x0120), Some(message_id), "Message ID Being Responded To");
    }
    // What a rule sends on nobody has asked for.
    let (added, text) = platform.operate(&["forward", "add", "everything", "STORESCP"]);
    assert!(added, "{text}");
    store(&platform, std::slice::from_ref(&third));

    let said = receiver.join().expect("pynetdicom hears of each instance");
    let said: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let sent = |instance: &Synthetic, originator: Value, message: Value| {
        json!({
            "calling": "MAXRAY", "instance": instance.sop_instance_uid, "originator": originator, "message": message,
        })
    };
    let expected = [
        sent(&first[0], json!("MOVESCU"), json!(0x0207)),
        sent(&first[1], json!("MOVESCU"), json!(0x0207)),
        sent(&second, json!("WORKSTATION_2"), json!(1)),
        sent(&third, Value::Null, Value::Null),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn what_is_sent_back_by_c_get_names_no_originator() {
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    let one = Synthetic::cr("P1", 8, 8);
    store(&platform, std::slice::from_ref(&one));
    let contexts = [(STUDY_GET, IMPLICIT), (CR_IMAGE_STORAGE, EXPLICIT)];
    let roles = [provider_role(CR_IMAGE_STORAGE)];
    let mut dialogue = Dialogue::open(platform.dicom(), "GETSCU", &contexts, &roles);
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, one.study_instance_uid.as_bytes())]);
    dialogue.write(&Dialogue::request(C_GET, STUDY_GET, None, &keys));
    let request = dialogue.message();
    assert_eq!(request.number(0x0100), Some(0x0001), "C-STORE-RQ");
    for element in [MOVE_ORIGINATOR_APPLICATION_ENTITY_TITLE, MOVE_ORIGINATOR_MESSAGE_ID] {
        assert_eq!(request.value(element), None, "{element:04x}");
    }
    dialogue.answer_store(&request, 0);
    assert_eq!(dialogue.responses().1.status(), 0);
    dialogue.release();
}
