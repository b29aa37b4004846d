//! How associations end when the server stops.

use super::*;

#[tokio::test(start_paused = true)]
async fn idle_associations_are_aborted_and_running_ones_finish() {
    let memory = Memory { commit_time: Duration::from_secs(5), ..Memory::default() };
    let door = open(PacsConfig::default(), &memory);
    let (mut idle, mut busy) = (connect(&door), connect(&door));
    idle.associate().await;
    busy.associate().await;
    busy.send_fragment(3, true, true, &c_store()).await;
    busy.send_fragment(3, false, false, b"da").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    door.stopping.cancel();
    idle.expect_abort(AbortReason::NotSpecified).await;
    busy.send_fragment(3, false, true, b"ta").await;
    assert_eq!(busy.receive_patiently().await.0, 4, "the response");
    busy.expect_abort(AbortReason::NotSpecified).await;
    assert_eq!(memory.stored.lock().unwrap().len(), 1);
    let mut late = connect(&door);
    late.request(proposal()).await;
    late.expect_rejection([2, 3, 1]).await;
}

#[tokio::test(start_paused = true)]
async fn operations_that_do_not_end_are_aborted() {
    let memory = Memory::default();
    let door = open(PacsConfig::default(), &memory);
    let mut peer = connect(&door);
    peer.associate().await;
    peer.send_fragment(3, true, true, &c_store()).await;
    peer.send_fragment(3, false, false, b"data").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    door.stopping.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    door.killed.cancel();
    peer.expect_abort(AbortReason::NotSpecified).await;
    assert!(memory.stored.lock().unwrap().is_empty());
}
