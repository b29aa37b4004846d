//! Application entities: from where they may associate, with which certificate, and for what. PS3.15 4.2.

use std::{fmt, net::IpAddr, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AeTitle, SopClassUid, TransferSyntaxUid};

/// A registered application entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ae {
    /// Identity.
    pub id: Uuid,
    /// AE title; there is one registration for each.
    pub title: AeTitle,
    /// What it is registered with.
    pub profile: AeProfile,
    /// Grows with every change.
    pub version: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What an application entity is registered with, and what an operator may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AeProfile {
    /// Where it stands, for people. No patient data.
    pub description: String,
    /// May associate.
    pub enabled: bool,
    /// Networks it calls from; none: it cannot call from anywhere.
    pub addresses: Vec<Network>,
    /// The certificate that it has to show; none: it is told by title and address alone where no certificate is
    /// demanded, and not let in where one is.
    pub certificate: Option<AeCertificate>,
    /// AE titles it may call us by; none: whatever the door takes.
    pub called_titles: Vec<AeTitle>,
    /// What it may do.
    pub operations: Vec<AeOperation>,
    /// SOP classes it may send; none: every storage class.
    pub sop_classes: Vec<SopClassUid>,
    /// Transfer syntaxes it may send in; none: every one.
    pub transfer_syntaxes: Vec<TransferSyntaxUid>,
    /// Associations at once; 0: as many as the door gives to any.
    pub associations_max: u32,
    /// Host it is called at; empty when it is never called.
    pub host: String,
    /// Port it is called at; 0 when it is never called.
    pub port: u16,
    /// It is called by TLS, and shows `certificate` there, or one for `host` when it has none registered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub call_tls: bool,
    /// The account as which it queries and retrieves: it sees what that account may read. None: every study.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads_as: Option<Uuid>,
    /// Of the worklist it sees what is scheduled for its own AE title alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_worklist: bool,
    /// It is told when the instances of a study are available (PS3.4 Annex R).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub notify_availability: bool,
}

impl Default for AeProfile {
    fn default() -> Self {
        Self {
            description: String::new(),
            enabled: true,
            addresses: Vec::new(),
            certificate: None,
            called_titles: Vec::new(),
            operations: vec![AeOperation::Echo, AeOperation::Store],
            sop_classes: Vec::new(),
            transfer_syntaxes: Vec::new(),
            associations_max: 0,
            host: String::new(),
            port: 0,
            call_tls: false,
            reads_as: None,
            own_worklist: false,
            notify_availability: false,
        }
    }
}

impl AeProfile {
    /// A network of it holds this address.
    pub fn is_at(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|network| network.contains(address))
    }
}

/// A DIMSE service that an application entity may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AeOperation {
    /// C-ECHO.
    Echo,
    /// C-STORE.
    Store,
    /// C-FIND.
    Find,
    /// C-MOVE.
    Move,
    /// C-GET.
    Get,
    /// N-ACTION of Storage Commitment.
    Commit,
    /// C-FIND of the Modality Worklist.
    Worklist,
    /// N-CREATE and N-SET of Modality Performed Procedure Steps.
    Mpps,
}

impl AeOperation {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Echo,
        Self::Store,
        Self::Find,
        Self::Move,
        Self::Get,
        Self::Commit,
        Self::Worklist,
        Self::Mpps,
    ];

    /// The word in commands and the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Store => "store",
            Self::Find => "find",
            Self::Move => "move",
            Self::Get => "get",
            Self::Commit => "commit",
            Self::Worklist => "worklist",
            Self::Mpps => "mpps",
        }
    }
}

/// A text that is not what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AeError(&'static str);

impl FromStr for AeOperation {
    type Err = AeError;
    fn from_str(text: &str) -> Result<Self, AeError> {
        let found = Self::ALL.into_iter().find(|operation| operation.as_str() == text);
        found.ok_or(AeError("an operation is one of echo, store, find, move, get, commit, worklist, mpps"))
    }
}

/// An address, or all that begin with the same bits: `192.0.2.17`, `192.0.2.0/24`, `2001:db8::/32`. Host names are
/// none: whoever answers for the name would decide who may associate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address is in it. IPv4 in IPv6 (`::ffff:192.0.2.7`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (address, network, width) = match (address.to_canonical(), self.address) {
            (IpAddr::V4(address), IpAddr::V4(network)) => {
                (u128::from(address.to_bits()), u128::from(network.to_bits()), u32::BITS)
            }
            (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), u128::BITS),
            _ => return false,
        };
        let host_bits = width.saturating_sub(u32::from(self.prefix));
        (address ^ network).checked_shr(host_bits).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = AeError;
    fn from_str(text: &str) -> Result<Self, AeError> {
        const WRONG: AeError = AeError("an address like 192.0.2.17 or a network like 192.0.2.0/24");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| WRONG)?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| WRONG)?;
        let canonical = address.to_canonical();
        if canonical != address && prefix.is_some() {
            return Err(WRONG);
        }
        let width = if canonical.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix > width { Err(WRONG) } else { Ok(Self { address: canonical, prefix }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix == width { self.address.fmt(f) } else { write!(f, "{}/{}", self.address, self.prefix) }
    }
}

/// How the certificate of an application entity is known again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AeCertificate {
    /// SHA-256 of its SubjectPublicKeyInfo, which a renewal for the same key keeps: `sha256:` and 64 hexadecimal digits.
    PublicKey([u8; 32]),
    /// A subject alternative name that only its authority gives it: `dns:cr1.example.org`, or `ip:192.0.2.17`.
    Name(String),
}

impl FromStr for AeCertificate {
    type Err = AeError;
    fn from_str(text: &str) -> Result<Self, AeError> {
        const WRONG: AeError =
            AeError("a certificate is sha256:DIGEST of its public key, dns:NAME or ip:ADDRESS");
        if let Some(digits) = text.strip_prefix("sha256:") {
            let mut digest = [0; 32];
            if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(WRONG);
            }
            for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
                *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| WRONG)?;
            }
            return Ok(Self::PublicKey(digest));
        }
        if let Some(address) = text.strip_prefix("ip:") {
            return address
                .parse::<IpAddr>()
                .map(|address| Self::Name(address.to_string()))
                .map_err(|_| WRONG);
        }
        let name = text.strip_prefix("dns:").ok_or(WRONG)?.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let good = (1..=253).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with('.')
            && name.parse::<IpAddr>().is_err();
        if good { Ok(Self::Name(name)) } else { Err(WRONG) }
    }
}

impl fmt::Display for AeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PublicKey(digest) => {
                f.write_str("sha256:")?;
                digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Name(name) if name.parse::<IpAddr>().is_ok() => write!(f, "ip:{name}"),
            Self::Name(name) => write!(f, "dns:{name}"),
        }
    }
}

macro_rules! as_text {
    ($($type:ty),+) => {
        $(
            impl TryFrom<String> for $type {
                type Error = AeError;
                fn try_from(text: String) -> Result<Self, AeError> {
                    text.parse()
                }
            }

            impl From<$type> for String {
                fn from(value: $type) -> String {
                    value.to_string()
                }
            }
        )+
    };
}

as_text!(Network, AeCertificate);

#[cfg(test)]
mod tests;
