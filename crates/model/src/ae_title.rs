//! PS3.5 6.2, value representation AE: application entity titles.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An application entity title: 1 to 16 printable ASCII characters without backslash, outer spaces removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AeTitle(String);

/// Why a text is not an application entity title.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an AE title is 1 to 16 printable ASCII characters without backslash, not only spaces")]
pub struct AeTitleError;

impl AeTitle {
    /// Parses a title, dropping leading and trailing spaces, which are not significant (PS3.5 6.2).
    ///
    /// # Errors
    /// When the title is empty, too long, or has control characters, a backslash or anything beyond ASCII.
    pub fn parse(text: &str) -> Result<Self, AeTitleError> {
        let title = text.trim_matches(' ');
        let fits = !title.is_empty()
            && title.len() <= 16
            && title.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'\\');
        if fits { Ok(Self(title.to_owned())) } else { Err(AeTitleError) }
    }

    /// The title without padding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AeTitle {
    type Err = AeTitleError;
    fn from_str(text: &str) -> Result<Self, AeTitleError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for AeTitle {
    type Error = AeTitleError;
    fn try_from(text: String) -> Result<Self, AeTitleError> {
        Self::parse(&text)
    }
}

impl From<AeTitle> for String {
    fn from(title: AeTitle) -> String {
        title.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_and_checks() {
        assert_eq!(AeTitle::parse("  CR 1 ").map(String::from), Ok("CR 1".to_owned()));
        for text in ["", "                ", "A\\B", "A\nB", "ÄE", "12345678901234567", "\u{7f}"] {
            assert!(AeTitle::parse(text).is_err(), "{text:?}");
        }
    }
}
