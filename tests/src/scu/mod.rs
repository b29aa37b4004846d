//! Senders: DCMTK's programs, and an association of our own that can also misbehave.

mod association;
mod dcmtk;
mod dialogue;
mod files;
mod pdu;
mod user_information;

pub use association::{Association, AssociationError, CALLING, Proposal};
pub use dcmtk::{Dcmtk, Reference};
pub use dialogue::{Context, Dialogue, Message, Offer, identifier};
pub use files::{padded, send_files, store};
pub use pdu::{
    Pdu, associate_accept, associate_request, associate_request_with, command_set, p_data, read_pdu,
};
pub use user_information::{extended_negotiation, provider_role, user_identity};
