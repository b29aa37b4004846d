//! Key objects in the bucket: `keys/NAME`. A PUT replaces in one step and is durable when it is answered.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, path::Path};

use super::S3;
use crate::{error::StorageError, key::KeyName};

impl S3 {
    fn key_path(&self, name: &KeyName) -> Path {
        Path::from(format!("{}/keys/{}", self.prefix, name.file_name()))
    }

    pub(crate) async fn put_keys(&self, keys: Vec<(KeyName, Bytes)>) -> Result<(), StorageError> {
        for (name, bytes) in keys {
            let put = self.store.put(&self.key_path(&name), bytes.into()).await;
            put.map_err(StorageError::s3_write("put a key"))?;
        }
        Ok(())
    }

    pub(crate) async fn get_key(&self, name: &KeyName) -> Result<Option<Bytes>, StorageError> {
        let result = match self.store.get(&self.key_path(name)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            result => result.map_err(StorageError::s3_write("read a key"))?,
        };
        Ok(Some(result.bytes().await.map_err(StorageError::s3_write("read a key"))?))
    }

    pub(crate) async fn delete_key(&self, name: &KeyName) -> Result<(), StorageError> {
        match self.store.delete(&self.key_path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StorageError::s3_write("delete a key")(error)),
        }
    }

    pub(crate) async fn list_keys(&self) -> Result<Vec<KeyName>, StorageError> {
        let folder = Path::from(format!("{}/keys", self.prefix));
        let keys = self
            .store
            .list(Some(&folder))
            .try_filter_map(|meta| async move { Ok(meta.location.filename().and_then(KeyName::parse)) });
        keys.try_collect().await.map_err(StorageError::s3_write("list keys"))
    }
}
