//! Our user against peers in memory that answer as they please.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

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
