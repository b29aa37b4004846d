//! PS3.7: messages both ways over one association, each command and data set exactly as given.

use std::{
    collections::BTreeMap,
    io::Write,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    files::padded,
    pdu::{Pdu, associate_accept, associate_request_with, command_set, items, p_data, read_pdu},
};

/// How long to wait for the peer.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes of a fragment: every peer takes that.
const FRAGMENT_BYTES: usize = 16 * 1024;

/// A presentation context to propose: abstract syntax and the one transfer syntax.
pub type Context<'a> = (&'a str, &'a str);

/// The same with several transfer syntaxes, in this order.
pub type Offer<'a> = (&'a str, &'a [&'a str]);

/// A command with its data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Presentation-context-ID.
    pub context: u8,
    /// Elements of group 0000.
    pub command: Vec<(u16, Vec<u8>)>,
    /// The data set.
    pub data_set: Option<Vec<u8>>,
}

impl Message {
    /// The value of a command element.
    pub fn value(&self, element: u16) -> Option<&[u8]> {
        self.command.iter().find(|(number, _)| *number == element).map(|(_, value)| value.as_slice())
    }

    /// A value of VR US.
    pub fn number(&self, element: u16) -> Option<u16> {
        self.value(element).and_then(|value| value.try_into().ok()).map(u16::from_le_bytes)
    }

    /// Status (0000,0900).
    ///
    /// # Panics
    /// When it has none.
    pub fn status(&self) -> u16 {
        self.number(0x0900).expect("a status")
    }
}

/// An association in which every message is seen.
#[derive(Debug)]
pub struct Dialogue {
    stream: TcpStream,
    /// The rest of a PDU.
    rest: Vec<u8>,
    /// How long to wait after each PDU.
    pause: Duration,
    /// The answer to the request.
    pub accept: Vec<u8>,
}

