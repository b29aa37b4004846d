//! PS3.7: commands, data sets, and lies about them.

use super::*;

const INVALID: AbortReason = AbortReason::InvalidPduParameterValue;
const OUT_OF_PLACE: AbortReason = AbortReason::UnexpectedPduParameter;

#[tokio::test(start_paused = true)]
async fn c_echo_again_and_again_then_release() {
    let mut peer = associated(&Memory::default()).await;
    for _ in 0..3 {
        peer.send_fragment(1, true, true, &c_echo()).await;
        assert_eq!(peer.response().await, (0, String::new()));
    }
    peer.send(&[5, 0, 0, 0, 0, 4, 0, 0, 0, 0]).await;
    assert_eq!(peer.receive().await.0, 6);
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn c_store_in_any_cut_stores_the_same_bytes() {
    let data_set: Vec<u8> = (0..5000_u16).flat_map(u16::to_le_bytes).collect();
    for (command_cut, data_cut) in [(2, 2), (10, 1000), (10_000, 16_000), (10_000, 9_998)] {
        let memory = Memory::default();
        let mut peer = associated(&memory).await;
        let command = c_store();
        for (index, piece) in command.chunks(command_cut).enumerate() {
            peer.send_fragment(3, true, (index + 1) * command_cut >= command.len(), piece).await;
        }
        for piece in data_set.chunks(data_cut) {
            peer.send_fragment(3, false, false, piece).await;
        }
        peer.send_fragment(3, false, true, &[]).await;
        assert_eq!(peer.response().await, (0, String::new()));
        assert_eq!(*memory.stored.lock().unwrap(), [(INSTANCE_UID.to_owned(), data_set.clone())]);
    }
}

#[tokio::test(start_paused = true)]
async fn several_values_in_one_pdu() {
    let memory = Memory::default();
    let mut peer = associated(&memory).await;
    let mut values = BytesMut::new();
    for (is_command, is_last, bytes) in
        [(true, true, &c_store()[..]), (false, false, b"ab"), (false, true, b"cd")]
    {
        let mut one = BytesMut::new();
        put_p_data(&mut one, 3, is_command, is_last, bytes);
        values.extend_from_slice(&one[6..]);
    }
    let mut pdu = vec![4, 0];
    pdu.extend((values.len() as u32).to_be_bytes());
    pdu.extend_from_slice(&values);
    peer.send(&pdu).await;
    assert_eq!(peer.response().await.0, 0);
    assert_eq!(memory.stored.lock().unwrap()[0].1, b"abcd");
}

#[tokio::test(start_paused = true)]
async fn a_refused_instance_is_drained_and_the_association_goes_on() {
    let memory = Memory { room: Some(100), ..Memory::default() };
    let mut peer = associated(&memory).await;
    peer.send_fragment(3, true, true, &c_store()).await;
    for _ in 0..10 {
        peer.send_fragment(3, false, false, &[0; 64]).await;
    }
    peer.send_fragment(3, false, true, &[0; 64]).await;
    assert_eq!(peer.response().await, (0xA700, "no room".into()));
    peer.send_fragment(1, true, true, &c_echo()).await;
    assert_eq!(peer.response().await.0, 0);
    peer.send_fragment(3, true, true, &c_store()).await;
    peer.send_fragment(3, false, true, &[0; 64]).await;
    assert_eq!(peer.response().await.0, 0, "the next instance has room");
    assert_eq!(memory.stored.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn commands_that_do_not_fit_are_answered() {
    let rows: &[(u8, Vec<u8>, bool, u16)] = &[
        // The class is not the context's.
        (3, command(command_field::C_STORE_RQ, "1.2.840.10008.5.1.4.1.1.2", Some("1.2")), true, 0x0122),
        (1, command(command_field::C_STORE_RQ, VERIFICATION, Some("1.2")), true, 0x0122),
        (3, command(command_field::C_ECHO_RQ, VERIFICATION, None), false, 0x0122),
        // No data set, no UID.
        (3, command(command_field::C_STORE_RQ, CR_IMAGE_STORAGE, None), false, 0x0212),
        (3, command(command_field::C_STORE_RQ, CR_IMAGE_STORAGE, Some("../x")), true, 0xC000),
        (3, command(command_field::C_STORE_RQ, CR_IMAGE_STORAGE, Some("1.2.")), true, 0xC000),
        // N-CREATE-RQ and one that does not exist.
        (1, command(0x0140, VERIFICATION, None), false, 0x0211),
        (1, command(0x0666, VERIFICATION, None), false, 0x0211),
    ];
    let memory = Memory::default();
    let mut peer = associated(&memory).await;
    for (context_id, command, has_data_set, status) in rows {
        peer.send_fragment(*context_id, true, true, command).await;
        if *has_data_set {
            peer.send_fragment(*context_id, false, true, b"data").await;
        }
        assert_eq!(peer.response().await.0, *status, "{command:?}");
    }
    assert!(memory.stored.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_not_answered() {
    let mut peer = associated(&Memory::default()).await;
    peer.send_fragment(3, true, true, &command(command_field::C_CANCEL_RQ, CR_IMAGE_STORAGE, None)).await;
    peer.send_fragment(1, true, true, &c_echo()).await;
    assert_eq!(peer.response().await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn fragments_out_of_place_are_aborted() {
    // (context, is command, is last, bytes) in order; the last one is the lie.
    type Fragment = (u8, bool, bool, Vec<u8>);
    let rows: Vec<(Vec<Fragment>, AbortReason)> = vec![
        (vec![(5, true, true, c_echo())], INVALID),
        (vec![(2, true, true, c_echo())], INVALID),
        (vec![(3, false, true, b"data".to_vec())], OUT_OF_PLACE),
        (vec![(3, true, false, c_store()), (1, true, true, c_store())], OUT_OF_PLACE),
        (vec![(3, true, false, c_store()), (3, false, true, c_store())], OUT_OF_PLACE),
        (vec![(3, true, true, c_store()), (3, true, true, c_store())], OUT_OF_PLACE),
        (vec![(3, true, true, c_store()), (1, false, true, b"data".to_vec())], OUT_OF_PLACE),
        (vec![(3, true, true, c_store()), (3, false, true, b"odd".to_vec())], INVALID),
        (vec![(3, true, true, command(0x8001, CR_IMAGE_STORAGE, None))], OUT_OF_PLACE),
        (vec![(3, true, true, b"nonsense".to_vec())], INVALID),
        (vec![(3, true, true, Vec::new())], INVALID),
    ];
    let memory = Memory::default();
    for (fragments, reason) in rows {
        let mut peer = associated(&memory).await;
        for (context_id, is_command, is_last, bytes) in fragments {
            peer.send_fragment(context_id, is_command, is_last, &bytes).await;
        }
        peer.expect_abort(reason).await;
    }
    assert!(memory.stored.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_cut_inside_a_data_set_stores_nothing() {
    let memory = Memory::default();
    for abort in [false, true] {
        let mut peer = associated(&memory).await;
        peer.send_fragment(3, true, true, &c_store()).await;
        peer.send_fragment(3, false, false, b"data").await;
        if abort {
            peer.send(&[7, 0, 0, 0, 0, 4, 0, 0, 0, 0]).await;
            peer.expect_end().await;
        }
        drop(peer);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(memory.stored.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_response_is_cut_to_what_the_peer_takes() {
    let mut peer = connect(&open(PacsConfig::default(), &Memory::default()));
    let user_variables = vec![UserVariableItem::MaxLength(16)];
    peer.request(AssociationRQ { user_variables, ..proposal() }).await;
    assert_eq!(peer.receive().await.0, 2);
    peer.send_fragment(1, true, true, &c_echo()).await;
    let mut command = BytesMut::new();
    loop {
        let (_, mut body) = peer.receive().await;
        assert!(body.len() <= 16);
        let value = split_presentation_data_value(&mut body).expect("a value");
        command.extend_from_slice(&value.fragment);
        if value.is_last {
            break;
        }
    }
    let command = CommandSet::parse(command.freeze()).expect("a command set");
    assert_eq!(command.number(element::STATUS), Some(0));
}

// threats.md row 5
#[tokio::test(start_paused = true)]
async fn what_an_ae_may_not_do_is_refused_and_recorded() {
    let there = IpAddr::from([192, 0, 2, 7]);
    // Without C-ECHO, which needs no right.
    let registered = vec![registration("CR1", there, &[AeOperation::Find])];
    let memory = Memory { registered, ..Memory::default() };
    let mut peer = connect_from(&open(PacsConfig::default(), &memory), there);
    peer.associate().await;
    let rows: [(u8, Vec<u8>, bool, u16); 5] = [
        (3, c_store(), true, 0x0124),
        (1, c_echo(), false, 0x0000),
        // C-GET-RQ, C-MOVE-RQ; C-FIND-RQ is allowed, in a context that is for it.
        (3, command(0x0010, CR_IMAGE_STORAGE, Some("1.2")), true, 0x0124),
        (3, command(0x0021, CR_IMAGE_STORAGE, Some("1.2")), true, 0x0124),
        (3, command(0x0020, CR_IMAGE_STORAGE, Some("1.2")), true, 0x0122),
    ];
    for (context_id, command, has_data_set, status) in rows {
        peer.send_fragment(context_id, true, true, &command).await;
        if has_data_set {
            peer.send_fragment(context_id, false, true, b"data").await;
        }
        assert_eq!(peer.response().await.0, status, "{command:?}");
    }
    assert!(memory.stored.lock().unwrap().is_empty());
    let refused = [AeOperation::Store, AeOperation::Get, AeOperation::Move].map(RefusedAct::Operation);
    assert_eq!(*memory.refusals.lock().unwrap(), refused);
}
