//! PS3.3 10.8, the SOP Instance Reference Macro: an instance and its class.

use crate::{SopClassUid, SopInstanceUid};

/// An instance that somebody names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SopReference {
    /// Referenced SOP Class UID (0008,1150).
    pub sop_class_uid: SopClassUid,
    /// Referenced SOP Instance UID (0008,1155).
    pub sop_instance_uid: SopInstanceUid,
}
