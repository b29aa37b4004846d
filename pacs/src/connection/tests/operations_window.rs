//! PS3.7 D.3.3.3: C-STOREs that are outstanding together, and never more of them than was agreed on.

use tokio::time::Instant;

use super::*;

const COMMIT_TIME: Duration = Duration::from_secs(1);

/// A peer that would like to have so many operations outstanding, and what the answer says.
async fn associated_with(memory: &Memory, invoked: Option<u16>) -> (TestPeer, Option<Vec<u8>>) {
    associated_by(memory, proposal(), invoked).await
}

/// The same with other contexts.
async fn associated_by(
    memory: &Memory,
    mut request: AssociationRQ,
    invoked: Option<u16>,
) -> (TestPeer, Option<Vec<u8>>) {
    let window = invoked.map(|invoked| [invoked.to_be_bytes(), [0, 7]].concat());
    request.user_variables.extend(window.map(|window| UserVariableItem::Unknown(0x53, window)));
    let config = PacsConfig { operations_max: 4, ..PacsConfig::default() };
    let mut peer = connect(&open(config, memory));
    peer.request(request).await;
    let Pdu::AssociationAC(answer) = peer.receive_answer().await else { panic!("no A-ASSOCIATE-AC") };
    let answered = answer.user_variables.into_iter().find_map(|item| match item {
        UserVariableItem::Unknown(0x53, window) => Some(window),
        _ => None,
    });
    (peer, answered)
}

fn slow() -> Memory {
    Memory { commit_time: COMMIT_TIME, ..Memory::default() }
}

async fn send_store(peer: &mut TestPeer, message_id: u16, sop_instance_uid: &str, data_set: &[u8]) {
    let command = CommandSetBuilder::default()
        .uid(element::AFFECTED_SOP_CLASS_UID, Some(CR_IMAGE_STORAGE))
        .number(element::COMMAND_FIELD, command_field::C_STORE_RQ)
        .number(element::MESSAGE_ID, message_id)
        .number(element::COMMAND_DATA_SET_TYPE, DATA_SET_PRESENT)
        .uid(element::AFFECTED_SOP_INSTANCE_UID, Some(sop_instance_uid))
        .build();
    peer.send_fragment(3, true, true, &command).await;
    peer.send_fragment(3, false, true, data_set).await;
}

/// Message ID Being Responded To, status and SOP instance of the next response.
async fn answered(peer: &mut TestPeer) -> (u16, u16, String) {
    let (pdu_type, mut body) =
        timeout(Duration::from_mins(1), peer.receive_patiently()).await.expect("an answer");
    assert_eq!(pdu_type, 4);
    let value = split_presentation_data_value(&mut body).expect("a value");
    let command = CommandSet::parse(value.fragment).expect("a command set");
    let number = |element| command.number(element).expect("a number");
    let instance = command.text(element::AFFECTED_SOP_INSTANCE_UID).unwrap_or_default().to_owned();
    (number(element::MESSAGE_ID_BEING_RESPONDED_TO), number(element::STATUS), instance)
}

#[tokio::test(start_paused = true)]
async fn what_is_agreed_on_is_bounded() {
    for (invoked, expected) in [(Some(2), Some(2)), (Some(9), Some(4)), (Some(0), Some(4)), (None, None)] {
        let (_, window) = associated_with(&Memory::default(), invoked).await;
        assert_eq!(window, expected.map(|agreed| vec![0, agreed, 0, 1]), "{invoked:?}");
    }
}

/// While a query runs nothing but its cancel may come: who asks for no limit, as dcm4che does, is not to take it for one.
#[tokio::test(start_paused = true)]
async fn with_a_context_for_queries_one_follows_the_other() {
    let mut request = proposal();
    request.presentation_contexts.push(PresentationContextProposed {
        id: 5,
        abstract_syntax: "1.2.840.10008.5.1.4.1.2.2.1".into(),
        transfer_syntaxes: vec![IMPLICIT.into()],
    });
    let memory = slow();
    let (mut peer, window) = associated_by(&memory, request, Some(0)).await;
    assert_eq!(window, Some(vec![0, 1, 0, 1]));
    for id in 1..=2 {
        send_store(&mut peer, id, &format!("1.2.{id}"), b"abcd").await;
    }
    for id in 1..=2 {
        assert_eq!(answered(&mut peer).await.0, id);
    }
    assert_eq!(memory.commits.lock().unwrap().1, 1);
}

