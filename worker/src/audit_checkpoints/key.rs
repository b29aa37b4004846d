//! The key that signs checkpoints: Ed25519, in a file of the data directory that nobody else can read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};

/// Name of the file: PKCS #8, as `openssl pkey -inform der` reads it.
const FILE: &str = "audit.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("audit.key in the data directory cannot be read or made: {0}")]
    File(#[from] io::Error),
    /// The file can be read by others.
    #[error("audit.key in the data directory can be read by other users: run chmod 600 on it")]
    Open,
    /// The file holds something else.
    #[error("audit.key in the data directory holds no Ed25519 key")]
    Form,
}

/// Signs checkpoints.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads the key, or makes it; durable when this returns.
    pub fn open(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join(FILE);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(directory, &path)?,
            found => drop(found?),
        }
        if fs::metadata(&path)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Open);
        }
        Ed25519KeyPair::from_pkcs8(&fs::read(&path)?).map(Self).map_err(|_| KeyError::Form)
    }

    /// The public half, 32 bytes.
    pub fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub(super) fn sign(&self, digest: &[u8; 32]) -> Vec<u8> {
        self.0.sign(digest).as_ref().to_vec()
    }
}

/// Whether the signature over the digest is of that key.
pub(super) fn is_signed(public: &[u8], digest: &[u8; 32], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(digest, signature).is_ok()
}

fn make(directory: &Path, path: &Path) -> Result<(), KeyError> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Form)?;
    let temporary = directory.join(format!("{FILE}.new"));
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(pkcs8.as_ref())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(directory)?.sync_all()?;
    Ok(())
}
