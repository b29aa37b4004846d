//! What somebody is to MaxRay.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What somebody is to MaxRay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the server: doctors, users, configuration. Reads no images.
    Admin,
    /// Sees own consultations, the studies linked to them and their patients' studies.
    Doctor,
    /// Sends X-rays and starts consultations about them, in the field.
    Paramedic,
    /// A viewer or workstation; sees what an administrator granted it.
    Viewer,
    /// Another program: stores instances, reads every study, books consultations.
    Service,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Admin, Self::Doctor, Self::Paramedic, Self::Viewer, Self::Service];

    /// The word in tokens and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Doctor => "doctor",
            Self::Paramedic => "paramedic",
            Self::Viewer => "viewer",
            Self::Service => "service",
        }
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("role is one of admin, doctor, paramedic, viewer, service")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}
