//! The two homes of docs/operations.md. A test that does not say which one it wants gets SQLite and a directory, and with
//! `MAXRAY_TEST_HOME=distributed` a database of its own in PostgreSQL and a bucket of its own. [`crate::behind`] reads and
//! changes what either holds.

use std::{fs::OpenOptions, io::Write as _, panic::Location, sync::mpsc, thread};

use tokio::sync::oneshot;

use crate::{env, s3::S3Server};

/// Whether this is a run on the distributed home.
///
/// # Panics
/// When the variable says something else.
pub fn is_distributed() -> bool {
    match env::text(env::HOME).as_deref() {
        None | Some("embedded") => false,
        Some("distributed") => true,
        Some(other) => panic!("{}={other} is neither embedded nor distributed", env::HOME),
    }
}

/// Whether a test that is about SQLite or about the directory ends here, because this run is one on the other home. The
/// reason is printed, and `./test` lists it at the end: CONTRIBUTING.md names these tests.
///
/// # Panics
/// When the list takes no more.
#[must_use]
#[track_caller]
pub fn embedded_only(why: &str) -> bool {
    if !is_distributed() {
        return false;
    }
    let place = Location::caller();
    let line = format!("{}:{}: {why}\n", place.file(), place.line());
    eprint!("not run on the distributed home: {line}");
    if let Some(path) = env::path(env::NOT_RUN) {
        // In one piece: other tests write there at the same time.
        let list = OpenOptions::new().create(true).append(true).open(path);
        list.and_then(|mut list| list.write_all(line.as_bytes())).expect("the list of what is not run");
    }
    true
}

/// A bucket that a thread of its own serves: the test may stand still while the program works. It ends when dropped.
#[derive(Debug)]
pub(crate) struct Bucket {
    server: S3Server,
    /// The thread waits for its end.
    _serves: oneshot::Sender<()>,
}

impl Bucket {
    /// An empty one.
    ///
    /// # Panics
    /// When there is no port.
    pub(crate) fn start() -> Self {
        let (serves, dropped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let _test_is_gone = tell.send(S3Server::start().await);
                let _ended: Result<(), _> = dropped.await;
            });
        });
        Self { server: told.recv().expect("an S3 server"), _serves: serves }
    }

    /// The server that can be looked into.
    pub(crate) fn server(&self) -> &S3Server {
        &self.server
    }
}
