//! PS3.4 Annex B and PS3.7 9.3.1, the Storage Service Class: C-STORE.
//!
//! Fragments go to the archive as they come, so memory does not grow with the instance. Success is answered after
//! the commit and never before; how many may wait for theirs at once is agreed on (PS3.7 D.3.3.3).

use dicom_header::Identity;
use fail_point::Point;
use model::{SopClassUid, SopInstanceUid};
use tokio::time::Instant;

use crate::{
    association::Association,
    backend::{Backend, InstanceSink, Refused},
    dimse::{
        command_set::{CommandSet, element},
        status,
    },
    outstanding::Storing,
    upper_layer::{
        End,
        framing::Transport,
        negotiation::{PresentationContext, Service},
    },
};

/// Receives the data set of a C-STORE-RQ, stores it and answers.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    let request = (context, command, Instant::now());
    let identity = match read_identity(context, command) {
        Ok(identity) => identity,
        Err(refused) => {
            association.skip_data_set(context, command).await?;
            return answer(association, request, Err(refused)).await;
        }
    };
    // Nothing is copied for those who wait for each answer.
    let instance = (!association.outstanding.is_synchronous()).then(|| identity.sop_instance_uid.clone());
    match (receive(association, context, identity).await?, instance) {
        (Err(refused), _) => answer(association, request, Err(refused)).await,
        (Ok(writer), None) => {
            let outcome = writer.commit().await;
            answer(association, request, outcome).await
        }
        (Ok(writer), Some(instance)) => {
            let (context, command, began) = request;
            let storing = Storing { context: context.clone(), command: command.clone(), began };
            association.store_meanwhile(storing, instance, writer).await
        }
    }
}

/// Answers a C-STORE that came then.
pub(crate) async fn answer<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    (context, command, began): (&PresentationContext, &CommandSet, Instant),
    outcome: Result<(), Refused>,
) -> Result<(), End> {
    let (status, comment) = match outcome {
        Ok(()) => {
            association.tally.instances_stored += 1;
            (status::SUCCESS, String::new())
        }
        Err(refused) => {
            association.tally.instances_refused += 1;
            tracing::warn!(
                sop_class_uid = context.abstract_syntax.as_str(),
                transfer_syntax_uid = context.transfer_syntax.as_str(),
                status = format_args!("{:#06x}", refused.status),
                reason = refused.reason,
                "instance refused"
            );
            (refused.status, refused.comment)
        }
    };
    metrics::counter!("maxray_dimse_c_store_total", "status" => format!("{status:04X}")).increment(1);
    metrics::histogram!("maxray_dimse_c_store_seconds").record(began.elapsed().as_secs_f64());
    association.respond(context, command, status, &comment).await?;
    fail_point::pass(Point::K21Answered);
    Ok(())
}

/// What the command says will come. The class must be the one of the presentation context (PS3.7 9.1.1.1.3).
fn read_identity(context: &PresentationContext, command: &CommandSet) -> Result<Identity, Refused> {
    let refused = |status, comment: &str| Refused::saying(status, comment);
    if context.service != Service::Storage || !context.is_of(command) {
        let comment = "the SOP class is not that of the presentation context";
        return Err(refused(status::SOP_CLASS_NOT_SUPPORTED, comment));
    }
    if !command.has_data_set {
        return Err(refused(status::MISTYPED_ARGUMENT, "the command announces no data set"));
    }
    let sop_class_uid = SopClassUid::clone(&context.abstract_syntax);
    let sop_instance_uid = command.text(element::AFFECTED_SOP_INSTANCE_UID).unwrap_or_default();
    let sop_instance_uid = SopInstanceUid::parse(sop_instance_uid)
        .map_err(|_| refused(status::CANNOT_UNDERSTAND, "Affected SOP Instance UID is not a UID"))?;
    Ok(Identity { sop_class_uid, sop_instance_uid })
}

/// Streams the data set into the archive. The inner result is the whole instance, to be committed, or the answer; the outer one
/// ends the association.
async fn receive<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    identity: Identity,
) -> Result<Result<B::Writer, Refused>, End> {
    let mut writer = association.backend.begin_instance(&association.peer, context, identity);
    loop {
        let (fragment, is_last) = match association.receive_fragment(context).await {
            Ok(received) => received,
            Err(end) => {
                writer.abort().await;
                return Err(end);
            }
        };
        if !fragment.is_empty()
            && let Err(refused) = writer.write(fragment).await
        {
            drop(writer);
            if !is_last {
                association.drain(context).await?;
            }
            return Ok(Err(refused));
        }
        if is_last {
            return Ok(Ok(writer));
        }
    }
}
