//! threats.md row 7 on the wire: every PDU type in each state of PS3.8 9.2 that a peer can bring about, with the server as acceptor
//! and as requestor. In Sta1 and Sta4 there is no peer yet. This server asks for release as requestor alone, so a collision
//! leads it through Sta9 to Sta11, and never to Sta10 and Sta12; in Sta9 it answers before it reads again.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    time::Instant,
};

use tests::{
    platform::Platform,
    scu::{Dialogue, identifier, p_data, read_pdu, store},
    synthetic::{Synthetic, new_uid},
};

use super::*;
use crate::regressions::dimse::{ABORT_TIMEOUT, associated, request};

const STUDY_ROOT_MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
const C_MOVE: u16 = 0x0021;
const RELEASE_RQ: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];
const RELEASE_RP: [u8; 10] = [6, 0, 0, 0, 0, 4, 0, 0, 0, 0];
const UNRECOGNIZED: u8 = 99;
/// Reasons of an A-ABORT by the provider (PS3.8 table 9-26).
const UNRECOGNIZED_PDU: u8 = 1;
const UNEXPECTED_PDU: u8 = 2;
const INVALID_PARAMETER_VALUE: u8 = 6;
/// Peers at a time, to have some of them wait while others are served.
const PEERS: u8 = 8;

/// Any type, with the body of an A-ASSOCIATE-RJ: it is none of a request, an acceptance or data.
fn pdu(kind: u8) -> [u8; 10] {
    [kind, 0, 0, 0, 0, 4, 0, 1, 1, 7]
}

fn abort(reason: u8) -> Vec<u8> {
    vec![7, 0, 0, 0, 0, 4, 0, 0, 2, reason]
}

/// What the acceptor is at when the PDU comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acceptor {
    /// Sta2.
    AwaitingRequest,
    /// Sta3: the PDU is there before the request has been answered.
    Answering,
    /// Sta6, between messages.
    Established,
    /// Sta6, inside a command.
    InCommand,
    /// Sta6, inside a data set.
    InDataSet,
    /// Sta8: a release was asked for, and more came with it.
    Releasing,
    /// Sta13: it has aborted, and the connection is still there.
    Aborted,
}

impl Acceptor {
    const ALL: [Self; 7] = [
        Self::AwaitingRequest,
        Self::Answering,
        Self::Established,
        Self::InCommand,
        Self::InDataSet,
        Self::Releasing,
        Self::Aborted,
    ];

    /// A connection that needs these bytes to be there, and what is said before the PDU's own answer.
    fn reach(self, peer: SocketAddr) -> (TcpStream, Vec<u8>) {
        match self {
            Self::AwaitingRequest => (connect(peer), Vec::new()),
            Self::Answering => (connect(peer), request()),
            Self::Established => (associated(peer), Vec::new()),
            Self::InCommand => (associated(peer), p_data(1, true, false, &[0; 8]).encode()),
            Self::InDataSet => {
                let uid = new_uid();
                let (mut association, context) = begin_c_store(peer, &uid).expect("accepted");
                let stream = association.stream().try_clone().expect("a second handle");
                let data_set = Crafted::with(&uid, &new_uid(), &[]).data_set;
                (stream, p_data(context, false, false, &data_set).encode())
            }
            Self::Releasing => (associated(peer), RELEASE_RQ.to_vec()),
            Self::Aborted => (associated(peer), pdu(UNRECOGNIZED).to_vec()),
        }
    }

    /// PS3.8 table 9-10.
    fn expected(self, kind: u8) -> Vec<u8> {
        match (self, kind) {
            (Self::Releasing, _) | (Self::Answering | Self::Established, 5) => RELEASE_RP.to_vec(),
            (Self::Aborted, _) | (_, 0 | 8..) => abort(UNRECOGNIZED_PDU),
            (_, 7) => Vec::new(),
            (Self::AwaitingRequest, 1)
            | (Self::Answering | Self::Established | Self::InCommand | Self::InDataSet, 4) => {
                abort(INVALID_PARAMETER_VALUE)
            }
            (_, 1..=6) => abort(UNEXPECTED_PDU),
        }
    }

    fn check(self, peer: SocketAddr, kind: u8) {
        let (mut stream, before) = self.reach(peer);
        stream.write_all(&[&before[..], &pdu(kind)].concat()).expect("sent");
        let begin = Instant::now();
        if self == Self::Answering {
            assert_eq!(read_pdu(&mut stream).expect("an answer").kind, 2, "A-ASSOCIATE-AC");
        }
        let said = bytes_to_end(&mut stream);
        assert_eq!(said, self.expected(kind), "type {kind:02x} in {self:?}");
        assert!(begin.elapsed() < ABORT_TIMEOUT, "type {kind:02x} in {self:?}: after {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn every_pdu_type_in_every_state_of_the_acceptor_is_answered_as_the_standard_says() {
    // The places of those who have just been told to go are free a moment later.
    let options = quiet().with("MAXRAY_PACS__ASSOCIATIONS_PER_AE_MAX", "64");
    let mut platform = Platform::start(options.with("MAXRAY_PACS__ASSOCIATIONS_PER_ADDRESS_MAX", "64")).await;
    let guard = platform.guard();
    let peer = platform.dicom();
    std::thread::scope(|scope| {
        for first in 0..PEERS {
            scope.spawn(move || {
                for kind in (first..=u8::MAX).step_by(usize::from(PEERS)) {
                    for state in Acceptor::ALL {
                        state.check(peer, kind);
                    }
                }
            });
        }
    });
    guard.check(&mut platform, 20 * MIB).await;
}

/// What the requestor is at when the PDU comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requestor {
    /// Sta5.
    AwaitingAnswer,
    /// Sta6: a C-STORE is to be answered.
    AwaitingResponse,
    /// Sta7.
    AwaitingRelease,
    /// Sta11: both have asked for release, and the peer has its answer.
    Collided,
}

impl Requestor {
    const ALL: [Self; 4] =
        [Self::AwaitingAnswer, Self::AwaitingResponse, Self::AwaitingRelease, Self::Collided];

