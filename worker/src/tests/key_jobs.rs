//! What jobs on keys replaced goes while they go on.

use std::collections::HashSet;

use archive::Archive;
use database::{AuditActor, KeyJobKind, KeyJobState};
use futures_util::TryStreamExt as _;
use model::clock::Clock;
use object_storage::{KeysConfig, ObjectKey};
use rendering::wire::handle_request;

use super::{EXPLICIT, Kit, data_set};

/// More than are sealed anew between two looks for what may go.
const INSTANCES: usize = 200;

async fn objects(archive: &Archive) -> HashSet<ObjectKey> {
    archive.storage().list().try_collect().await.expect("a list")
}

#[tokio::test]
async fn what_a_job_replaced_goes_before_its_end() {
    let keys = KeysConfig { rotation_grace_ms: 1, ..KeysConfig::default() };
    let mut kit = Kit::open_with(handle_request, Clock::system(), keys).await;
    kit.state.config.poll_interval_ms = 5;
    for number in 0..INSTANCES {
        let sop = format!("1.2.3.4.{number}");
        kit.store(&sop, EXPLICIT, data_set(&sop, 8, 8, None)).await;
    }
    let archive = kit.state.archive.clone();
    let before = objects(&archive).await;
    let actor = AuditActor::default();
    let job = archive.database().create_key_job(KeyJobKind::RotateAllPatients, None, &actor).await;
    let job = job.expect("a job");
    kit.while_running(async {
        while before.is_subset(&objects(&archive).await) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The worker was stopped as soon as something was gone: the rest was still to be done.
    let job = archive.database().key_job(job).await.expect("an answer").expect("the job");
    assert_eq!(job.state, KeyJobState::Open, "nothing went before its end");
}
