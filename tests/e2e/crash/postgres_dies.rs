//! PostgreSQL dies and comes back while instances come in, and the server goes on by itself: what it acknowledged is
//! there, what it refused may be sent again. (threats.md row 61)

use std::time::Duration;

use tests::{
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    session::PASSWORD,
};

const SHAPES: &[Shape] = &[Shape { side: 64, instances: 60 }; 4];
const ROUNDS: usize = 3;
/// Acknowledgements before PostgreSQL dies.
const BEFORE: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_dies_under_load() {
    let mut platform = Platform::start(Options { fsync: true, ..Options::on(Engine::Postgres) }).await;
    platform.add_user("reader", "viewer");
    let mut loads = Vec::new();
    for round in 1..=ROUNDS {
        let mut load = Load::start(platform.dicom(), &format!("DB-{round}"), SHAPES);
        while load.ledger.len() < BEFORE && load.is_running() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        platform.cluster().expect("a cluster").crash_and_restart();
        load.wait();
        assert!(platform.is_alive(), "round {round}: the server ended\n{}", platform.log());
        for (uid, status) in load.refused() {
            // PS3.4 B.2.3 and PS3.7 C.5: out of resources, or a processing failure. Both tell the sender to try again.
            assert!(status & 0xFF00 == 0xA700 || status == 0x0110, "round {round}: {uid}: {status:04X}");
        }
        eprintln!("round {round}: {} acknowledged, {} refused", load.ledger.len(), load.refused().len());
        let reader = platform.sign_in("reader", PASSWORD).await;
        load.check_and_send_again(&reader, platform.dicom(), &format!("round {round}")).await;
        loads.push(load);
    }
    let path = platform.scratch().join("acknowledged.jsonl");
    for load in &loads {
        load.ledger.append_to(&path);
    }
    platform.assert_verified(Some(&path), "after PostgreSQL died three times");
}
