//! A line between a server and what it needs that can be cut as networks cut them: nothing passes any more, and neither
//! end is told. Once it is whole again what was on its way arrives.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

/// Where a line leads.
#[derive(Debug, Clone)]
pub enum End {
    /// To a port of this machine.
    Port(SocketAddr),
    /// To a socket in a folder.
    Socket(PathBuf),
}

/// The line. It ends with the runtime of the test.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    is_whole: bool,
    /// How often everything was forgotten.
    age: u64,
}

impl Link {
    /// Lays one to `end`.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn to(end: End) -> Self {
        Self::between((Ipv4Addr::LOCALHOST, 0).into(), end).await
    }

    /// The same from another address; port 0 for a free one.
    ///
    /// # Panics
    /// As [`Self::to`].
    pub async fn between(near: SocketAddr, end: End) -> Self {
        let listener = TcpListener::bind(near).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, states) = watch::channel(State { is_whole: true, age: 0 });
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (end, whole) = (end.clone(), states.clone());
                tokio::spawn(async move {
                    // An end that is not there closes the connection.
                    match end {
                        End::Port(address) => {
                            let Ok(server) = TcpStream::connect(address).await else { return };
                            join(client, server, whole).await;
                        }
                        End::Socket(path) => {
                            let Ok(server) = UnixStream::connect(path).await else { return };
                            join(client, server, whole).await;
                        }
                    }
                });
            }
        });
        Self { address, state }
    }

    /// Where it is taken up.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing passes.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.is_whole = false);
    }

    /// From now on everything passes.
    pub fn mend(&self) {
        self.state.send_modify(|state| state.is_whole = true);
    }

    /// What passes on the connections of now never does again, and neither end is told: the machine behind them has vanished, and
    /// another one has its name. New connections are served.
    pub fn forget(&self) {
        self.state.send_modify(|state| state.age += 1);
    }
}

/// Both ways.
async fn join(client: TcpStream, server: impl AsyncRead + AsyncWrite, whole: watch::Receiver<State>) {
    let ((reads, writes), (answers, requests)) = (split(client), split(server));
    tokio::join!(pass(reads, requests, whole.clone()), pass(answers, writes, whole));
}

/// Until one end closes; the other is closed then.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut whole: watch::Receiver<State>,
) {
    let own = whole.borrow().age;
    let passes = move |state: &State| state.is_whole && state.age == own;
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if whole.wait_for(passes).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _closed = whole.wait_for(passes).await.is_ok();
    let _closed = to.shutdown().await;
}
