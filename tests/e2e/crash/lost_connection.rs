//! The connection to PostgreSQL is cut in COMMIT, before the server has read it or before we have read the answer: the
//! transaction is found or run again, and each instance is there once. (threats.md K27, row 61)

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use tests::{
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    session::PASSWORD,
};

const SHAPES: &[Shape] = &[Shape { side: 64, instances: 20 }; 3];
const URL: &str = "MAXRAY_DATABASE__URL";

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// COMMIT never arrives: the server rolls back.
    BeforeCommit,
    /// COMMIT arrives and is carried out; its answer does not come back.
    AfterCommit,
}

/// Stands between MaxRay and PostgreSQL.
#[derive(Debug)]
struct Proxy {
    socket: PathBuf,
    cut: Cut,
    /// Commits until the next cut; negative when none is asked for.
    commits_left: AtomicI64,
    cuts: AtomicU64,
}

#[tokio::test]
async fn cut_before_commit() {
    cut_connections(Cut::BeforeCommit).await;
}

#[tokio::test]
async fn cut_after_commit() {
    cut_connections(Cut::AfterCommit).await;
}

async fn cut_connections(cut: Cut) {
    let mut platform = Platform::prepare(Options { fsync: true, ..Options::on(Engine::Postgres) });
    let direct = platform.setting(URL).expect("a URL").to_owned();
    let folder = direct.split("host=").nth(1).expect("the folder of the socket");
    let proxy = Arc::new(Proxy {
        socket: PathBuf::from(folder).join(".s.PGSQL.5432"),
        cut,
        commits_left: AtomicI64::new(-1),
        cuts: AtomicU64::new(0),
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    platform.set(URL, &format!("postgres://postgres@{address}/maxray?sslmode=disable"));
    let accepting = Arc::clone(&proxy);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let proxy = Arc::clone(&accepting);
            std::thread::spawn(move || proxy.serve(&client));
        }
    });
    platform.restart().await;
    platform.add_user("reader", "viewer");
    for round in 1..=5 {
        let when = format!("{cut:?}, round {round}");
        let cuts = proxy.cuts.load(Ordering::SeqCst);
        proxy.commits_left.store(round, Ordering::SeqCst);
        let load = Load::run(platform.dicom(), &when, SHAPES);
        assert!(proxy.cuts.load(Ordering::SeqCst) > cuts, "{when}: no COMMIT was cut");
        assert_eq!(load.refused(), [], "{when}: the transaction is found, or run again");
        let reader = platform.sign_in("reader", PASSWORD).await;
        load.check_and_send_again(&reader, platform.dicom(), &when).await;
    }
}

impl Proxy {
    fn serve(&self, client: &TcpStream) {
        let Ok(server) = UnixStream::connect(&self.socket) else { return };
        let swallow = Arc::new(AtomicBool::new(false));
        let answers = {
            let swallow = Arc::clone(&swallow);
            let server = server.try_clone().expect("a second handle");
            let client = client.try_clone().expect("a second handle");
            std::thread::spawn(move || pass_answers(server, client, &swallow))
        };
        // An error is the end of the connection.
        let _ended = self.pass_requests(client, &server, &swallow);
        let _closed = server.shutdown(Shutdown::Both);
        let _closed = client.shutdown(Shutdown::Both);
        let _ended = answers.join();
    }

    /// PostgreSQL's protocol, 55.2: the first message has no type, each later one has a type and its length.
    fn pass_requests(
        &self,
        mut client: &TcpStream,
        mut server: &UnixStream,
        swallow: &AtomicBool,
    ) -> std::io::Result<()> {
        let first = read_message(client, 0)?;
        server.write_all(&first)?;
        loop {
            let message = read_message(client, 1)?;
            if message.first() == Some(&b'Q') && message[5..].starts_with(b"COMMIT") && self.is_due() {
                self.cuts.fetch_add(1, Ordering::SeqCst);
                if self.cut == Cut::AfterCommit {
                    swallow.store(true, Ordering::SeqCst);
                    server.write_all(&message)?;
                    // The other direction ends when the answer has come.
                    let _until_closed = client.read(&mut [0]);
                }
                return Ok(());
            }
            server.write_all(&message)?;
        }
    }

    fn is_due(&self) -> bool {
        self.commits_left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

fn pass_answers(mut server: UnixStream, mut client: TcpStream, swallow: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        if swallow.load(Ordering::SeqCst) || client.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _closed = client.shutdown(Shutdown::Both);
}

/// A message whose length stands behind `type_bytes` of type.
fn read_message(mut from: &TcpStream, type_bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; type_bytes + 4];
    from.read_exact(&mut message)?;
    let length: [u8; 4] = message[type_bytes..].try_into().expect("four bytes");
    let length = u32::from_be_bytes(length) as usize;
    message.resize(type_bytes + length.max(4), 0);
    from.read_exact(&mut message[type_bytes + 4..])?;
    Ok(message)
}
