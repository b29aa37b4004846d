//! Senders: DCMTK's programs, and an association of our own that can also misbehave.

mod association;
mod dcmtk;
mod pdu;

pub use association::{Association, AssociationError, Proposal, padded, send_files};
pub use dcmtk::{Dcmtk, Reference};
pub use pdu::{Pdu, associate_request, command_set, p_data, read_pdu};