#[tokio::test(start_paused = true)]
async fn instances_become_durable_while_the_next_ones_come() {
    let memory = slow();
    let (mut peer, _) = associated_with(&memory, Some(4)).await;
    let began = Instant::now();
    for id in 1..=4 {
        send_store(&mut peer, id, &format!("1.2.{id}"), b"abcd").await;
    }
    let mut ids = Vec::new();
    for _ in 1..=4 {
        let (id, status, instance) = answered(&mut peer).await;
        assert_eq!((status, instance), (0, format!("1.2.{id}")));
        ids.push(id);
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4]);
    assert!(began.elapsed() < 2 * COMMIT_TIME, "{:?}", began.elapsed());
    assert_eq!(memory.commits.lock().unwrap().1, 4);
}

#[tokio::test(start_paused = true)]
async fn without_a_window_one_follows_the_other() {
    for invoked in [None, Some(1)] {
        let memory = slow();
        let (mut peer, _) = associated_with(&memory, invoked).await;
        for id in 1..=3 {
            send_store(&mut peer, id, &format!("1.2.{id}"), b"abcd").await;
        }
        for id in 1..=3 {
            assert_eq!(answered(&mut peer).await, (id, 0, format!("1.2.{id}")));
        }
        assert_eq!(memory.commits.lock().unwrap().1, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_more_than_was_agreed_on_waits() {
    let memory = slow();
    let (mut peer, _) = associated_with(&memory, Some(2)).await;
    for id in 1..=9 {
        send_store(&mut peer, id, &format!("1.2.{id}"), b"abcd").await;
    }
    for _ in 1..=9 {
        assert_eq!(answered(&mut peer).await.1, 0);
    }
    assert_eq!((memory.commits.lock().unwrap().1, memory.stored.lock().unwrap().len()), (2, 9));
}

#[tokio::test(start_paused = true)]
async fn the_same_instance_is_stored_in_the_order_in_which_it_came() {
    let memory = slow();
    let (mut peer, _) = associated_with(&memory, Some(4)).await;
    for (id, data_set) in [(1, b"one."), (2, b"two."), (3, b"last")] {
        send_store(&mut peer, id, INSTANCE_UID, data_set).await;
    }
    for id in 1..=3 {
        assert_eq!(answered(&mut peer).await.0, id);
    }
    let stored: Vec<Vec<u8>> = memory.stored.lock().unwrap().iter().map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(stored, [b"one.", b"two.", b"last"]);
}

#[tokio::test(start_paused = true)]
async fn other_operations_and_release_wait_for_what_is_outstanding() {
    let memory = slow();
    let (mut peer, _) = associated_with(&memory, Some(4)).await;
    send_store(&mut peer, 1, "1.2.1", b"abcd").await;
    peer.send_fragment(1, true, true, &c_echo()).await;
    send_store(&mut peer, 2, "1.2.2", b"abcd").await;
    peer.send(&[5, 0, 0, 0, 0, 4, 0, 0, 0, 0]).await;
    let order = [answered(&mut peer).await.0, answered(&mut peer).await.0, answered(&mut peer).await.0];
    assert_eq!(order, [1, 7, 2], "7 is the echo");
    let (pdu_type, _) = timeout(Duration::from_mins(1), peer.receive_patiently()).await.expect("a PDU");
    assert_eq!((pdu_type, memory.stored.lock().unwrap().len()), (6, 2));
}

#[tokio::test(start_paused = true)]
async fn what_has_come_is_stored_though_its_sender_is_gone() {
    let memory = slow();
    let (mut peer, _) = associated_with(&memory, Some(4)).await;
    for id in 1..=3 {
        send_store(&mut peer, id, &format!("1.2.{id}"), b"abcd").await;
    }
    tokio::time::sleep(COMMIT_TIME / 2).await;
    drop(peer);
    tokio::time::sleep(2 * COMMIT_TIME).await;
    assert_eq!(memory.stored.lock().unwrap().len(), 3);
}
