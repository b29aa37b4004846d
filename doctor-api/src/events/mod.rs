//! What happens, told to whoever may know it, as it happens.

pub mod listen;
pub mod places;
mod visibility;
