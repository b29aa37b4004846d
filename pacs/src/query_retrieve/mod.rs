//! PS3.4 Annex C, the Query/Retrieve Service Class: what C-FIND, C-MOVE and C-GET have in common.

pub(crate) mod answers;
pub mod cancel;
pub mod data_set;
pub mod identifier;
pub mod information_model;
pub mod lookup;
pub mod options;
pub mod response;
