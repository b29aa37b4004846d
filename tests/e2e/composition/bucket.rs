//! The bucket goes away and comes back behind the proxy as it is delivered, with the names that Docker gives.

use std::{fs, time::Duration};

use reqwest::Client;
use tests::{
    network::Network,
    s3::Fault,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
    wait,
};

use super::house::House;

/// Nobody is turned away who needs no image, machines are told to keep theirs, and no node is started anew.
pub(super) async fn goes_away_and_comes_back(house: &House, machine: &Network, client: &Client) {
    house.bucket.fail(Fault::Forbidden);
    goes_on_by(
        house,
        machine,
        client,
        ["web~ nodes_without_storage/node", "dicom_plain dicom_without_storage/node"],
    )
    .await;
    for node in &house.nodes {
        assert!(house.is_well(node), "Docker takes a node for ill");
        let whole = node.command(&["health"]).output().expect("nsenter runs");
        assert!(!whole.status.success(), "a node does not know that its store is away");
    }
    let file = house.folder.path().join("kept.dcm");
    fs::write(&file, Synthetic::cr("PAT-3", 64, 64).part10()).expect("a file");
    let (_, said) = house.send(machine, ("storescu", &[]), 11112, &[&file]);
    assert!(said.contains("Received Store Response") && !said.contains("(Success)"), "{said}");

    house.bucket.heal();
    goes_on_by(house, machine, client, ["web~ nodes/node", "dicom_plain dicom/node"]).await;
    let (sent, said) = house.send(machine, ("storescu", &[]), 11112, &[&file]);
    assert!(sent, "{said}");
}

/// Signs in and asks for a sign of life again and again, until these backends have served it; neither may fail.
async fn goes_on_by(house: &House, machine: &Network, client: &Client, backends: [&str; 2]) {
    let since = house.proxy_log().len();
    wait::until(&format!("HAProxy to send to {backends:?}"), async || {
        Session::open(&house.url(""), client, "reader", PASSWORD).await;
        let (answered, said) = house.send(machine, ("echoscu", &[]), 11112, &[]);
        assert!(answered, "{said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let log = house.proxy_log();
        let now = log.get(since..).unwrap_or_default();
        backends.iter().all(|backend| now.contains(backend)).then_some(())
    })
    .await;
}
