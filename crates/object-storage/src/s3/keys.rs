//! Key objects in the bucket: `keys/NAME`. A PUT replaces in one step and is durable when it is answered.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{GetOptions, ObjectStore as _, ObjectStoreExt as _, path::Path};

use super::S3;
use crate::{error::StorageError, key::KeyName};

impl S3 {
    fn key_path(&self, name: &KeyName) -> Path {
        Path::from(format!("{}/keys/{}", self.prefix, name.file_name()))
    }

    pub(crate) async fn put_keys(&self, keys: Vec<(KeyName, Bytes)>) -> Result<(), StorageError> {
        for (name, bytes) in keys {
            let path = self.key_path(&name);
            self.within("put a key", self.put_proved("put a key", &path, &bytes)).await?;
        }
        Ok(())
    }

    pub(crate) async fn get_key(&self, name: &KeyName) -> Result<Option<Bytes>, StorageError> {
        self.within("read a key", self.read_key(&self.key_path(name))).await
    }

    async fn read_key(&self, path: &Path) -> Result<Option<Bytes>, StorageError> {
        let result = match self.get_hedged(path, &GetOptions::default()).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            result => result.map_err(StorageError::s3_write("read a key"))?,
        };
        let bytes = self.to_its_end(result.bytes().await);
        Ok(Some(bytes.map_err(StorageError::s3_write("read a key"))?))
    }

    pub(crate) async fn delete_key(&self, name: &KeyName) -> Result<(), StorageError> {
        let path = self.key_path(name);
        let delete = async {
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(StorageError::s3_write("delete a key")(error)),
            }
        };
        self.within("delete a key", delete).await
    }

    pub(crate) async fn list_keys(&self) -> Result<Vec<KeyName>, StorageError> {
        let folder = Path::from(format!("{}/keys", self.prefix));
        let listed = self.listed(self.store.list(Some(&folder)), "list keys");
        let keys = listed
            .try_filter_map(|meta| async move { Ok(meta.location.filename().and_then(KeyName::parse)) });
        keys.try_collect().await
    }
}
