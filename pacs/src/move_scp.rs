//! PS3.4 C.4.2 and PS3.7 9.3.4, C-MOVE: instances go to a registered destination, over an association of our own.

use std::{pin::pin, sync::Arc, time::Duration};

use database::StoredInstance;
use model::{
    AeTitle,
    ae::{Ae, AeOperation},
};
use tokio::time::sleep;

use crate::{
    association::Association,
    backend::Backend,
    caller::Place,
    destination::Destination,
    dimse::{
        command_set::{CommandSet, element},
        status,
    },
    query_retrieve::{
        cancel::{self, Cancel},
        lookup::Looked,
        response::{Asked, Refused},
    },
    retrieve::{self, sub_operations::SubOperations},
    store_scu::Originator,
    upper_layer::{End, framing::Transport, negotiation::PresentationContext},
};

/// Between two pending responses while a destination has no place: workstations give up after some minutes of silence.
const WAITING_TOLD_EVERY: Duration = Duration::from_secs(10);

/// Answers a C-MOVE-RQ.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    let asked = Asked::of(context, command)?;
    metrics::counter!("maxray_dimse_c_move_total").increment(1);
    let Some(instances) = retrieve::begin(association, asked, AeOperation::Move).await? else {
        return Ok(());
    };
    let Some(ae) = find_destination(association, asked).await? else { return Ok(()) };
    let title = ae.title.clone();
    let mut sub_operations = SubOperations::new(instances.iter().map(|one| &one.study_instance_uid));
    if !retrieve::record(association, asked, &sub_operations, Some(title.as_str())).await? {
        return Ok(());
    }
    let message_id = asked.message_id;
    let originator = Originator { ae_title: association.peer.calling_ae_title.clone(), message_id };
    let moved = send_each(association, asked, (&ae, originator), &instances, &mut sub_operations).await;
    retrieve::finish(association, asked, &sub_operations, Some(title.as_str()), moved).await
}

/// True: cancelled before the last one.
async fn send_each<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    (ae, originator): (&Ae, Originator),
    instances: &[StoredInstance],
    sub_operations: &mut SubOperations,
) -> Result<bool, End> {
    let door = association.door;
    let mut cancel = Cancel::of(asked.message_id);
    let place = door.caller.place(&ae.title);
    let Some(place) = wait_for(place, association, asked, (&mut cancel, sub_operations)).await? else {
        return Ok(true);
    };
    let mut destination = Destination::new(ae, place, Some(originator), instances);
    let backend = Arc::clone(&association.backend);
    let sent = async {
        for (index, instance) in instances.iter().enumerate() {
            if cancel.is_requested(association.upper_layer).await? {
                return Ok(true);
            }
            if !association.may_go_on_with(AeOperation::Move, &instance.study_instance_uid).await {
                sub_operations.fail(&instances[index..]);
                return Ok(false);
            }
            let outcome = destination.send(&backend, &instances[index..]).await;
            sub_operations.note(outcome, &instance.study_instance_uid, &instance.sop_instance_uid);
            if sub_operations.counts.remaining > 0 {
                asked.respond(association, &sub_operations.pending(), None).await?;
            }
        }
        Ok(false)
    }
    .await;
    destination.release().await;
    sent
}

/// The place, once there is one; meanwhile the requestor hears that its request is not forgotten. `None`: it is cancelled.
async fn wait_for<'a, S: Transport, B: Backend>(
    place: impl Future<Output = Place<'a>>,
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    (cancel, sub_operations): (&mut Cancel, &SubOperations),
) -> Result<Option<Place<'a>>, End> {
    let mut place = pin!(place);
    loop {
        tokio::select! {
            biased;
            place = &mut place => return Ok(Some(place)),
            indication = cancel::anything(association.upper_layer) => {
                cancel.take(association.upper_layer, indication?).await?;
                if cancel.requested {
                    return Ok(None);
                }
            }
            () = sleep(WAITING_TOLD_EVERY) => {
                asked.respond(association, &sub_operations.pending(), None).await?;
            }
        }
    }
}

/// The registration of the Move Destination. `None`: there is none, and the request has its answer already.
async fn find_destination<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
) -> Result<Option<Ae>, End> {
    let backend = Arc::clone(&association.backend);
    let Ok(registry) = backend.registry().await else {
        let comment = "the registry cannot be read now";
        let said = Refused::saying(status::SUB_OPERATIONS_NOT_PERFORMED, comment);
        return asked.refuse(association, said).await.map(|()| None);
    };
    let title = asked.command.text(element::MOVE_DESTINATION).and_then(|text| AeTitle::parse(text).ok());
    let found = registry.iter().find(|ae| {
        let can_be_called = ae.profile.enabled && !ae.profile.host.is_empty() && ae.profile.port != 0;
        can_be_called && title.as_ref() == Some(&ae.title)
    });
    if let Some(ae) = found {
        return Ok(Some(ae.clone()));
    }
    let looked =
        Looked::NotRetrieved { study: String::new(), reason: "the move destination is not registered" };
    // The refusal stands either way, and the log has what is missing.
    let _ = backend.record(&association.peer, &association.rights, looked).await;
    let said = Refused::saying(
        status::MOVE_DESTINATION_UNKNOWN,
        "the destination is not registered with a host and a port",
    );
    asked.refuse(association, said).await.map(|()| None)
}
