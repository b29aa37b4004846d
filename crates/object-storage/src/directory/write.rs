//! Writing one object: the caller fills one buffer while the disk takes the other.

use std::{mem, sync::Arc};

use fail_point::Point;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Directory, Durability, blocking, buffer::Buffer, joined, spool::Part};
use crate::{error::StorageError, key::ObjectKey};

/// An object on its way to the disk. At most two buffers of memory.
pub(crate) struct DirectoryWriter {
    directory: Arc<Directory>,
    key: ObjectKey,
    durability: Durability,
    buffer: Option<Buffer>,
    state: State,
}

enum State {
    /// Everything so far is in the buffer.
    Buffered,
    /// A buffer is on its way to the disk. When this is dropped the work goes on and removes its own part.
    Writing(JoinHandle<Result<(Part, Buffer), StorageError>>),
    /// An error happened, or a call was cut off.
    GivenUp,
}

impl DirectoryWriter {
    pub(crate) fn new(
        directory: &Arc<Directory>,
        key: ObjectKey,
        durability: Durability,
    ) -> Result<Self, StorageError> {
        directory.free_space.take(0)?;
        let buffer = Some(directory.buffers.take());
        Ok(Self { directory: Arc::clone(directory), key, durability, buffer, state: State::Buffered })
    }

    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        while !bytes.is_empty() {
            let buffer = self.buffer.as_mut().ok_or(StorageError::GivenUp)?;
            let taken = buffer.fill(bytes);
            bytes = &bytes[taken..];
            if buffer.is_full() {
                self.send_buffer().await?;
            }
        }
        Ok(())
    }

    /// Hands the full buffer to the disk and takes the one that the disk has finished with.
    async fn send_buffer(&mut self) -> Result<(), StorageError> {
        let full = self.buffer.take().ok_or(StorageError::GivenUp)?;
        self.directory.free_space.take(full.bytes().len() as u64)?;
        let (part, free) = match mem::replace(&mut self.state, State::GivenUp) {
            State::Buffered => (None, self.directory.buffers.take()),
            State::Writing(task) => {
                let (part, free) = joined(task).await?;
                (Some(part), free)
            }
            State::GivenUp => return Err(StorageError::GivenUp),
        };
        let directory = Arc::clone(&self.directory);
        let (key, direct) = (self.key, directory.direct_io);
        self.state = State::Writing(spawn_blocking(move || {
            let mut part = match part {
                Some(part) => part,
                None => Part::create(directory, key, direct)?,
            };
            let mut full = full;
            part.append_aligned(full.bytes())?;
            full.clear();
            Ok((part, full))
        }));
        self.buffer = Some(free);
        Ok(())
    }

    /// A small object takes exactly one trip: create, write, sync, rename, sync.
    pub(crate) async fn finish(mut self) -> Result<(), StorageError> {
        let tail = self.buffer.take().ok_or(StorageError::GivenUp)?;
        self.directory.free_space.take(tail.bytes().len() as u64)?;
        let part = match mem::replace(&mut self.state, State::GivenUp) {
            State::Buffered => None,
            State::Writing(task) => {
                let (part, free) = joined(task).await?;
                self.directory.buffers.give_back(free);
                Some(part)
            }
            State::GivenUp => return Err(StorageError::GivenUp),
        };
        let directory = Arc::clone(&self.directory);
        let (key, durability) = (self.key, self.durability);
        let finished = blocking(move || {
            let mut part = if let Some(part) = part {
                part
            } else {
                let direct = directory.direct_io && !tail.sectors().is_empty();
                Part::create(Arc::clone(&directory), key, direct)?
            };
            part.append_aligned(tail.sectors())?;
            part.append(&tail.bytes()[tail.sectors().len()..])?;
            fail_point::reach(Point::K5LastByteWritten).map_err(StorageError::io("write an object"))?;
            directory.buffers.give_back(tail);
            part.finish(durability)
        });
        finished.await?.keep();
        Ok(())
    }

    /// Waits until what was written is gone, so that the caller can rely on it.
    pub(crate) async fn abort(mut self) {
        if let State::Writing(task) = mem::replace(&mut self.state, State::GivenUp)
            && let Ok((part, buffer)) = joined(task).await
        {
            self.directory.buffers.give_back(buffer);
            let removed = blocking(move || {
                drop(part);
                Ok(())
            });
            drop(removed.await);
        }
    }
}

impl Drop for DirectoryWriter {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.directory.buffers.give_back(buffer);
        }
    }
}
