//! PS3.7, the DICOM message exchange: command sets, messages and statuses.

pub mod command_set;
pub mod message;
pub mod service_status;
pub mod status;
