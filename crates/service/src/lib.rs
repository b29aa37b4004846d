//! What every door's shell needs: configuration, TLS, telemetry, shutdown, identity, events in process, HTTP manners,
//! what is told to the outside, the Patient Service, Redis, and the pool of decoder processes.
#![deny(missing_docs)]

pub mod config;
pub mod decoder;
pub mod events;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod identity;
pub mod notifications;
pub mod patient_service;
pub mod proxy_protocol;
pub mod redis;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
