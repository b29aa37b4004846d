//! The whole door over a stream in memory, against peers that keep the rules and peers that do not.

mod limits;
mod messages;
mod operations_window;
mod states;
mod stopping;
mod user_identity;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use dicom_header::Identity;
use dicom_ul::pdu::{AssociationRQ, Pdu, PresentationContextProposed, UserVariableItem, read_pdu, write_pdu};
use model::{
    AeTitle,
    ae::{Ae, AeOperation, AeProfile},
    clock::Clock,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::timeout,
};

use super::Door;
use crate::{
    access::Denied,
    backend::{Backend, InstanceSink, Peer, Refused, RefusedAct, Unavailable},
    caller::Caller,
    config::PacsConfig,
    dimse::command_set::{
        CommandSet, CommandSetBuilder, DATA_SET_PRESENT, NO_DATA_SET, command_field, element,
    },
    origin::Origin,
    refusals::More,
    upper_layer::{
        negotiation::{APPLICATION_CONTEXT_NAME, PresentationContext},
        pdu::{AbortReason, put_p_data, split_presentation_data_value},
    },
};

const VERIFICATION: &str = "1.2.840.10008.1.1";
const CR_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const INSTANCE_UID: &str = "1.2.3.4";

/// SOP Instance UIDs and data sets.
type Instances = Vec<(String, Vec<u8>)>;

/// An archive that keeps data sets in memory.
#[derive(Clone, Default)]
struct Memory {
    stored: Arc<Mutex<Instances>>,
    refusals: Arc<Mutex<Vec<RefusedAct>>>,
    /// What was told of several together.
    counted: Arc<Mutex<Vec<String>>>,
    alarms: Arc<Mutex<Vec<IpAddr>>>,
    audit_is_down: bool,
    registered: Vec<Ae>,
    /// Writing fails after so many bytes.
    room: Option<usize>,
    /// Committing takes this long.
    commit_time: Duration,
    /// Commits that run, and the most that ran at once.
    commits: Arc<Mutex<(usize, usize)>>,
}

struct MemoryWriter {
    memory: Memory,
    sop_instance_uid: String,
    bytes: Vec<u8>,
}

crate::fuzzing::empty::empty_lookup!(Memory);

impl Backend for Memory {
    type Writer = MemoryWriter;

    fn instance_length_max_bytes(&self) -> u64 {
        10_000
    }

    fn begin_instance(&self, _: &Peer, _: &PresentationContext, identity: Identity) -> MemoryWriter {
        let sop_instance_uid = identity.sop_instance_uid.into();
        MemoryWriter { memory: self.clone(), sop_instance_uid, bytes: Vec::new() }
    }

    async fn registry(&self) -> Result<Arc<[Ae]>, Unavailable> {
        Ok(self.registered.clone().into())
    }

    async fn record_acceptance(&self, _: &Peer) -> Result<(), Unavailable> {
        if self.audit_is_down { Err(Unavailable) } else { Ok(()) }
    }

    async fn record_refusal(&self, _: &Peer, refused: RefusedAct) {
        self.refusals.lock().unwrap().push(refused);
    }

    async fn record_more_refusals(&self, first: &Peer, denied: Denied, more: More) {
        let told = format!("{} {}: {more}", first.calling_ae_title, denied.as_str());
        self.counted.lock().unwrap().push(told);
    }

    async fn raise_alarm(&self, address: IpAddr) {
        self.alarms.lock().unwrap().push(address);
    }

    async fn record_failed_handshake(&self, _: IpAddr, _: &'static str) {}
}

impl InstanceSink for MemoryWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Refused> {
        self.bytes.extend_from_slice(&bytes);
        match self.memory.room {
            Some(room) if self.bytes.len() > room => Err(Refused::saying(0xA700, "no room")),
            _ => Ok(()),
        }
    }

    async fn commit(self) -> Result<(), Refused> {
        {
            let mut commits = self.memory.commits.lock().unwrap();
            commits.0 += 1;
            commits.1 = commits.1.max(commits.0);
        }
        tokio::time::sleep(self.memory.commit_time).await;
        self.memory.commits.lock().unwrap().0 -= 1;
        self.memory.stored.lock().unwrap().push((self.sop_instance_uid, self.bytes));
        Ok(())
    }

    async fn abort(self) {}
}

/// The other end of a connection to a door.
struct TestPeer {
    stream: DuplexStream,
}

/// Registered for one address.
fn registration(title: &str, address: IpAddr, operations: &[AeOperation]) -> Ae {
    let addresses = vec![address.to_string().parse().expect("a network")];
    let profile = AeProfile { addresses, operations: operations.to_vec(), ..AeProfile::default() };
    let now = Clock::system().now();
    let title = AeTitle::parse(title).expect("a title");
    Ae { id: uuid::Uuid::now_v7(), title, profile, version: 1, created_at: now, updated_at: now }
}

fn open(config: PacsConfig, memory: &Memory) -> Arc<Door<Memory>> {
    Arc::new(Door::new(memory.clone(), Caller::new(&config), config, false))
}

fn connect(door: &Arc<Door<Memory>>) -> TestPeer {
    connect_from(door, IpAddr::from([127, 0, 0, 1]))
}

