//! PS3.5 9, Unique Identifiers: one newtype for each kind, so that a study cannot be passed for a series.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest UID in bytes (PS3.5 9.1).
pub const UID_LENGTH_MAX_BYTES: usize = 64;

/// Why a text is not a UID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UidError {
    /// No characters at all.
    #[error("the UID is empty")]
    Empty,
    /// More than 64 bytes.
    #[error("the UID is longer than 64 characters")]
    TooLong,
    /// Something other than digits in groups separated by single dots.
    #[error("a UID is made of digits and single dots between them")]
    Malformed,
}

/// Checks `^\d+(\.\d+)*$` and the length. Leading zeros in a component are against PS3.5 9.1 but common and harmless.
///
/// # Errors
/// Says which rule the text breaks.
pub fn check_uid(text: &str) -> Result<(), UidError> {
    if text.is_empty() {
        return Err(UidError::Empty);
    }
    if text.len() > UID_LENGTH_MAX_BYTES {
        return Err(UidError::TooLong);
    }
    let well_formed =
        text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if well_formed { Ok(()) } else { Err(UidError::Malformed) }
}

/// A UID under the UUID-derived root 2.25 (PS3.5 B.2).
pub fn uid_from_uuid(uuid: Uuid) -> String {
    format!("2.25.{}", uuid.as_u128())
}

macro_rules! uid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses a UID; trailing NUL and space padding must be gone already.
            ///
            /// # Errors
            /// See [`UidError`].
            pub fn parse(text: &str) -> Result<Self, UidError> {
                check_uid(text).map(|()| Self(text.to_owned()))
            }

            /// A new UID under root 2.25.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uid_from_uuid(uuid))
            }

            /// The digits and dots.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = UidError;
            fn from_str(text: &str) -> Result<Self, UidError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = UidError;
            fn try_from(text: String) -> Result<Self, UidError> {
                check_uid(&text).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(uid: $name) -> String {
                uid.0
            }
        }
    };
}

uid! {
    /// Study Instance UID (0020,000D).
    StudyInstanceUid
}
uid! {
    /// Series Instance UID (0020,000E).
    SeriesInstanceUid
}
uid! {
    /// SOP Instance UID (0008,0018).
    SopInstanceUid
}
uid! {
    /// SOP Class UID (0008,0016).
    SopClassUid
}
uid! {
    /// Transfer Syntax UID (0002,0010).
    TransferSyntaxUid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_could_be_a_path() {
        for text in ["", "..", "../x", "/etc/x", "1.2.", ".1", "1..2", "1.2\0", "CON", "1.2 ", "١.٢"] {
            assert!(StudyInstanceUid::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(check_uid(&"1".repeat(65)), Err(UidError::TooLong));
    }

    #[test]
    fn accepts_uids_with_leading_zeros() {
        for text in ["1", "1.2.840.10008.1.2", "2.16.840.1.0.05", &"1".repeat(64)] {
            assert_eq!(StudyInstanceUid::parse(text).map(String::from), Ok(text.to_owned()));
        }
    }

    #[test]
    fn uuid_derived_uids_fit() {
        let uid = SopInstanceUid::from_uuid(Uuid::from_u128(u128::MAX));
        assert!(uid.as_str().len() <= UID_LENGTH_MAX_BYTES);
        assert_eq!(SopInstanceUid::parse(uid.as_str()), Ok(uid));
    }
}
