//! What the bucket can do, found out at the start by trying it; stores behind the S3 API disagree on much.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{
    Extensions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    multipart::MultipartStore as _, path::Path,
};

use super::{
    S3,
    transport::{Echoed, Instead},
    upload::names_md5_of,
};
use crate::{error::StorageError, key::ObjectKey};

/// What is uploaded, and what travels in its place to see whether the bucket minds.
const CONTENT: &[u8] = b"maxray probe 0123456789";
const ALTERED: &[u8] = b"maxray probe 0123456788";

/// What the bucket says of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Echo {
    /// Nothing, or nothing is known.
    #[default]
    Nothing,
    /// Its SHA-256.
    Sha256,
    /// Its MD5, as the ETag.
    Md5,
}

/// What the bucket can do. While nothing is known: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Abilities {
    pub(super) conditional_writes: bool,
    /// An upload that was altered on its way is refused.
    pub(super) refuses_altered: bool,
    pub(super) echo: Echo,
    pub(super) multipart: bool,
    pub(super) list_after_write: bool,
}

impl S3 {
    /// Finds out what the bucket can do, keeps it in mind and says so in the log.
    pub(crate) async fn learn(&self) {
        // No name of an object: whoever lists objects passes these over.
        let id = ObjectKey::generate();
        let path = |what: &str| Path::from(format!("{}/probes/{id}-{what}", self.prefix));
        let paths = ["plain", "altered", "parts"].map(path);
        match self.within("find out what the bucket can do", self.explore(&paths)).await {
            Ok(abilities) => {
                let abilities = *self.known.get_or_init(|| abilities);
                let warnings = abilities.warnings().join(". ");
                if warnings.is_empty() {
                    tracing::info!("{abilities}");
                } else {
                    tracing::warn!("{abilities}. {warnings}");
                }
            }
            Err(error) => tracing::warn!(
                %error,
                "it is not known what the bucket can do: what it does not vouch for is read back"
            ),
        }
        for path in &paths {
            let deleted = self.within("delete a probe", async {
                self.store.delete(path).await.map_err(StorageError::s3_write("delete a probe"))
            });
            // There may be none.
            drop(deleted.await);
        }
    }

    async fn explore(&self, [plain, altered, parts]: &[Path; 3]) -> Result<Abilities, StorageError> {
        let put = self.store.put(plain, PutPayload::from_static(CONTENT)).await;
        let put = put.map_err(StorageError::s3_write("put a probe"))?;
        let e_tag = put.e_tag.unwrap_or_default();
        let echo = if put.extensions.get::<Echoed>().is_some() {
            Echo::Sha256
        } else if names_md5_of(&e_tag, CONTENT) {
            Echo::Md5
        } else {
            Echo::Nothing
        };
        let list_after_write = self.is_listed(plain).await;
        let again =
            self.store.put_opts(plain, PutPayload::from_static(CONTENT), PutMode::Create.into()).await;
        Ok(Abilities {
            conditional_writes: matches!(again, Err(object_store::Error::AlreadyExists { .. })),
            refuses_altered: self.refuses(altered).await,
            echo,
            multipart: self.takes_parts(parts).await,
            list_after_write,
        })
    }

    async fn is_listed(&self, path: &Path) -> bool {
        let folder = Path::from(format!("{}/probes", self.prefix));
        let mut listed = self.store.list(Some(&folder));
        while let Ok(Some(meta)) = listed.try_next().await {
            if meta.location == *path {
                return true;
            }
        }
        false
    }

    /// Whether an upload is refused whose bytes are not those that its signature and its checksum are of.
    async fn refuses(&self, path: &Path) -> bool {
        let status = Arc::new(AtomicU16::new(0));
        let mut extensions = Extensions::new();
        extensions.insert(Instead { bytes: Bytes::from_static(ALTERED), status: Arc::clone(&status) });
        let options = PutOptions { extensions, ..PutOptions::default() };
        drop(self.store.put_opts(path, PutPayload::from_static(CONTENT), options).await);
        (400..500).contains(&status.load(Ordering::Relaxed))
    }

    async fn takes_parts(&self, path: &Path) -> bool {
        let Ok(upload) = self.store.create_multipart(path).await else { return false };
        let sent = self.store.put_part(path, &upload, 0, PutPayload::from_static(CONTENT)).await;
        let is_complete = match sent {
            Ok(part) => self.store.complete_multipart(path, &upload, vec![part]).await.is_ok(),
            Err(_) => false,
        };
        if !is_complete {
            drop(self.store.abort_multipart(path, &upload).await);
            return false;
        }
        let kept = self.store.head(path).await;
        kept.is_ok_and(|meta| meta.size == CONTENT.len() as u64)
    }
}

impl Abilities {
    /// What the promise of durability, or something else, then rests on.
    fn warnings(self) -> Vec<&'static str> {
        let proof = match (self.refuses_altered, self.echo) {
            (true, Echo::Sha256 | Echo::Md5) => None,
            (true, Echo::Nothing) => Some(
                "It does not say what it kept: the promise rests on its refusing what was altered on its way",
            ),
            (false, Echo::Sha256 | Echo::Md5) => Some(
                "It takes what was altered on its way: what it says that it kept is compared with what was sent, and \
                 the promise rests on that",
            ),
            (false, Echo::Nothing) => Some(
                "It takes what was altered on its way and does not say what it kept: every object is read back before \
                 it is acknowledged, which doubles the traffic",
            ),
        };
        let parts = (!self.multipart).then_some("Objects of more than 8 MiB cannot be stored");
        let list = (!self.list_after_write)
            .then_some("maxray verify and the removal of orphans may miss what is new");
        [proof, parts, list].into_iter().flatten().collect()
    }
}

impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |is_able: bool| if is_able { "yes" } else { "no" };
        let echo = match self.echo {
            Echo::Nothing => "no",
            Echo::Sha256 => "SHA-256",
            Echo::Md5 => "MD5",
        };
        write!(
            f,
            "what the bucket can do: conditional writes {} (nothing needs them), altered uploads refused {}, checksum \
             of uploads named {echo}, multipart {}, ranged reads yes, delete yes, list after write {}",
            word(self.conditional_writes),
            word(self.refuses_altered),
            word(self.multipart),
            word(self.list_after_write),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_words() {
        let able = Abilities {
            conditional_writes: false,
            refuses_altered: true,
            echo: Echo::Sha256,
            multipart: true,
            list_after_write: true,
        };
        assert!(able.warnings().is_empty(), "nothing needs conditional writes");
        let warned = Abilities::default().warnings().join(" ");
        for word in ["read back before it is acknowledged", "more than 8 MiB", "orphans"] {
            assert!(warned.contains(word), "{warned}");
        }
        assert!(able.to_string().contains("named SHA-256"), "{able}");
    }
}