impl Dialogue {
    /// Connects and negotiates; contexts get the ids 1, 3, 5 and on.
    ///
    /// # Panics
    /// When there is no association.
    pub fn open(
        peer: SocketAddr,
        calling: &str,
        contexts: &[Context<'_>],
        sub_items: &[(u8, Vec<u8>)],
    ) -> Self {
        let offers: Vec<Offer<'_>> =
            contexts.iter().map(|(class, syntax)| (*class, std::slice::from_ref(syntax))).collect();
        Self::offer(peer, calling, &offers, sub_items)
    }

    /// As [`Self::open`], with several transfer syntaxes in a context.
    ///
    /// # Panics
    /// As there.
    pub fn offer(peer: SocketAddr, calling: &str, offers: &[Offer<'_>], sub_items: &[(u8, Vec<u8>)]) -> Self {
        let stream = TcpStream::connect(peer).expect("connected");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("an option");
        let numbered: Vec<(u8, &str, Vec<&str>)> = offers
            .iter()
            .enumerate()
            .map(|(index, (class, syntaxes))| (2 * index as u8 + 1, *class, syntaxes.to_vec()))
            .collect();
        let mut dialogue = Self { stream, rest: Vec::new(), pause: Duration::ZERO, accept: Vec::new() };
        dialogue.write(&associate_request_with("MAXRAY", calling, &numbered, sub_items).encode());
        let answer = read_pdu(&mut dialogue.stream).expect("an answer");
        assert_eq!(answer.kind, 2, "{answer:?}");
        dialogue.accept = answer.body;
        dialogue
    }

    /// The transfer syntax of each context that was accepted, by Presentation-context-ID (PS3.8 9.3.3.2).
    pub fn accepted(&self) -> BTreeMap<u8, String> {
        let results = items(self.accept.get(68..).unwrap_or_default()).into_iter();
        let accepted = results.filter_map(|(kind, item)| match (kind, item) {
            (0x21, [id, _, 0, _, rest @ ..]) => {
                let (_, uid) = items(rest).into_iter().find(|(kind, _)| *kind == 0x40)?;
                Some((*id, String::from_utf8_lossy(uid).trim_end_matches('\0').to_owned()))
            }
            _ => None,
        });
        accepted.collect()
    }

    /// The other side: takes the request that comes, with all that it proposes.
    ///
    /// # Panics
    /// When none comes.
    pub fn accept(mut stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("an option");
        let request = read_pdu(&mut stream).expect("a request");
        assert_eq!(request.kind, 1, "{request:?}");
        let accept = associate_accept(&request);
        let mut dialogue = Self { stream, rest: Vec::new(), pause: Duration::ZERO, accept: Vec::new() };
        dialogue.write(&accept.encode());
        dialogue.accept = accept.body;
        dialogue
    }

    /// Reads slowly from now on.
    pub fn pause_after_each_pdu(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// Bytes as they are.
    ///
    /// # Panics
    /// When the peer is gone.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("written");
    }

    /// A message as it goes over the wire.
    pub fn encode(context: u8, command: &[(u16, Vec<u8>)], data_set: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = p_data(context, true, true, &command_set(command)).encode();
        let mut fragments = data_set.unwrap_or_default().chunks(FRAGMENT_BYTES).peekable();
        while let Some(fragment) = fragments.next() {
            bytes.extend(p_data(context, false, fragments.peek().is_none(), fragment).encode());
        }
        bytes
    }

    /// C-FIND-RQ, C-GET-RQ or C-MOVE-RQ (PS3.7 9.3.2 to 9.3.4) with message id 1.
    pub fn request(field: u16, class: &str, destination: Option<&str>, identifier: &[u8]) -> Vec<u8> {
        let mut command: Vec<(u16, Vec<u8>)> =
            vec![(0x0002, class.into()), (0x0100, field.to_le_bytes().into()), (0x0110, vec![1, 0])];
        command.extend(destination.map(|title| (0x0600, format!("{title:<16}").into_bytes())));
        command.extend([(0x0700, vec![0, 0]), (0x0800, vec![0, 0])]);
        Self::encode(1, &command, Some(identifier))
    }

    /// C-CANCEL-RQ of a message.
    pub fn cancel(message_id: u16) -> Vec<u8> {
        let command = [
            (0x0100, vec![0xff, 0x0f]),
            (0x0120, message_id.to_le_bytes().to_vec()),
            (0x0800, vec![0x01, 0x01]),
        ];
        Self::encode(1, &command, None)
    }

    /// C-STORE-RQ (PS3.7 9.3.1.1) in a context, with message id 1.
    pub fn store_request(context: u8, class: &str, sop_instance_uid: &str, data_set: &[u8]) -> Vec<u8> {
        let command = [
            (0x0002, class.into()),
            (0x0100, vec![0x01, 0]),
            (0x0110, vec![1, 0]),
            (0x0700, vec![0, 0]),
            (0x0800, vec![0, 0]),
            (0x1000, sop_instance_uid.into()),
        ];
        Self::encode(context, &command, Some(&padded(data_set)))
    }

    /// C-STORE-RSP to a C-STORE-RQ.
    ///
    /// # Panics
    /// When the peer is gone.
    pub fn answer_store(&mut self, request: &Message, status: u16) {
        let same = |element: u16| request.value(element).expect("an element").to_vec();
        let command = [
            (0x0002, same(0x0002)),
            (0x0100, vec![0x01, 0x80]),
            (0x0120, same(0x0110)),
            (0x0800, vec![0x01, 0x01]),
            (0x0900, status.to_le_bytes().to_vec()),
            (0x1000, same(0x1000)),
        ];
        self.write(&Self::encode(request.context, &command, None));
    }

    /// The next PDU.
    ///
    /// # Panics
    /// When none comes.
    pub fn pdu(&mut self) -> Pdu {
        std::thread::sleep(self.pause);
        read_pdu(&mut self.stream).expect("a PDU")
    }

    /// The next message.
    ///
    /// # Panics
    /// When something else comes.
    pub fn message(&mut self) -> Message {
        let (context, bytes) = self.gather(true);
        let command = elements(&bytes);
        let mut message = Message { context, command, data_set: None };
        if message.number(0x0800) != Some(0x0101) {
            message.data_set = Some(self.gather(false).1);
        }
        message
    }

    fn gather(&mut self, is_command: bool) -> (u8, Vec<u8>) {
        let mut bytes = Vec::new();
        loop {
            if self.rest.is_empty() {
                let pdu = self.pdu();
                assert_eq!(pdu.kind, 4, "{pdu:?}");
                self.rest = pdu.body;
            }
            let length = u32::from_be_bytes(self.rest[..4].try_into().expect("a length")) as usize;
            let value: Vec<u8> = self.rest.drain(..4 + length).skip(4).collect();
            assert_eq!(value[1] & 1 == 1, is_command, "a fragment out of place");
            bytes.extend_from_slice(&value[2..]);
            if value[1] & 2 != 0 {
                return (value[0], bytes);
            }
        }
    }

    /// Pending responses until the last one, which comes with them.
    ///
    /// # Panics
    /// When something else comes.
    pub fn responses(&mut self) -> (Vec<Message>, Message) {
        let mut pending = Vec::new();
        loop {
            let message = self.message();
            if !matches!(message.status(), 0xff00 | 0xff01) {
                return (pending, message);
            }
            pending.push(message);
        }
    }

    /// A-RELEASE.
    ///
    /// # Panics
    /// When the peer does not agree.
    pub fn release(mut self) {
        self.write(&Pdu { kind: 5, body: vec![0; 4] }.encode());
        assert_eq!(self.pdu().kind, 6);
    }
}

fn elements(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut elements = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        elements.push((u16::from_le_bytes([head[2], head[3]]), rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    elements
}

/// An Identifier in Implicit VR Little Endian.
pub fn identifier(keys: &[(u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (tag, value) in keys {
        let padding = if value.len() % 2 == 1 { &b" "[..] } else { b"" };
        bytes.extend_from_slice(&((tag >> 16) as u16).to_le_bytes());
        bytes.extend_from_slice(&(*tag as u16).to_le_bytes());
        bytes.extend_from_slice(&((value.len() + padding.len()) as u32).to_le_bytes());
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(padding);
    }
    bytes
}
