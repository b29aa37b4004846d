//! What accounts may see beyond what is theirs by role: grants, share links, emergency accesses.

mod break_glass;
mod config;
mod grant;
mod share;

pub use break_glass::{BreakGlass, BreakGlassRefused, NewBreakGlass, ReviewOutcome};
pub use config::AccessConfig;
pub use grant::{AccessGrant, GrantKind, NewGrant};
pub use share::{NewShare, Share, ShareOutcome};