    /// Plays the destination, and gives what the server says to the PDU.
    fn play(self, mut stream: TcpStream, kind: u8) -> Vec<u8> {
        if self == Self::AwaitingAnswer {
            assert_eq!(read_pdu(&mut stream).expect("a request").kind, 1);
        } else {
            let mut dialogue = Dialogue::accept(stream.try_clone().expect("a second handle"));
            let stored = dialogue.message();
            if self != Self::AwaitingResponse {
                dialogue.answer_store(&stored, 0);
                assert_eq!(dialogue.pdu().kind, 5, "A-RELEASE-RQ");
            }
            if self == Self::Collided {
                dialogue.write(&RELEASE_RQ);
                assert_eq!(dialogue.pdu().kind, 6, "A-RELEASE-RP");
            }
        }
        stream.write_all(&pdu(kind)).expect("sent");
        if (self, kind) == (Self::AwaitingRelease, 5) {
            // The collision: another state, in which it waits for our answer.
            assert_eq!(read_pdu(&mut stream).expect("an answer").kind, 6, "A-RELEASE-RP");
            stream.write_all(&RELEASE_RP).expect("sent");
        }
        bytes_to_end(&mut stream)
    }

    /// PS3.8 table 9-10.
    fn expected(self, kind: u8) -> Vec<u8> {
        match (self, kind) {
            (_, 7) | (Self::AwaitingAnswer, 3) | (Self::AwaitingRelease, 5 | 6) | (Self::Collided, 6) => {
                Vec::new()
            }
            (Self::AwaitingAnswer, 2)
            | (Self::AwaitingResponse | Self::AwaitingRelease | Self::Collided, 4) => {
                abort(INVALID_PARAMETER_VALUE)
            }
            (_, 1..=6) => abort(UNEXPECTED_PDU),
            (_, 0 | 8..) => abort(UNRECOGNIZED_PDU),
        }
    }

    fn title(self) -> String {
        format!("{self:?}").to_uppercase()[..16.min(format!("{self:?}").len())].to_owned()
    }

    /// One C-MOVE for each type: the sub-operation is counted as what became of it.
    fn check(self, peer: SocketAddr, connections: &mpsc::Receiver<TcpStream>, study: &str) {
        let mut mover = Dialogue::open(peer, "MOVER", &[(STUDY_ROOT_MOVE, IMPLICIT)], &[]);
        let keys = identifier(&[(0x0008_0052, b"STUDY"), (0x0020_000d, study.as_bytes())]);
        for kind in 0..=u8::MAX {
            mover.write(&Dialogue::request(C_MOVE, STUDY_ROOT_MOVE, Some(&self.title()), &keys));
            let stream = connections.recv_timeout(PATIENCE).expect("the server calls");
            stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            let said = self.play(stream, kind);
            assert_eq!(said, self.expected(kind), "type {kind:02x} in {self:?}");
            let (_, last) = mover.responses();
            let counts = (last.number(0x1021), last.number(0x1022));
            let stored = matches!(self, Self::AwaitingRelease | Self::Collided);
            let expected = if stored { (Some(1), Some(0)) } else { (Some(0), Some(1)) };
            assert_eq!(counts, expected, "completed and failed, type {kind:02x} in {self:?}");
        }
        mover.release();
    }
}

#[tokio::test]
async fn every_pdu_type_in_every_state_of_the_requestor_is_answered_as_the_standard_says() {
    let mut platform = Platform::start(quiet()).await;
    platform.register_ae("MOVER", &["--operation", "move"]);
    let destinations: Vec<(Requestor, mpsc::Receiver<TcpStream>)> = Requestor::ALL
        .into_iter()
        .map(|state| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("an address").port().to_string();
            platform.register_ae(&state.title(), &["--call-host", "127.0.0.1", "--call-port", &port]);
            let (sender, receiver) = mpsc::channel();
            std::thread::spawn(move || {
                listener.incoming().flatten().try_for_each(|stream| sender.send(stream))
            });
            (state, receiver)
        })
        .collect();
    let instance = Synthetic::cr("MOVED", 8, 8);
    store(&platform, std::slice::from_ref(&instance));
    let guard = platform.guard();
    let peer = platform.dicom();
    std::thread::scope(|scope| {
        for (state, connections) in destinations {
            let study = instance.study_instance_uid.as_str();
            scope.spawn(move || state.check(peer, &connections, study));
        }
    });
    guard.check(&mut platform, 20 * MIB).await;
}
