//! The DICOM door: associations (PS3.8), messages (PS3.7), and the service classes of PS3.4 that are offered.
//!
//! One file for each service; `upper_layer` is the protocol under them, `association` the message loop between.

mod access;
mod admission;
mod alarm;
mod archive_backend;
mod archive_commitment;
mod archive_identification;
mod archive_lookup;
mod archive_mpps;
mod archive_worklist;
mod association;
mod authority;
mod availability_scu;
mod backend;
mod backoff;
pub mod call;
mod caller;
mod commitment_scp;
mod config;
#[cfg(test)]
mod conformance;
mod connection;
mod delivery;
mod destination;
mod dimse;
mod echo_scp;
mod find_scp;
pub mod find_scu;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod get_scp;
mod identification;
mod move_scp;
mod mpps_scp;
mod origin;
mod outstanding;
mod query_retrieve;
mod reception;
mod refusals;
mod registry;
mod retrieve;
mod server;
mod storage_sop_classes;
mod store_scp;
pub mod store_scu;
mod transfer_syntaxes;
mod upper_layer;
mod worklist_scp;

pub use archive_identification::Identification;
pub use availability_scu::AvailabilityConfig;
pub use commitment_scp::CommitmentConfig;
pub use config::{PacsConfig, PacsConfigError};
pub use forward::ForwardingConfig;
pub use registry::FRESH_FOR as REGISTRY_FRESH_FOR;
pub use server::ServeError;
pub use storage_sop_classes::is_storage_sop_class;

use std::sync::Arc;

use conversion::Converter;
use service::{shutdown::Shutdown, tls::Tls};
use tokio::{net::TcpListener, sync::Notify};

/// Serves DICOM associations on `listener`, with the archive behind `converter`, until `shutdown` begins. Operations that run then may end within
/// `drain_timeout_ms`. With `tls` nothing is spoken in the clear. People are who `identification` says.
///
/// # Errors
/// When the configuration is unsafe for the listener's address.
pub async fn serve(
    listener: TcpListener,
    config: PacsConfig,
    tls: Option<Tls>,
    converter: Converter,
    identification: Identification,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let commitments = Arc::new(Notify::new());
    let caller = caller::Caller::new(&config);
    let archive = converter.archive().clone();
    let notifier = availability_scu::Notifier::new(archive.clone(), &config);
    let reporter = commitment_scp::Reporter::new(archive, &config, Arc::clone(&commitments));
    let sending =
        archive_backend::House::new(converter.clone(), identification.clone(), Arc::clone(&commitments));
    let forwarder = forward::Forwarder::new(sending, &config, caller.clone());
    let house = archive_backend::House::new(converter, identification, commitments);
    let reporting = async {
        tokio::join!(reporter.run(&shutdown), notifier.run(&shutdown));
        Ok(())
    };
    let forwarding = async {
        if let Some(forwarder) = forwarder {
            forwarder.run(&shutdown).await;
        }
        Ok(())
    };
    // A door that does not open ends all of them; a shutdown is heard by all.
    let serving = server::serve_backend(listener, config, tls, (house, caller), shutdown.clone());
    tokio::try_join!(serving, reporting, forwarding)?;
    Ok(())
}
