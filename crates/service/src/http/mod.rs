//! Manners of the HTTP doors.

pub mod bearer;
mod first_request;
pub mod forwarded;
pub mod guard;
pub mod health;
pub mod json;
pub mod limits;
pub mod problem;
pub mod request_id;
pub mod server;
