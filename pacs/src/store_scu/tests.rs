//! Our user against peers in memory that answer as they please.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::upper_layer::pdu::{RELEASE_RQ, encode_abort};

const CR_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.1";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

fn title(text: &str) -> AeTitle {
    AeTitle::parse(text).expect("title")
}

fn proposals() -> Vec<Proposal> {
    vec![Proposal {
        sop_class_uid: SopClassUid::parse(CR_IMAGE_STORAGE).expect("uid"),
        transfer_syntax_uids: vec![TransferSyntaxUid::parse(EXPLICIT).expect("uid")],
        as_provider: false,
    }]
}

async fn request(answer: &'static [u8]) -> Result<ScuAssociation<DuplexStream>, ScuError> {
    let (ours, mut peer) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let mut request = [0; 6];
        peer.read_exact(&mut request).await.expect("a request");
        peer.write_all(answer).await.expect("answered");
        let mut rest = Vec::new();
        let _ = peer.read_to_end(&mut rest).await;
    });
    ask(ours).await
}

async fn ask(ours: DuplexStream) -> Result<ScuAssociation<DuplexStream>, ScuError> {
    ScuAssociation::request(ours, &title("A"), &title("B"), &proposals(), ScuTimeouts::default()).await
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_told_with_its_codes() {
    let result = request(&[3, 0, 0, 0, 0, 4, 0, 1, 1, 7]).await;
    assert!(matches!(result, Err(ScuError::Rejected { result: 1, source_: 1, reason: 7 })));
}

#[tokio::test(start_paused = true)]
async fn nonsense_ends_the_association() {
    for answer in [
        &[2, 0, 0, 0, 0, 0][..],
        &[2, 0, 0xff, 0xff, 0xff, 0xff],
        &[3, 0, 0, 0, 0, 2, 0, 0],
        &[4, 0, 0, 0, 0, 0],
        &[9, 0, 0, 0, 0, 0],
        &[7, 0, 0, 0, 0, 4, 0, 0, 2, 0],
    ] {
        assert!(matches!(request(answer).await, Err(ScuError::Ended(_))), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let began = Instant::now();
    assert!(matches!(request(&[]).await, Err(ScuError::Ended(End::Overdue(_)))));
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn too_much_cannot_be_proposed() {
    let (ours, _peer) = tokio::io::duplex(64);
    let many = vec![proposals().remove(0); 128];
    let result = ScuAssociation::request(ours, &title("A"), &title("B"), &many, ScuTimeouts::default()).await;
    assert!(matches!(result, Err(ScuError::Proposal)));
}

/// A whole PDU: its type and what follows the length.
async fn read_pdu(peer: &mut DuplexStream) -> (u8, Vec<u8>) {
    let mut header = [0; 6];
    peer.read_exact(&mut header).await.expect("a PDU");
    let [pdu_type, _, length @ ..] = header;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    peer.read_exact(&mut body).await.expect("its rest");
    (pdu_type, body)
}

/// A PDU of this type with four bytes, and what comes after it until the end.
async fn answered_with(peer: &mut DuplexStream, pdu_type: u8) -> Vec<u8> {
    peer.write_all(&[pdu_type, 0, 0, 0, 0, 4, 0, 1, 1, 7]).await.expect("written");
    let mut said = Vec::new();
    let _ = peer.read_to_end(&mut said).await;
    said
}

/// A-ASSOCIATE-AC: the first context is accepted; `more` are other items.
fn acceptance(more: &[u8]) -> Vec<u8> {
    let item =
        |kind: u8, content: &[u8]| [&[kind, 0][..], &(content.len() as u16).to_be_bytes(), content].concat();
    let context = [&[1, 0, 0, 0][..], &item(0x40, EXPLICIT.as_bytes())].concat();
    let body = [
        &[0, 1, 0, 0][..],
        &[b' '; 32],
        &[0; 32],
        &item(0x10, b"1.2.840.10008.3.1.1.1"),
        &item(0x21, &context),
        more,
        &item(0x50, &item(0x51, &[0, 0, 0x40, 0])),
    ]
    .concat();
    [&[2, 0][..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

/// PS3.8 9.3.1 and 9.3.3.2: a context that is rejected without a Transfer Syntax sub-item, and an item of a type that nobody knows.
#[tokio::test(start_paused = true)]
async fn what_need_not_be_in_an_acceptance_ends_no_association() {
    let (ours, mut peer) = tokio::io::duplex(1 << 16);
    let asked = tokio::spawn(ask(ours));
    assert_eq!(read_pdu(&mut peer).await.0, 1);
    let more = [0x21, 0, 0, 4, 3, 0, 3, 0, 0x60, 0, 0, 1, 0];
    peer.write_all(&acceptance(&more)).await.expect("written");
    let association = asked.await.expect("no panic").expect("an association");
    let Proposal { sop_class_uid, transfer_syntax_uids, .. } = proposals().remove(0);
    assert!(!association.accepts(&sop_class_uid, &transfer_syntax_uids[0]), "it was rejected");
}

/// Sta5 of PS3.8 table 9-10.
#[tokio::test(start_paused = true)]
async fn every_pdu_type_as_an_answer_to_the_request() {
    for pdu_type in 0..=u8::MAX {
        let (ours, mut peer) = tokio::io::duplex(1 << 16);
        let asked = tokio::spawn(ask(ours));
        assert_eq!(read_pdu(&mut peer).await.0, 1);
        let said = answered_with(&mut peer, pdu_type).await;
        let expected = match pdu_type {
            2 => encode_abort(AbortReason::InvalidPduParameterValue).to_vec(),
            3 | 7 => Vec::new(),
            1 | 4..=6 => encode_abort(AbortReason::UnexpectedPdu).to_vec(),
            _ => encode_abort(AbortReason::UnrecognizedPdu).to_vec(),
        };
        assert_eq!(said, expected, "{pdu_type}");
        drop(peer);
        assert!(asked.await.expect("no panic").is_err(), "{pdu_type}");
    }
}

/// Sta7, and Sta9 and Sta11 after a release collision.
#[tokio::test(start_paused = true)]
async fn every_pdu_type_as_an_answer_to_the_release() {
    for pdu_type in 0..=u8::MAX {
        let (ours, mut peer) = tokio::io::duplex(1 << 16);
        let asked = tokio::spawn(async move { ask(ours).await.expect("accepted").release().await });
        assert_eq!(read_pdu(&mut peer).await.0, 1);
        peer.write_all(&acceptance(&[])).await.expect("written");
        assert_eq!(read_pdu(&mut peer).await, (5, vec![0; 4]));
        if pdu_type == 5 {
            peer.write_all(&RELEASE_RQ).await.expect("written");
            assert_eq!(read_pdu(&mut peer).await, (6, vec![0; 4]), "the collision is answered");
            assert_eq!(answered_with(&mut peer, 6).await, Vec::<u8>::new());
            drop(peer);
            assert!(asked.await.expect("no panic").is_ok());
            continue;
        }
        let said = answered_with(&mut peer, pdu_type).await;
        let expected = match pdu_type {
            4 => encode_abort(AbortReason::InvalidPduParameterValue).to_vec(),
            6 | 7 => Vec::new(),
            1..=3 => encode_abort(AbortReason::UnexpectedPdu).to_vec(),
            _ => encode_abort(AbortReason::UnrecognizedPdu).to_vec(),
        };
        assert_eq!(said, expected, "{pdu_type}");
        drop(peer);
        assert_eq!(asked.await.expect("no panic").is_ok(), pdu_type == 6, "{pdu_type}");
    }
}
