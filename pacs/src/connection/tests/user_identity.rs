//! PS3.7 D.3.3.7: who is proved, who is not, and who is not even asked.

use super::*;

/// A request of somebody who says something of itself, and wants to hear that it was believed.
fn saying(identity_type: u8, primary: &[u8], secondary: &[u8]) -> AssociationRQ {
    let length = |field: &[u8]| (field.len() as u16).to_be_bytes();
    let content =
        [&[identity_type, 1], &length(primary)[..], primary, &length(secondary), secondary].concat();
    let mut request = proposal();
    request.user_variables.push(UserVariableItem::Unknown(0x58, content));
    request
}

fn confirms(answer: Pdu) -> bool {
    match answer {
        Pdu::AssociationAC(answer) => {
            answer.user_variables.contains(&UserVariableItem::Unknown(0x59, vec![0, 0]))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_proved_is_confirmed_and_a_name_alone_is_not() {
    let door = open(PacsConfig::default(), &Memory::default());
    for (request, confirmed) in [
        (saying(2, b"ann", b"right"), true),
        (saying(5, b"right", b""), true),
        (saying(1, b"ann", b""), false),
        (saying(3, b"a ticket", b""), false),
        (saying(4, b"an assertion", b""), false),
        (proposal(), false),
    ] {
        let mut peer = connect(&door);
        peer.request(request).await;
        assert_eq!(confirms(peer.receive_answer().await), confirmed);
        peer.send_fragment(1, true, true, &c_echo()).await;
        assert_eq!(peer.response().await.0, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_proved_is_rejected_told_and_recorded() {
    let memory = Memory::default();
    let door = open(PacsConfig::default(), &memory);
    for request in [saying(2, b"ann", b"wrong"), saying(5, b"wrong", b""), saying(2, b"\xff", b"right")] {
        let mut peer = connect(&door);
        peer.request(request).await;
        peer.expect_rejection([1, 2, 1]).await;
    }
    let refused = RefusedAct::Association(Denied::IdentityNotProved);
    assert_eq!(*memory.refusals.lock().unwrap(), [refused; 3]);
    assert_eq!(*memory.alarms.lock().unwrap(), [IpAddr::from([127, 0, 0, 1])]);
}

// threats.md rows 1, 4
#[tokio::test(start_paused = true)]
async fn a_secret_in_the_clear_is_not_looked_at_and_a_stranger_is_not_asked() {
    let elsewhere = IpAddr::from([192, 0, 2, 7]);
    let registered = vec![registration("CR1", elsewhere, &[AeOperation::Echo])];
    let memory = Memory { registered, ..Memory::default() };
    let door = open(PacsConfig::default(), &memory);
    for request in [saying(2, b"ann", b"right"), saying(5, b"right", b"")] {
        let mut peer = connect_from(&door, elsewhere);
        peer.request(request).await;
        peer.expect_rejection([1, 2, 1]).await;
    }
    let mut stranger = connect_from(&door, IpAddr::from([192, 0, 2, 8]));
    stranger.request(saying(2, b"ann", b"right")).await;
    stranger.expect_rejection([1, 1, 3]).await;
    let refused = [Denied::IdentityInTheClear, Denied::IdentityInTheClear, Denied::Address]
        .map(RefusedAct::Association);
    assert_eq!(*memory.refusals.lock().unwrap(), refused);
    let door = open(PacsConfig { insecure: true, ..PacsConfig::default() }, &memory);
    let mut peer = connect_from(&door, elsewhere);
    peer.request(saying(2, b"ann", b"right")).await;
    assert!(confirms(peer.receive_answer().await));
}

// threats.md row 12
#[tokio::test(start_paused = true)]
async fn a_broken_identity_ends_the_request() {
    let door = open(PacsConfig::default(), &Memory::default());
    let mut twice = saying(2, b"ann", b"right");
    twice.user_variables.extend(saying(2, b"ann", b"right").user_variables.pop());
    let mut cut = proposal();
    cut.user_variables.push(UserVariableItem::Unknown(0x58, b"\x02\x01\x00\x40ann".to_vec()));
    for request in [twice, cut] {
        let mut peer = connect(&door);
        peer.request(request).await;
        peer.expect_abort(AbortReason::InvalidPduParameterValue).await;
    }
}