fn connect_from(door: &Arc<Door<Memory>>, address: IpAddr) -> TestPeer {
    let (stream, ours) = tokio::io::duplex(1 << 20);
    tokio::spawn(Arc::clone(door).serve_connection(ours, Origin::plain(address), None));
    TestPeer { stream }
}

/// A peer with an association: context 1 for C-ECHO, 3 for CR images.
async fn associated(memory: &Memory) -> TestPeer {
    let mut peer = connect(&open(PacsConfig::default(), memory));
    peer.associate().await;
    peer
}

fn proposal() -> AssociationRQ {
    let context = |id, abstract_syntax: &str, transfer_syntaxes: &[&str]| PresentationContextProposed {
        id,
        abstract_syntax: abstract_syntax.into(),
        transfer_syntaxes: transfer_syntaxes.iter().map(ToString::to_string).collect(),
    };
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: "CR1".into(),
        called_ae_title: "MAXRAY".into(),
        application_context_name: APPLICATION_CONTEXT_NAME.into(),
        presentation_contexts: vec![
            context(1, VERIFICATION, &[IMPLICIT]),
            context(3, CR_IMAGE_STORAGE, &[IMPLICIT, EXPLICIT]),
        ],
        user_variables: vec![UserVariableItem::MaxLength(16_384)],
    }
}

impl TestPeer {
    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
    }

    async fn request(&mut self, request: AssociationRQ) {
        let mut bytes = Vec::new();
        write_pdu(&mut bytes, &Pdu::AssociationRQ(request)).expect("encoded");
        self.send(&bytes).await;
    }

    async fn associate(&mut self) {
        self.request(proposal()).await;
        let (pdu_type, _) = self.receive().await;
        assert_eq!(pdu_type, 2, "A-ASSOCIATE-AC");
    }

    /// The next PDU; at most a second of test time may pass.
    async fn receive(&mut self) -> (u8, Bytes) {
        timeout(Duration::from_secs(1), self.receive_patiently()).await.expect("an answer within a second")
    }

    async fn receive_patiently(&mut self) -> (u8, Bytes) {
        let mut header = [0; 6];
        self.stream.read_exact(&mut header).await.expect("a PDU");
        let length = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
        let mut body = vec![0; length as usize];
        self.stream.read_exact(&mut body).await.expect("a body");
        (header[0], body.into())
    }

    async fn receive_answer(&mut self) -> Pdu {
        let (pdu_type, body) = self.receive().await;
        let mut whole = vec![pdu_type, 0];
        whole.extend((body.len() as u32).to_be_bytes());
        whole.extend_from_slice(&body);
        read_pdu(&whole[..], 1 << 20, true).expect("decoded").expect("whole")
    }

    async fn expect_abort(&mut self, reason: AbortReason) {
        let (pdu_type, body) = self.receive().await;
        assert_eq!((pdu_type, &body[..]), (7, &[0, 0, 2, reason as u8][..]));
        self.expect_end().await;
    }

    async fn expect_rejection(&mut self, codes: [u8; 3]) {
        let (pdu_type, body) = self.receive().await;
        assert_eq!((pdu_type, &body[1..]), (3, &codes[..]));
        self.expect_end().await;
    }

    async fn expect_end(&mut self) {
        let mut rest = Vec::new();
        let read = timeout(Duration::from_secs(1), self.stream.read_to_end(&mut rest)).await;
        assert_eq!(read.expect("closed within a second").expect("closed"), 0);
    }

    async fn send_fragment(&mut self, context_id: u8, is_command: bool, is_last: bool, bytes: &[u8]) {
        let mut buffer = BytesMut::new();
        put_p_data(&mut buffer, context_id, is_command, is_last, bytes);
        self.send(&buffer).await;
    }

    /// The response to one command: its status and comment.
    async fn response(&mut self) -> (u16, String) {
        let (pdu_type, mut body) = self.receive().await;
        assert_eq!(pdu_type, 4);
        let value = split_presentation_data_value(&mut body).expect("a value");
        assert!(body.is_empty() && value.is_command && value.is_last);
        let command = CommandSet::parse(value.fragment).expect("a command set");
        assert!(command.command_field & command_field::RESPONSE != 0 && !command.has_data_set);
        assert_eq!(command.number(element::MESSAGE_ID_BEING_RESPONDED_TO), Some(7));
        let comment = command.text(element::ERROR_COMMENT).unwrap_or_default().to_owned();
        (command.number(element::STATUS).expect("a status"), comment)
    }
}

fn command(field: u16, sop_class_uid: &str, sop_instance_uid: Option<&str>) -> Vec<u8> {
    let data_set = if sop_instance_uid.is_some() { DATA_SET_PRESENT } else { NO_DATA_SET };
    CommandSetBuilder::default()
        .uid(element::AFFECTED_SOP_CLASS_UID, Some(sop_class_uid))
        .number(element::COMMAND_FIELD, field)
        .number(element::MESSAGE_ID, 7)
        .number(element::COMMAND_DATA_SET_TYPE, data_set)
        .uid(element::AFFECTED_SOP_INSTANCE_UID, sop_instance_uid)
        .build()
}

fn c_echo() -> Vec<u8> {
    command(command_field::C_ECHO_RQ, VERIFICATION, None)
}

fn c_store() -> Vec<u8> {
    command(command_field::C_STORE_RQ, CR_IMAGE_STORAGE, Some(INSTANCE_UID))
}
