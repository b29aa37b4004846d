//! PS3.8 9.2: PDUs out of place, broken association requests, rejections.

use super::*;

const UNEXPECTED: AbortReason = AbortReason::UnexpectedPdu;
const UNRECOGNIZED: AbortReason = AbortReason::UnrecognizedPdu;
const INVALID: AbortReason = AbortReason::InvalidPduParameterValue;

fn pdu(pdu_type: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![pdu_type, 0];
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

#[tokio::test(start_paused = true)]
async fn every_pdu_type_before_the_association() {
    let door = open(PacsConfig::default(), &Memory::default());
    for pdu_type in 0..=u8::MAX {
        let mut peer = connect(&door);
        peer.send(&pdu(pdu_type, &[0; 4])).await;
        match pdu_type {
            1 => peer.expect_abort(INVALID).await,
            2..=6 => peer.expect_abort(UNEXPECTED).await,
            7 => peer.expect_end().await,
            _ => peer.expect_abort(UNRECOGNIZED).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_pdu_type_in_an_association() {
    for pdu_type in 0..=u8::MAX {
        let mut peer = associated(&Memory::default()).await;
        peer.send(&pdu(pdu_type, &[0; 4])).await;
        match pdu_type {
            1..=3 | 6 => peer.expect_abort(UNEXPECTED).await,
            4 => peer.expect_abort(INVALID).await,
            5 => {
                assert_eq!(peer.receive().await.0, 6, "A-RELEASE-RP");
                peer.expect_end().await;
            }
            7 => peer.expect_end().await,
            _ => peer.expect_abort(UNRECOGNIZED).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_inside_a_message_is_out_of_place() {
    let memory = Memory::default();
    for after_command in [false, true] {
        let mut peer = associated(&memory).await;
        peer.send_fragment(3, true, after_command, &c_store()).await;
        peer.send(&pdu(5, &[0; 4])).await;
        peer.expect_abort(UNEXPECTED).await;
    }
    assert!(memory.stored.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn lengths_that_lie_are_aborted_at_once() {
    let door = open(PacsConfig::default(), &Memory::default());
    for length in [256 * 1024 + 1, 100_000_000, 1 << 31, u32::MAX] {
        let mut peer = connect(&door);
        peer.send(&[&[1, 0][..], &u32::to_be_bytes(length)].concat()).await;
        peer.expect_abort(INVALID).await;
    }
    let max = PacsConfig::default().pdu_length_max_bytes + crate::upper_layer::PDU_LENGTH_SLACK_BYTES;
    for (pdu_type, length) in [(4, max + 1), (4, u32::MAX), (5, 5), (5, 0), (5, u32::MAX)] {
        let mut peer = associated(&Memory::default()).await;
        peer.send(&[&[pdu_type, 0][..], &length.to_be_bytes()].concat()).await;
        peer.expect_abort(INVALID).await;
    }
    let mut peer = associated(&Memory::default()).await;
    peer.send(&[&[4, 0][..], &max.to_be_bytes()].concat()).await;
    let nothing = timeout(Duration::from_secs(1), peer.receive_patiently()).await;
    assert!(nothing.is_err(), "a PDU of the longest length is waited for");
}

#[tokio::test(start_paused = true)]
async fn rejections_name_the_reason() {
    type Change = fn(&mut AssociationRQ);
    let door =
        open(PacsConfig { accept_any_called_ae_title: false, ..PacsConfig::default() }, &Memory::default());
    let rows: [(Change, [u8; 3]); 4] = [
        (|request| request.protocol_version = 2, [1, 2, 2]),
        (|request| request.application_context_name = "1.2.3".into(), [1, 1, 2]),
        (|request| request.called_ae_title = "OTHER".into(), [1, 1, 7]),
        (|request| request.presentation_contexts.clear(), [1, 1, 1]),
    ];
    for (change, codes) in rows {
        let mut peer = connect(&door);
        let mut request = proposal();
        change(&mut request);
        peer.request(request).await;
        peer.expect_rejection(codes).await;
    }
}

#[tokio::test(start_paused = true)]
async fn titles_that_are_none_are_not_recognized() {
    let door = open(PacsConfig::default(), &Memory::default());
    for title in [[b' '; 16], [0; 16], [0xff; 16], *b"AB\r\nAssociation ", *b"..\\..\\etc\\passwd"] {
        for (at, codes) in [(10, [1, 1, 7]), (26, [1, 1, 3])] {
            let mut bytes = Vec::new();
            write_pdu(&mut bytes, &Pdu::AssociationRQ(proposal())).expect("encoded");
            bytes[at..at + 16].copy_from_slice(&title);
            let mut peer = connect(&door);
            peer.send(&bytes).await;
            peer.expect_rejection(codes).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn from_elsewhere_only_registered_titles() {
    let there = IpAddr::from([192, 0, 2, 7]);
    let registered = vec![registration("CR1", there, &[AeOperation::Echo, AeOperation::Store])];
    let memory = Memory { registered, ..Memory::default() };
    let door = open(PacsConfig::default(), &memory);
    connect_from(&door, there).associate().await;
    let elsewhere = IpAddr::from([192, 0, 2, 8]);
    for _ in 0..4 {
        let mut peer = connect_from(&door, elsewhere);
        peer.request(proposal()).await;
        peer.expect_rejection([1, 1, 3]).await;
    }
    let mut peer = connect_from(&door, there);
    peer.request(AssociationRQ { calling_ae_title: "CR2".into(), ..proposal() }).await;
    peer.expect_rejection([1, 1, 3]).await;
    let mut expected = vec![RefusedAct::Association(Denied::Address); 4];
    expected.push(RefusedAct::Association(Denied::UnknownTitle));
    assert_eq!(*memory.refusals.lock().unwrap(), expected);
    assert_eq!(*memory.alarms.lock().unwrap(), [elsewhere], "one alarm, at the third refusal");

    let strict = PacsConfig { accept_any_calling_ae_title_from_loopback: false, ..PacsConfig::default() };
    let mut peer = connect(&open(strict, &memory));
    peer.request(proposal()).await;
    peer.expect_rejection([1, 1, 3]).await;
}

// threats.md row 1
#[tokio::test(start_paused = true)]
async fn a_flood_of_refusals_is_counted_and_told() {
    let memory = Memory::default();
    let door = open(PacsConfig::default(), &memory);
    let knock = async |title: &str, times: usize| {
        for _ in 0..times {
            let mut peer = connect_from(&door, IpAddr::from([192, 0, 2, 8]));
            peer.request(AssociationRQ { calling_ae_title: title.into(), ..proposal() }).await;
            peer.expect_rejection([1, 1, 3]).await;
        }
    };
    let told = || (memory.refusals.lock().unwrap().len(), memory.counted.lock().unwrap().clone());
    let unknown = Denied::UnknownTitle.as_str();
    knock("CR1", 14).await;
    knock("CR2", 1).await;
    assert_eq!(told(), (11, Vec::new()));
    tokio::time::sleep(Duration::from_secs(61)).await;
    let first = format!("CR1 {unknown}: 4 more within a minute");
    assert_eq!(told(), (11, vec![first.clone()]));
    // What is counted is told before the end.
    knock("CR1", 12).await;
    door.stopping.cancel();
    door.records_due.close();
    door.records_due.wait().await;
    assert_eq!(told(), (21, vec![first, format!("CR1 {unknown}: 2 more within a minute")]));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_let_in_without_a_record() {
    let memory = Memory { audit_is_down: true, ..Memory::default() };
    let mut peer = connect(&open(PacsConfig::default(), &memory));
    peer.request(proposal()).await;
    peer.expect_rejection([2, 3, 1]).await;
}

#[tokio::test(start_paused = true)]
async fn broken_requests_are_aborted() {
    let door = open(PacsConfig::default(), &Memory::default());
    let rows: [fn(&mut AssociationRQ); 4] = [
        |request| request.presentation_contexts[0].id = 2,
        |request| request.presentation_contexts[0].id = 0,
        |request| request.presentation_contexts[0].id = 3,
        |request| request.user_variables = vec![UserVariableItem::MaxLength(7)],
    ];
    for change in rows {
        let mut peer = connect(&door);
        let mut request = proposal();
        change(&mut request);
        peer.request(request).await;
        peer.expect_abort(INVALID).await;
    }
}

#[tokio::test(start_paused = true)]
async fn any_cut_or_flip_of_a_request_is_survived() {
    let mut whole = Vec::new();
    write_pdu(&mut whole, &Pdu::AssociationRQ(proposal())).expect("encoded");
    let door = open(PacsConfig::default(), &Memory::default());
    for at in 6..whole.len() {
        let mut peer = connect(&door);
        peer.send(&pdu(1, &whole[6..at])).await;
        assert!(matches!(peer.receive().await.0, 2 | 3 | 7), "cut at {at}");
        for value in [0, 1, 0x7f, 0xff] {
            let mut flipped = whole.clone();
            flipped[at] = value;
            let mut peer = connect(&door);
            peer.send(&flipped).await;
            assert!(matches!(peer.receive().await.0, 2 | 3 | 7), "{value:#x} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_items_are_passed_over() {
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, &Pdu::AssociationRQ(proposal())).expect("encoded");
    bytes.extend([0x99, 0, 0, 3, 1, 2, 3]);
    let length = (bytes.len() - 6) as u32;
    bytes[2..6].copy_from_slice(&length.to_be_bytes());
    let mut peer = connect(&open(PacsConfig::default(), &Memory::default()));
    peer.send(&bytes).await;
    let Pdu::AssociationAC(answer) = peer.receive_answer().await else { panic!("accepted") };
    assert_eq!(answer.presentation_contexts.len(), 2);
    assert_eq!(answer.presentation_contexts[1].transfer_syntax, EXPLICIT);
}
