//! The root key: where it comes from, and whether it is the one that the store was made with.
//!
//! The key object `keys/root` says by which root key the patient keys are wrapped, and by which one they are going to
//! be while a rotation runs. The id of a root key is derived from the key, so nothing but the key itself fits.

use std::{process::Stdio, sync::Arc, time::Instant};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Keyring, KeysConfig, MEMORY_AGE_MAX, root_file};
use crate::{
    backend::Backend,
    error::StorageError,
    key::KeyName,
    seal::{Secret, WrapKey},
};

/// What a root key is asked for when its id is derived.
const ID_PURPOSE: &[u8] = b"MXE1 root key id";
/// Longest answer of a command.
const COMMAND_OUTPUT_MAX_BYTES: u64 = 4096;

/// A root key, ready for use.
pub(crate) struct RootKey {
    id: Uuid,
    secret: Secret,
    wrap: WrapKey,
}

impl RootKey {
    pub(crate) fn new(secret: Secret) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()), ID_PURPOSE);
        let mut id = [0; 16];
        id.copy_from_slice(&tag.as_ref()[..16]);
        Self { id: uuid::Builder::from_random_bytes(id).into_uuid(), wrap: WrapKey::new(&secret), secret }
    }

    /// 32 bytes in base64, with white space around it.
    pub(crate) fn from_base64(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).ok()?);
        Some(Self::new(Secret::from_slice(&bytes)?))
    }

    pub(super) fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_STANDARD.encode(self.secret.bytes()))
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(super) fn wrap_key(&self) -> &WrapKey {
        &self.wrap
    }
}

/// What `keys/root` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marker {
    pub(super) root_key_id: Uuid,
    /// While a rotation runs: new keys are wrapped by it already.
    pub(super) next_root_key_id: Option<Uuid>,
}

impl Marker {
    pub(super) async fn read(backend: &Backend) -> Result<Option<Self>, StorageError> {
        let Some(bytes) = backend.get_key(&KeyName::Root).await? else { return Ok(None) };
        let marker = serde_json::from_slice(&bytes);
        marker.map(Some).map_err(|_| {
            StorageError::Keys("keys/root in the object store is damaged: put it back from a copy".to_owned())
        })
    }

    pub(super) async fn write(&self, backend: &Backend) -> Result<(), StorageError> {
        let text = serde_json::to_vec(self).map_err(|error| StorageError::Keys(error.to_string()))?;
        backend.put_key(&KeyName::Root, Bytes::from(text)).await
    }
}

/// The root keys in use.
pub(super) struct Roots {
    pub(super) current: Arc<RootKey>,
    /// While a rotation runs.
    pub(super) next: Option<Arc<RootKey>>,
    pub(super) since: Instant,
}

impl Roots {
    /// The one that wraps new keys.
    pub(super) fn newest(&self) -> &Arc<RootKey> {
        self.next.as_ref().unwrap_or(&self.current)
    }
}

/// By which root keys the patient keys are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootStatus {
    /// The root key.
    pub root_key_id: Uuid,
    /// The one that takes its place while a rotation runs.
    pub next_root_key_id: Option<Uuid>,
    /// Whether it is kept in a file.
    pub in_file: bool,
}

/// Gets the root key and compares it with the marker; makes both for an empty store when `owner`.
pub(super) async fn open(backend: &Backend, config: &KeysConfig, owner: bool) -> Result<Roots, StorageError> {
    let marker = Marker::read(backend).await?;
    let mut keys = load(config).await?;
    let Some(mut marker) = marker else {
        return begin(backend, config, keys, owner).await;
    };
    let find = |keys: &[Arc<RootKey>], id: Uuid| keys.iter().find(|key| key.id == id).cloned();
    let Some(current) = find(&keys, marker.root_key_id) else {
        return Err(does_not_fit(config, &keys, &marker));
    };
    let newest = keys.swap_remove(0);
    if !config.uses_file() && marker.next_root_key_id.is_none() && newest.id != current.id {
        // The settings name a new root key and the previous one: patient keys move to it.
        marker.next_root_key_id = Some(newest.id);
        if owner {
            marker.write(backend).await?;
        }
    }
    keys.push(newest);
    let next = match marker.next_root_key_id {
        None => None,
        Some(id) => Some(find(&keys, id).ok_or_else(|| does_not_fit(config, &keys, &marker))?),
    };
    if config.uses_file() && owner {
        root_file::tidy(config, current.id, marker.next_root_key_id).await?;
    }
    Ok(Roots { current, next, since: Instant::now() })
}

