//! PS3.4 Annex A and PS3.7 9.3.5, the Verification Service Class: C-ECHO.

use crate::{
    association::Association,
    backend::Backend,
    dimse::{command_set::CommandSet, status},
    upper_layer::{
        End,
        framing::Transport,
        negotiation::{PresentationContext, Service},
    },
};

/// Answers a C-ECHO-RQ.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    association.skip_data_set(context, command).await?;
    let verifies = context.service == Service::Verification;
    let status = if verifies { status::SUCCESS } else { status::SOP_CLASS_NOT_SUPPORTED };
    metrics::counter!("maxray_dimse_c_echo_total").increment(1);
    association.respond(context, command, status, "").await
}
