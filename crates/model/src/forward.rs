//! Forwarding: which instances are sent on to which other application entity, without anybody asking (PS3.4 Annex B as user).

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::AeTitle;

/// A rule of forwarding. All of it has to hold of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardRule {
    /// Whether it counts.
    pub enabled: bool,
    /// AE title of whom instances are sent to; registered with a host and a port.
    pub destination: AeTitle,
    /// AE titles of whom they came from over DICOM; none: whoever they came from, by whichever door.
    pub from: Vec<AeTitle>,
    /// Attributes by keyword, with a value as in a query (PS3.4 C.2.2.2): `Modality` `CR`, `StationName` `ROOM*`.
    pub attributes: BTreeMap<String, String>,
    /// What goes first of what waits for one destination.
    pub priority: ForwardPriority,
}

/// Priority (0000,0700), in the order of its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardPriority {
    /// After everything else.
    Low,
    /// In its turn.
    #[default]
    Medium,
    /// Before everything else.
    High,
}

impl ForwardPriority {
    /// Every priority.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The word on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// A number that grows with its weight.
    pub fn weight(self) -> i32 {
        match self {
            Self::Low => 0,
            Self::Medium => 1,
            Self::High => 2,
        }
    }
}

impl fmt::Display for ForwardPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("priority is one of low, medium, high")]
pub struct UnknownForwardPriority;

impl FromStr for ForwardPriority {
    type Err = UnknownForwardPriority;
    fn from_str(text: &str) -> Result<Self, UnknownForwardPriority> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text).ok_or(UnknownForwardPriority)
    }
}

/// Where an instance on its way stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardState {
    /// It is to be sent, for the first time or again.
    Pending,
    /// The destination has taken it.
    Sent,
    /// It was given up.
    Dead,
}

impl ForwardState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Sent, Self::Dead];

    /// The word in the database, on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

/// A word that is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("state is one of pending, sent, dead")]
pub struct UnknownForwardState;

impl FromStr for ForwardState {
    type Err = UnknownForwardState;
    fn from_str(text: &str) -> Result<Self, UnknownForwardState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownForwardState)
    }
}