/// No marker: the store is new, or it is not ours.
async fn begin(
    backend: &Backend,
    config: &KeysConfig,
    mut keys: Vec<Arc<RootKey>>,
    owner: bool,
) -> Result<Roots, StorageError> {
    if !owner {
        return Err(StorageError::Keys(
            "the object store was not set up yet: start the server once".to_owned(),
        ));
    }
    let has_keys = backend.list_keys().await?.iter().any(|name| *name != KeyName::Root);
    if has_keys || backend.list().next().await.transpose()?.is_some() {
        return Err(StorageError::Keys(
            "the object store holds data but not keys/root, which says which root key it was sealed with: put keys/ \
             back from a copy, or choose an empty place. Nothing was changed"
                .to_owned(),
        ));
    }
    if keys.is_empty() {
        keys.push(Arc::new(root_file::make(&config.root_file).await?));
    }
    let current = keys.swap_remove(0);
    Marker { root_key_id: current.id, next_root_key_id: None }.write(backend).await?;
    Ok(Roots { current, next: None, since: Instant::now() })
}

/// The keys that the settings give, the newest first. Empty only when the key file is not there.
async fn load(config: &KeysConfig) -> Result<Vec<Arc<RootKey>>, StorageError> {
    if config.uses_file() {
        return root_file::load(&config.root_file).await;
    }
    let newest = if config.root_command.is_empty() {
        RootKey::from_base64(&config.root)
    } else {
        Some(ask(config).await?)
    };
    let previous = RootKey::from_base64(&config.root_previous);
    Ok(newest.into_iter().chain(previous).map(Arc::new).collect())
}

/// Runs the command. What it prints is not logged.
async fn ask(config: &KeysConfig) -> Result<RootKey, StorageError> {
    let failed = |why: String| StorageError::KeysUnavailable(format!("keys.root_command {why}"));
    let (program, arguments) =
        config.root_command.split_first().ok_or_else(|| failed("is empty".to_owned()))?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let stdout = child.stdout.take().ok_or_else(|| failed("has no output".to_owned()))?;
    let work = async {
        let mut text = Zeroizing::new(String::new());
        stdout.take(COMMAND_OUTPUT_MAX_BYTES).read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>((text, child.wait().await?))
    };
    let limit = std::time::Duration::from_millis(config.root_command_timeout_ms);
    let (text, status) = tokio::time::timeout(limit, work)
        .await
        .map_err(|_| failed("took longer than keys.root_command_timeout_ms".to_owned()))?
        .map_err(|error| failed(format!("failed: {error}")))?;
    if !status.success() {
        return Err(failed(format!("ended with {status}")));
    }
    RootKey::from_base64(&text).ok_or_else(|| failed("did not print 32 bytes in base64".to_owned()))
}

fn does_not_fit(config: &KeysConfig, keys: &[Arc<RootKey>], marker: &Marker) -> StorageError {
    let wanted = marker.root_key_id;
    let place = config.root_file.display();
    StorageError::Keys(match (config.uses_file(), keys.is_empty()) {
        (true, true) => format!(
            "the root key file {place} is missing, and what is stored can be read with no other key (id {wanted}). \
             Put the file back from its copy, or give the key as MAXRAY_KEYS__ROOT. MaxRay never makes a new root \
             key over existing data"
        ),
        (true, false) => format!(
            "the root key in {place} is not the one that the data was sealed with (id {wanted}). Put the right file \
             back from its copy, or give the key as MAXRAY_KEYS__ROOT"
        ),
        (false, _) => format!(
            "neither keys.root (or keys.root_command) nor keys.root_previous is the root key that the data was sealed \
             with (id {wanted}). To change the root key, give the new one as keys.root and that one as \
             keys.root_previous until `maxray key status` says that the rotation is over"
        ),
    })
}

impl Keyring {
    /// The root key with this id, when it is one of ours.
    pub(super) async fn root(&self, id: Uuid) -> Result<Option<Arc<RootKey>>, StorageError> {
        self.ask_again_when_old().await?;
        let roots = self.0.roots.read().await;
        let known = [Some(&roots.current), roots.next.as_ref()];
        Ok(known.into_iter().flatten().find(|root| root.id == id).cloned())
    }

    /// The root key that wraps new keys.
    pub(super) async fn wrapping_root(&self) -> Result<Arc<RootKey>, StorageError> {
        self.ask_again_when_old().await?;
        Ok(Arc::clone(self.0.roots.read().await.newest()))
    }

    /// A root key from a command is not kept for longer than 15 minutes: who stops the command stops us.
    pub(super) async fn ask_again_when_old(&self) -> Result<(), StorageError> {
        let config = &self.0.config;
        if config.root_command.is_empty() || self.0.roots.read().await.since.elapsed() < MEMORY_AGE_MAX {
            return Ok(());
        }
        let mut roots = self.0.roots.write().await;
        if roots.since.elapsed() >= MEMORY_AGE_MAX {
            let asked = ask(config).await?;
            if asked.id != roots.newest().id {
                return Err(StorageError::KeysUnavailable("keys.root_command gives another key".to_owned()));
            }
            roots.since = Instant::now();
        }
        Ok(())
    }

    /// By which root keys the patient keys are wrapped.
    pub async fn root_status(&self) -> RootStatus {
        let roots = self.0.roots.read().await;
        RootStatus {
            root_key_id: roots.current.id,
            next_root_key_id: roots.next.as_ref().map(|root| root.id),
            in_file: self.0.config.uses_file(),
        }
    }
}
