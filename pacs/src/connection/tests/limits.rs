//! Time and number: peers that trickle, repeat without end, or come in crowds.

use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends_with_artim() {
    let mut peer = connect(&open(PacsConfig::default(), &Memory::default()));
    peer.send(&[1, 0, 0, 0, 0x10, 0]).await;
    let began = Instant::now();
    let mut rest = Vec::new();
    peer.stream.read_to_end(&mut rest).await.expect("closed");
    assert_eq!((rest.len(), began.elapsed()), (0, Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn an_idle_association_is_aborted() {
    let mut peer = associated(&Memory::default()).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(59)).await;
        peer.send_fragment(1, true, true, &c_echo()).await;
        assert_eq!(peer.response().await.0, 0);
    }
    let began = Instant::now();
    let (pdu_type, body) = peer.receive_patiently().await;
    assert_eq!((pdu_type, &body[..]), (7, &[0, 0, 2, 0][..]));
    assert_eq!(began.elapsed(), Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn a_trickling_data_set_is_aborted() {
    let memory = Memory::default();
    let peer = associated(&memory).await;
    let (mut reader, mut writer) = tokio::io::split(peer.stream);
    let began = Instant::now();
    tokio::spawn(async move {
        let mut bytes = BytesMut::new();
        put_p_data(&mut bytes, 3, true, true, &c_store());
        put_p_data(&mut bytes, 3, false, false, &[0; 10_000]);
        for byte in bytes {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let mut answer = [0; 10];
    reader.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(answer, [7, 0, 0, 0, 0, 4, 0, 0, 2, 0]);
    assert!(began.elapsed() <= Duration::from_mins(1), "{:?}", began.elapsed());
    assert!(memory.stored.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_commit_is_not_the_peers_fault() {
    let memory = Memory { commit_time: Duration::from_mins(5), ..Memory::default() };
    let mut peer = associated(&memory).await;
    peer.send_fragment(3, true, true, &c_store()).await;
    peer.send_fragment(3, false, true, b"data").await;
    assert_eq!(peer.receive_patiently().await.0, 4);
    peer.send_fragment(1, true, true, &c_echo()).await;
    assert_eq!(peer.response().await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn empty_fragments_are_counted() {
    for (count, aborted) in [(1000, false), (1001, true)] {
        let mut peer = associated(&Memory::default()).await;
        peer.send_fragment(3, true, true, &c_store()).await;
        for _ in 0..count {
            peer.send_fragment(3, false, false, &[]).await;
        }
        if aborted {
            peer.expect_abort(AbortReason::InvalidPduParameterValue).await;
        } else {
            peer.send_fragment(3, false, true, b"data").await;
            assert_eq!(peer.response().await.0, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn empty_pdus_are_counted() {
    let mut peer = associated(&Memory::default()).await;
    peer.send(&[4, 0, 0, 0, 0, 0].repeat(1001)).await;
    peer.expect_abort(AbortReason::InvalidPduParameterValue).await;
}

#[tokio::test(start_paused = true)]
async fn a_command_in_too_many_pieces_or_too_long_is_aborted() {
    let mut peer = associated(&Memory::default()).await;
    for _ in 0..1001 {
        peer.send_fragment(3, true, false, &[0; 2]).await;
    }
    peer.expect_abort(AbortReason::InvalidPduParameterValue).await;
    let mut peer = associated(&Memory::default()).await;
    for _ in 0..5 {
        peer.send_fragment(3, true, false, &[0; 16_000]).await;
    }
    peer.expect_abort(AbortReason::InvalidPduParameterValue).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_data_set_without_end_is_aborted() {
    let mut peer = associated(&Memory { room: Some(10), ..Memory::default() }).await;
    peer.send_fragment(3, true, true, &c_store()).await;
    for _ in 0..12 {
        peer.send_fragment(3, false, false, &[0; 1000]).await;
    }
    peer.expect_abort(AbortReason::NotSpecified).await;
}

#[tokio::test(start_paused = true)]
async fn associations_beyond_the_limit_are_turned_away_for_now() {
    let memory = Memory::default();
    let door = open(PacsConfig { associations_per_ae_max: 2, ..PacsConfig::default() }, &memory);
    let (mut first, mut second, mut third) = (connect(&door), connect(&door), connect(&door));
    first.associate().await;
    second.associate().await;
    third.request(proposal()).await;
    third.expect_rejection([2, 3, 2]).await;
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;
    connect(&door).associate().await;
}
