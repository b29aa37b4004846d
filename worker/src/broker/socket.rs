//! The socket of a connection, held so that it can be closed. lapin writes nothing while the broker blocks its publishers, not
//! even that it goes, and waits for ever for a broker that does not greet: a connection that is only dropped then would stay, with
//! a thread of its own, and each attempt would leave another.

use std::{
    io, mem,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
};

/// A socket, from before it is connected; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Socket(Arc<Mutex<Held>>);

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    Open(TcpStream),
    Closed,
}

impl Socket {
    /// Holds what was connected.
    ///
    /// # Errors
    /// When nobody waits for it any more.
    pub(super) fn hold(&self, stream: &impl AsFd) -> io::Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*held, Held::Closed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        *held = Held::Open(stream.as_fd().try_clone_to_owned()?.into());
        Ok(())
    }
}

/// Closes the socket when it is dropped.
pub(super) struct ClosedOnDrop(pub(super) Socket);

impl Drop for ClosedOnDrop {
    fn drop(&mut self) {
        let mut held = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Held::Open(stream) = mem::replace(&mut *held, Held::Closed) {
            let _closed_already = stream.shutdown(Shutdown::Both);
        }
    }
}
