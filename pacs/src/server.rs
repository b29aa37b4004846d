//! Accepts connections until the server stops, then lets running operations end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fail_point::Point;
use service::{
    proxy_protocol,
    shutdown::Shutdown,
    tls::{HandshakeError, Tls},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

use crate::{
    backend::Backend,
    caller::Caller,
    config::{PacsConfig, PacsConfigError},
    connection::Door,
    origin::Origin,
};

/// After a failed accept (mostly: no file descriptor left) others get time to close something.
const ACCEPT_RETRY_AFTER: Duration = Duration::from_millis(100);
/// Time for aborted associations to send their last PDU.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the door does not open.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is unsafe or useless.
    #[error(transparent)]
    Config(#[from] PacsConfigError),
    /// The listener has no address.
    #[error("the DICOM door cannot listen: {0}")]
    Listener(#[from] std::io::Error),
}

/// Serves connections of `listener` until `shutdown` begins, and then until they have drained.
pub(crate) async fn serve_backend<B: Backend>(
    listener: TcpListener,
    config: PacsConfig,
    tls: Option<Tls>,
    (backend, caller): (B, Caller),
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    config.check(address.ip())?;
    announce(&config, address, tls.as_ref());
    let drain_timeout = Duration::from_millis(config.drain_timeout_ms);
    let pending = Arc::new(Semaphore::new(config.connections_pending_max as usize));
    let demanded = tls.as_ref().is_some_and(Tls::requires_client_certificate);
    let door = Arc::new(Door::new(backend, caller, config, demanded));
    let tls = tls.map(Arc::new);
    let connections = TaskTracker::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    admit(stream, peer, &door, tls.as_ref(), &pending, &connections);
                },
                Err(error) => {
                    tracing::warn!(%error, "accepting a DICOM connection failed");
                    sleep(ACCEPT_RETRY_AFTER).await;
                }
            },
        }
    }
    drop(listener);
    door.stopping.cancel();
    connections.close();
    if !connections.is_empty() {
        fail_point::pass(Point::K44Draining);
    }
    if timeout(drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!(associations = connections.len(), "aborting associations that did not drain in time");
        door.killed.cancel();
        // What is left then are peers that do not close: nothing is lost with them.
        let _ = timeout(ABORT_TIMEOUT, connections.wait()).await;
    }
    // Refusals that were counted, and not told yet.
    door.records_due.close();
    if timeout(ABORT_TIMEOUT, door.records_due.wait()).await.is_err() {
        tracing::warn!("refusals of the last minute are missing in the audit trail");
    }
    Ok(())
}

fn admit<B: Backend>(
    stream: TcpStream,
    peer: SocketAddr,
    door: &Arc<Door<B>>,
    tls: Option<&Arc<Tls>>,
    pending: &Arc<Semaphore>,
    connections: &TaskTracker,
) {
    let Ok(permit) = Arc::clone(pending).try_acquire_owned() else {
        // A flood of connections that never speak: no time, memory or log line for it.
        metrics::counter!("maxray_dimse_connections_dropped_total").increment(1);
        return;
    };
    fail_point::pass(Point::K1Accepted);
    // Responses leave at once; without it they are only slower.
    let _ = stream.set_nodelay(true);
    let door = Arc::clone(door);
    connections.spawn(receive(tls.cloned(), stream, peer, door, permit));
}

/// No PDU is looked at before a proxy has said whom it speaks for, and the handshake is done. Until then it counts as a
/// connection that has not asked yet.
async fn receive<B: Backend>(
    tls: Option<Arc<Tls>>,
    mut stream: TcpStream,
    peer: SocketAddr,
    door: Arc<Door<B>>,
    permit: OwnedSemaphorePermit,
) {
    let config = &door.config;
    let said = tokio::select! {
        () = door.stopping.cancelled() => return,
        said = proxy_protocol::origin(&mut stream, peer, &config.proxies, config.artim()) => said,
    };
    let address = match said {
        Ok(address) => address.ip().to_canonical(),
        Err(error) => return tracing::warn!(%peer, %error, "a proxy does not say whom it speaks for"),
    };
    let Some(tls) = tls else {
        return door.serve_connection(stream, Origin::plain(address), Some(permit)).await;
    };
    let shaken = tokio::select! {
        () = door.stopping.cancelled() => return,
        shaken = tls.accept(stream, door.config.artim()) => shaken,
    };
    match shaken {
        Ok((stream, certificate)) => {
            let origin = Origin { address, certificate, is_encrypted: true };
            door.serve_connection(stream, origin, Some(permit)).await;
        }
        Err(HandshakeError::Closed) => {}
        Err(error) => door.tell_failed_handshake(address, &error).await,
    }
}

fn announce(config: &PacsConfig, address: std::net::SocketAddr, tls: Option<&Tls>) {
    let loopback = config.accept_any_calling_ae_title_from_loopback;
    tracing::info!(
        %address,
        ae_title = %config.ae_title,
        called_ae_titles = if config.accept_any_called_ae_title { "any" } else { "ours only" },
        calling_ae_titles_from_loopback = if loopback { "any" } else { "registered only" },
        calling_ae_titles_from_elsewhere = "registered only",
        tls = tls.is_some(),
        "the DICOM door is open"
    );
    if tls.is_none() && !address.ip().is_loopback() {
        tracing::warn!(%address, "DICOM without TLS on an address that other machines reach");
    }
}
