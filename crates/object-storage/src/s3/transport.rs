//! Between the S3 client and the network: every request to the bucket passes the breaker, and what the bucket says that it
//! kept of an upload is compared with what was sent.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
        ReqwestConnector,
    },
};

use super::breaker::Breaker;

/// Only requests to the bucket have it; those to whoever hands out credentials have not.
const SIGNED: &str = "x-amz-content-sha256";
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// With the result of an upload: the bucket named the checksum that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Echoed;

/// With an upload of the probe: other bytes, of the same length, travel in place of those that were signed.
#[derive(Debug, Clone)]
pub(super) struct Instead {
    pub(super) bytes: Bytes,
    /// The status of the answer.
    pub(super) status: Arc<AtomicU16>,
}

/// The bucket named another checksum than was sent.
#[derive(Debug, thiserror::Error)]
#[error("the bucket says that it kept other bytes than were sent")]
struct KeptOther;

/// Makes connections whose requests pass the breaker.
#[derive(Debug)]
pub(super) struct Connector(pub(super) Arc<Breaker>);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Transport { client, breaker: Arc::clone(&self.0) }))
    }
}

#[derive(Debug)]
struct Transport {
    client: HttpClient,
    breaker: Arc<Breaker>,
}

/// Written out: the trait is one of the macro `async_trait`.
impl HttpService for Transport {
    fn call<'life0, 'async_trait>(
        &'life0 self,
        request: HttpRequest,
    ) -> BoxFuture<'async_trait, Result<HttpResponse, HttpError>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.send(request))
    }
}

impl Transport {
    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !request.headers().contains_key(SIGNED) {
            return self.client.execute(request).await;
        }
        if let Some(instead) = request.extensions_mut().remove::<Instead>() {
            *request.body_mut() = instead.bytes.into();
            let response = self.client.execute(request).await?;
            instead.status.store(response.status().as_u16(), Ordering::Relaxed);
            return Ok(response);
        }
        let pass = self.breaker.admit().map_err(|away| HttpError::new(HttpErrorKind::Unknown, away))?;
        let is_read = request.method().as_str() == "GET";
        let sent = request.headers().get(CHECKSUM).cloned();
        let mut response = match self.client.execute(request).await {
            Ok(response) => response,
            Err(error) => {
                pass.failed();
                return Err(error);
            }
        };
        let status = response.status().as_u16();
        match status {
            429 | 503 => pass.told_to_slow_down(),
            // 501 says that it cannot do this, which is no failure.
            500.. if status != 501 => pass.failed(),
            200..300 if is_read => pass.begun(),
            _ => pass.answered(),
        }
        let kept = response.headers().get(CHECKSUM).filter(|_| response.status().is_success());
        match sent.zip(kept).map(|(sent, kept)| sent == *kept) {
            Some(false) => {
                metrics::counter!("maxray_s3_uploads_altered_total").increment(1);
                Err(HttpError::new(HttpErrorKind::Unknown, KeptOther))
            }
            Some(true) => {
                response.extensions_mut().insert(Echoed);
                Ok(response)
            }
            None => Ok(response),
        }
    }
}
