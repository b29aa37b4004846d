//! IPv6 on every door: modalities call, destinations are called, people sign in.

use tests::{
    platform::{Options, Platform},
    qido,
    scu::store,
    synthetic::Synthetic,
    wait,
};

/// Every door on the loopback address of IPv6.
fn options() -> Options {
    Options::default()
        .with("MAXRAY_HTTP__LISTEN", "[::1]:0")
        .with("MAXRAY_PACS__LISTEN", "[::1]:0")
        .with("MAXRAY_PACS__ACCEPT_ANY_CALLING_AE_TITLE_FROM_LOOPBACK", "false")
        .with("MAXRAY_PACS__FORWARDING__RETRY_FIRST_MS", "200")
}

async fn instances(platform: &Platform, name: &str) -> usize {
    let reader = platform.user(name, "service").await;
    qido::rows(&reader, "/instances").await.len()
}

#[tokio::test]
async fn instances_come_and_go_over_ipv6() {
    let site = Platform::start(options()).await;
    let central = Platform::start(options()).await;
    assert!(site.dicom().is_ipv6() && site.http().is_ipv6() && central.dicom().is_ipv6());
    site.ae(&["add", "MAXRAY_TEST", "::1"]);
    central.ae(&["add", "MAXRAY", "fd00::/8", "::1/128"]);
    // Who calls from elsewhere than registered is turned away there, too.
    central.ae(&["add", "MAXRAY_TEST", "fd00::17"]);
    let port = central.dicom().port().to_string();
    site.ae(&["add", "CENTRAL", "::1", "--call-host", "::1", "--call-port", &port]);
    let there = format!("MAXRAY@{}", central.dicom());
    for target in ["CENTRAL", &there] {
        let (answered, text) = site.operate(&["echo", target]);
        assert!(answered && text.contains("answers"), "{target}: {text}");
    }
    let (answered, text) = site.operate(&["echo", &there, "--calling", "MAXRAY_TEST"]);
    assert!(!answered && text.contains("rejected"), "{text}");

    let (added, text) = site.operate(&["forward", "add", "everything", "CENTRAL"]);
    assert!(added, "{text}");
    store(&site, &Synthetic::cr("P1", 32, 32).series(3));
    assert_eq!(instances(&site, "ada").await, 3);
    let reader = central.user("reader", "service").await;
    wait::until("the instances", async || (qido::rows(&reader, "/instances").await.len() == 3).then_some(()))
        .await;
    let told = central.audit_records("associate").await;
    assert!(told.iter().any(|one| one.actor.source_address == "::1"), "{told:?}");
}
