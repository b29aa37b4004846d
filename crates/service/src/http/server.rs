//! Serves the HTTP doors: connections with and without TLS, HTTP/1.1 and HTTP/2, each within limits.
//!
//! axum's own server takes connections of any number, waits for a request line for ever and cannot be told otherwise.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::IntoResponse};
use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use model::ae::Network;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::{first_request::FirstRequest, forwarded::Arrival, limits::HttpConfig, problem::Problem};
use crate::{
    proxy_protocol,
    shutdown::Shutdown,
    tls::{HandshakeError, PeerCertificate, Tls},
};

/// Header names, values and the request target together.
const HEADER_LENGTH_MAX_BYTES: usize = 16 * 1024;
/// What HTTP/1.1 reads ahead; headers stand in it whole.
const READ_BUFFER_MAX_BYTES: usize = 128 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Streams that an HTTP/2 peer may have reset before they were looked at: a rapid reset ends in GOAWAY.
const RESET_STREAMS_MAX: usize = 32;
/// How often a quiet HTTP/2 peer is asked whether it still lives.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// After a failed accept (mostly: no file descriptor left) others get time to close something.
const ACCEPT_RETRY_AFTER: Duration = Duration::from_millis(100);

struct Door {
    router: Router,
    tls: Option<Tls>,
    builder: auto::Builder<TokioExecutor>,
    header_timeout: Duration,
    proxies: Vec<Network>,
    shutdown: Shutdown,
}

/// Serves `router` on `listener` until the shutdown begins, and then until running requests have ended or
/// `http.drain_timeout_ms` is over. Handlers find `ConnectInfo<SocketAddr>`, an [`Arrival`], and a [`PeerCertificate`]
/// when the peer showed one.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    config: &HttpConfig,
    shutdown: Shutdown,
) {
    let places = Arc::new(Semaphore::new(config.connections_max as usize));
    let door = Arc::new(Door {
        router,
        tls,
        builder: builder(config.header_timeout()),
        header_timeout: config.header_timeout(),
        proxies: config.proxies.clone(),
        shutdown: shutdown.clone(),
    });
    let connections = TaskTracker::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => { connections.spawn(connection(Arc::clone(&door), stream, address, place)); }
                    // A flood: no time, memory or log line for it.
                    Err(_) => metrics::counter!("maxray_http_connections_dropped_total").increment(1),
                },
                Err(error) => {
                    tracing::warn!(%error, "accepting an HTTP connection failed");
                    sleep(ACCEPT_RETRY_AFTER).await;
                }
            },
        }
    }
    drop(listener);
    connections.close();
    if timeout(config.drain_timeout(), connections.wait()).await.is_err() {
        tracing::warn!("requests were still running at the end of http.drain_timeout_ms");
    }
}

fn builder(header_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(READ_BUFFER_MAX_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(RESET_STREAMS_MAX)
        .max_header_list_size(HEADER_LENGTH_MAX_BYTES as u32)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_INTERVAL);
    builder
}

async fn connection(door: Arc<Door>, mut stream: TcpStream, peer: SocketAddr, _place: OwnedSemaphorePermit) {
    // Small answers must not wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let address = match proxy_protocol::origin(&mut stream, peer, &door.proxies, door.header_timeout).await {
        Ok(address) => address,
        Err(error) => return tracing::warn!(%peer, %error, "a proxy does not say whom it speaks for"),
    };
    let is_from_proxy = door.proxies.iter().any(|proxy| proxy.contains(peer.ip()));
    let port = stream.local_addr().map_or(0, |address| address.port());
    let arrival = Arrival { is_encrypted: door.tls.is_some(), is_from_proxy, port };
    let Some(tls) = &door.tls else { return serve_stream(&door, stream, (address, arrival), None).await };
    match tls.accept(stream, door.header_timeout).await {
        Ok((stream, peer)) => serve_stream(&door, stream, (address, arrival), peer).await,
        Err(HandshakeError::Closed) => {}
        Err(error) => tracing::debug!(%address, %error, "no HTTP connection"),
    }
}

async fn serve_stream<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    door: &Door,
    stream: S,
    (address, arrival): (SocketAddr, Arrival),
    peer: Option<PeerCertificate>,
) {
    let (stream, begun) = FirstRequest::within(stream, door.header_timeout);
    let service = service_fn(|mut request: Request<Incoming>| {
        begun.mark();
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(arrival);
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        answer(door.router.clone(), request.map(Body::new))
    });
    let mut serving =
        std::pin::pin!(door.builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = door.shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%address, error, "an HTTP connection broke");
    }
}

async fn answer(router: Router, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    if target + headers.sum::<usize>() > HEADER_LENGTH_MAX_BYTES {
        return Ok(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).into_response());
    }
    router.oneshot(request).await
}
