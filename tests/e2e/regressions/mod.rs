//! Ways in which archives have been broken, each tried on this one through the door that a stranger would use.
//! `docs/regressions.md` says which test answers which of them.

mod character_sets;
mod cuts;
mod data_set;
mod dimse;
mod floods;
mod http;
mod identity;
mod meta_group;
mod paths;
mod upper_layer_states;
mod web;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use reqwest::Method;
use tests::{
    multipart, part10,
    platform::Options,
    scu::{Association, AssociationError, Proposal, p_data},
    session::Session,
    synthetic::{CR_IMAGE_STORAGE, Encoding, Writer, new_uid},
};

const MIB: u64 = 1 << 20;
/// How long a stranger waits for an answer before the test fails. Machines of tests are busy.
const PATIENCE: Duration = Duration::from_secs(30);

const IMPLICIT: &str = model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
const EXPLICIT: &str = model::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
const BIG_ENDIAN: &str = model::transfer_syntax::EXPLICIT_VR_BIG_ENDIAN;
const DEFLATED: &str = model::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;

/// A server that makes no previews: objects are what was sent, and nothing else.
fn quiet() -> Options {
    Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")
}

/// A CR image in Explicit VR Little Endian: the UIDs, and what the test is about behind them.
struct Crafted {
    sop_instance_uid: String,
    study_instance_uid: String,
    data_set: Vec<u8>,
}

impl Crafted {
    fn new(tail: &[u8]) -> Self {
        Self::with(&new_uid(), &new_uid(), tail)
    }

    fn with(sop_instance_uid: &str, study_instance_uid: &str, tail: &[u8]) -> Self {
        let mut writer = Writer::new(Encoding::ExplicitLittle);
        writer.text(0x0008_0016, "UI", CR_IMAGE_STORAGE);
        writer.text(0x0008_0018, "UI", sop_instance_uid);
        writer.text(0x0010_0020, "LO", "CRAFTED");
        writer.text(0x0020_000d, "UI", study_instance_uid);
        writer.text(0x0020_000e, "UI", &new_uid());
        let mut data_set = writer.finish();
        data_set.extend_from_slice(tail);
        Self {
            sop_instance_uid: sop_instance_uid.to_owned(),
            study_instance_uid: study_instance_uid.to_owned(),
            data_set,
        }
    }

    fn part10(&self) -> Vec<u8> {
        [part10::file_meta(CR_IMAGE_STORAGE, &self.sop_instance_uid, EXPLICIT), self.data_set.clone()]
            .concat()
    }

    /// Through C-STORE: the status.
    fn c_store(&self, peer: SocketAddr) -> u16 {
        c_store(peer, &self.sop_instance_uid, EXPLICIT, &self.data_set)
    }

    /// Through both doors: refused because of what it is, at each.
    async fn check_refused(&self, peer: SocketAddr, service: &Session, what: &str) {
        let status = self.c_store(peer);
        assert!((0xa900..=0xcfff).contains(&status), "{what} through C-STORE: {status:04X}");
        let (status, answer) = stow(service, &self.part10()).await;
        assert!((400..500).contains(&status), "{what} through STOW-RS: {status} {answer}");
    }
}

/// Sequences inside each other.
fn nested(depth: usize, closed: bool) -> Vec<u8> {
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    for _ in 0..depth {
        writer.header(0x0040_a730, "SQ", u32::MAX);
        writer.item(0xfffe_e000, u32::MAX);
    }
    for _ in 0..if closed { depth } else { 0 } {
        writer.item(0xfffe_e00d, 0);
        writer.item(0xfffe_e0dd, 0);
    }
    writer.finish()
}

/// Sends one data set and gives the status.
fn c_store(peer: SocketAddr, sop_instance_uid: &str, syntax: &str, data_set: &[u8]) -> u16 {
    let proposal = Proposal::new(CR_IMAGE_STORAGE, syntax);
    let mut association =
        Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal)).expect("accepted");
    match association.store(&proposal, sop_instance_uid, data_set) {
        Ok(status) => status,
        Err(error) => panic!("{sop_instance_uid}: {error:?} instead of a status"),
    }
}

/// An association for one CR context, with the C-STORE-RQ for `sop_instance_uid` sent; data are up to the test.
fn begin_c_store(peer: SocketAddr, sop_instance_uid: &str) -> Result<(Association, u8), AssociationError> {
    let proposal = Proposal::new(CR_IMAGE_STORAGE, EXPLICIT);
    let mut association = Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal))?;
    let context = association.context(&proposal)?;
    let command = association.store_request(CR_IMAGE_STORAGE, sop_instance_uid);
    association.stream().write_all(&p_data(context, true, true, &command).encode())?;
    Ok((association, context))
}

/// STOW-RS of one file: status and answer.
async fn stow(service: &Session, file: &[u8]) -> (u16, String) {
    let request = service
        .request(Method::POST, "/dicomweb/studies")
        .header("Content-Type", multipart::content_type("frontier"));
    let answer = request.body(multipart::encode("frontier", &[file])).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.unwrap_or_default())
}

fn connect(peer: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(peer).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// Sends bytes that need not be HTTP, and gives everything that comes back until the server closes.
fn raw(peer: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(peer);
    // The server may have closed before it has read everything.
    let _closed_early = stream.write_all(bytes);
    read_to_end(&mut stream)
}

fn read_to_end(stream: &mut TcpStream) -> String {
    String::from_utf8_lossy(&bytes_to_end(stream)).into_owned()
}

fn bytes_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection was neither answered nor closed: {error}"),
    }
    answer
}
