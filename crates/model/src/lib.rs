//! DICOM and clinical vocabulary: values parsed once at the door and trusted afterwards.
//!
//! This crate does no input or output and depends on no other crate of the workspace.
#![deny(missing_docs)]

pub mod access;
pub mod ae;
pub mod ae_title;
pub mod clinical;
pub mod clock;
pub mod event;
pub mod forward;
pub mod frame;
pub mod functional_groups;
pub mod host;
pub mod instance;
pub mod performed_step;
pub mod pixel;
pub mod schedule;
pub mod sop_reference;
pub mod text;
pub mod transfer_syntax;
pub mod uid;
pub mod worklist;

pub use ae_title::AeTitle;
pub use sop_reference::SopReference;
pub use uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
