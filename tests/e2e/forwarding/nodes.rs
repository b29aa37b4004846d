//! Several nodes over one database and one bucket send to one destination: each its share, and that of a node which dies.

use tests::{
    load::{Load, Shape},
    nodes::Nodes,
    platform::{Options, Platform},
};

use super::{forward, impatient, queue, register, wait};

/// Of each node's sender.
const INSTANCES: usize = 60;
const SENT: &str = "maxray_forwards_total{outcome=\"sent\"}";
/// What the destination has answered, with whichever status.
const STORED: &str = "maxray_dimse_c_store_total";

async fn two_nodes_and_a_destination() -> (Nodes, Platform) {
    let environment = impatient(Options::default()).environment;
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let nodes = Nodes::start(2, &environment).await;
    let central = Platform::start(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")).await;
    forward(nodes.node(0), &["add", "everything", "CENTRAL"]);
    (nodes, central)
}

/// Senders to both nodes at the same time.
fn send_to_both(nodes: &Nodes, side: u16) -> Vec<Load> {
    let shape = [Shape { side, instances: INSTANCES }];
    let send =
        |(number, node): (usize, &Platform)| Load::start(node.dicom(), &format!("NODE-{number}"), &shape);
    nodes.all().iter().enumerate().map(send).collect()
}

async fn everything_is_sent(node: &Platform) {
    wait::until("everything to be sent", async || (queue(node, "sent").len() == 2 * INSTANCES).then_some(()))
        .await;
}

async fn arrived(central: &Platform, loads: &[Load]) {
    let reader = central.user("reader", "service").await;
    for (number, load) in loads.iter().enumerate() {
        assert_eq!(load.ledger.len(), INSTANCES, "acknowledged by node {number}");
        load.ledger.check(&reader, &format!("at the destination, of node {number}")).await;
    }
    assert_eq!(tests::qido::rows(&reader, "/instances").await.len(), 2 * INSTANCES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_comes_to_two_nodes_is_sent_once() {
    let (nodes, central) = two_nodes_and_a_destination().await;
    register(nodes.node(0), "CENTRAL", central.dicom());
    let mut loads = send_to_both(&nodes, 64);
    loads.iter_mut().for_each(Load::wait);
    everything_is_sent(nodes.node(1)).await;
    arrived(&central, &loads).await;
    // Both looked at each event, and both take from the queue.
    assert_eq!(central.metric(STORED).await as usize, 2 * INSTANCES, "C-STOREs at the destination");
    assert_eq!(nodes.counted("maxray_forwards_total").await as usize, 2 * INSTANCES, "attempts");
}

/// kill -9 in the middle of what a node has taken: the other one takes it when the claim is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_node_that_dies_over_what_it_sends_leaves_it_to_the_other() {
    let (mut nodes, central) = two_nodes_and_a_destination().await;
    let mut loads = send_to_both(&nodes, 256);
    loads.iter_mut().for_each(Load::wait);
    // Until now it has no address, so that all of it waits.
    register(nodes.node(0), "CENTRAL", central.dicom());
    wait::until("node 0 to send", async || (nodes.node(0).metric(SENT).await >= 2.0).then_some(())).await;
    nodes.node_mut(0).kill();
    let left = queue(nodes.node(1), "pending").len();
    assert!(left > 0, "it was killed when everything had been sent");
    everything_is_sent(nodes.node(1)).await;
    arrived(&central, &loads).await;
    let again = central.metric(STORED).await as usize - 2 * INSTANCES;
    eprintln!("{left} were left at the kill, {again} arrived twice");
    // Of what the dead node had taken, one may have been on its way without the answer being written down.
    assert!(again <= 1, "{again} instances arrived twice");
    assert_eq!(queue(nodes.node(1), "dead").len(), 0);
}
