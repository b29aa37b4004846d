//! Settings of the keys: the section `[keys]`.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{root::RootKey, root_file};
use crate::error::StorageError;

/// Shorter, and a node that is merely slow would lose what it does.
const JOB_LEASE_MIN_MS: u64 = 1000;

/// The section `[keys]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysConfig {
    /// Where the root key lies; empty for `root.key` in the data directory. Made at the first start.
    pub root_file: PathBuf,
    /// The root key itself, 32 bytes in base64; then no file is used.
    pub root: String,
    /// The root key before `root`, while patient keys are still wrapped by it.
    pub root_previous: String,
    /// Program and arguments that print the root key in base64; then no file is used.
    pub root_command: Vec<String>,
    /// Longest run of `root_command`.
    pub root_command_timeout_ms: u64,
    /// How long the objects that a rotation replaced stay, for readers that began before.
    pub rotation_grace_ms: u64,
    /// How long a node that says nothing keeps the rotation it is at; then another goes on.
    pub job_lease_ms: u64,
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self {
            root_file: PathBuf::new(),
            root: String::new(),
            root_previous: String::new(),
            root_command: Vec::new(),
            root_command_timeout_ms: 10_000,
            rotation_grace_ms: 60_000,
            job_lease_ms: 30_000,
        }
    }
}

impl fmt::Debug for KeysConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysConfig").field("root_file", &self.root_file).finish_non_exhaustive()
    }
}

impl KeysConfig {
    /// Says which setting makes no sense.
    ///
    /// # Errors
    /// [`StorageError::Config`].
    pub fn check(&self) -> Result<(), StorageError> {
        let problem = if !self.root.is_empty() && !self.root_command.is_empty() {
            "keys.root and keys.root_command exclude each other"
        } else if !self.root_previous.is_empty() && self.root.is_empty() && self.root_command.is_empty() {
            "keys.root_previous goes with keys.root or keys.root_command; a key file is rotated with \
             `maxray key rotate --root`"
        } else if [&self.root, &self.root_previous]
            .iter()
            .any(|text| !text.is_empty() && RootKey::from_base64(text).is_none())
        {
            "keys.root and keys.root_previous are 32 bytes in base64, as `openssl rand -base64 32` prints them"
        } else if self.root_command_timeout_ms == 0 {
            "keys.root_command_timeout_ms is not 0"
        } else if self.job_lease_ms < JOB_LEASE_MIN_MS {
            "keys.job_lease_ms is at least 1000: a node that is at work says so after each object"
        } else {
            return Ok(());
        };
        Err(StorageError::Config(problem.to_owned()))
    }

    /// Reads the key file that is named, when it is used and there: the first start makes it.
    ///
    /// # Errors
    /// [`StorageError::Keys`] when others can read it, or it holds no key.
    pub fn check_file(&self) -> Result<(), StorageError> {
        if self.uses_file() && !self.root_file.as_os_str().is_empty() {
            root_file::read(&self.root_file)?;
        }
        Ok(())
    }

    /// The same with the place of the key file filled in.
    pub(super) fn in_directory(&self, data_directory: &Path) -> Self {
        let mut config = self.clone();
        if config.root_file.as_os_str().is_empty() {
            config.root_file = data_directory.join("root.key");
        }
        config
    }

    /// Whether the root key is kept in a file.
    pub(super) fn uses_file(&self) -> bool {
        self.root.is_empty() && self.root_command.is_empty()
    }
}
