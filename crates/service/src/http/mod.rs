//! Manners of the HTTP doors.

pub mod bearer;
pub mod health;
pub mod limits;
pub mod problem;
pub mod request_id;
