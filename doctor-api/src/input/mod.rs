//! What comes from outside, made into checked values: JSON bodies, calendars, query and path parameters, ETags.

pub mod calendar;
pub mod check;
pub mod etag;
pub mod json;
pub mod page;
pub mod path;
pub mod query;
pub mod refusal;
