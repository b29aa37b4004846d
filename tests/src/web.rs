//! Web servers of the kit: they end with the runtime of the test.

use std::net::SocketAddr;

use axum::Router;

/// Serves on a free port of this machine: which.
///
/// # Panics
/// When there is none.
pub async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
