//! PS3.8: an association as a requestor, blocking, sending data sets exactly as given.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    files::padded,
    pdu::{Pdu, associate_request, command_set, items, p_data, read_pdu},
};

/// How long to wait for the peer.
const READ_TIMEOUT: Duration = Duration::from_secs(90);
/// Bytes of a fragment when the peer sets no limit.
const FRAGMENT_DEFAULT_BYTES: usize = 128 * 1024;
/// Presentation contexts of one association: odd ids up to 255.
const CONTEXTS_MAX: usize = 128;

/// What we call ourselves.
pub const CALLING: &str = "MAXRAY_TEST";
/// Verification.
const VERIFICATION: &str = "1.2.840.10008.1.1";

/// What a sender wants to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proposal {
    /// Abstract syntax: a SOP Class UID.
    pub sop_class_uid: String,
    /// The one transfer syntax of the context.
    pub transfer_syntax_uid: String,
}

impl Proposal {
    /// A pair.
    pub fn new(sop_class_uid: &str, transfer_syntax_uid: &str) -> Self {
        Self { sop_class_uid: sop_class_uid.to_owned(), transfer_syntax_uid: transfer_syntax_uid.to_owned() }
    }
}

/// Why there is no association, or no longer.
#[derive(Debug)]
pub enum AssociationError {
    /// A-ASSOCIATE-RJ: result, source, reason (PS3.8 9.3.4).
    Rejected(u8, u8, u8),
    /// A-ABORT: source, reason (PS3.8 9.3.8).
    Aborted(u8, u8),
    /// The peer did not take this class in this syntax.
    NotAccepted(Proposal),
    /// Something else came than the protocol allows.
    Unexpected(Pdu),
    /// The connection broke.
    Io(io::Error),
}

impl From<io::Error> for AssociationError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An open association.
#[derive(Debug)]
pub struct Association {
    stream: TcpStream,
    contexts: HashMap<Proposal, u8>,
    fragment_max_bytes: usize,
    message_id: u16,
}

impl Association {
    /// Connects and negotiates, each proposal in its own context.
    ///
    /// # Errors
    /// When the peer refuses, or is not there.
    ///
    /// # Panics
    /// With more than 128 proposals.
    pub fn request(peer: SocketAddr, called: &str, proposals: &[Proposal]) -> Result<Self, AssociationError> {
        Self::negotiate(&[], CALLING, peer, called, proposals)
    }

    /// The same by another AE title.
    ///
    /// # Errors
    /// As [`Self::request`].
    ///
    /// # Panics
    /// As [`Self::request`].
    pub fn request_as(
        calling: &str,
        peer: SocketAddr,
        called: &str,
        proposals: &[Proposal],
    ) -> Result<Self, AssociationError> {
        Self::negotiate(&[], calling, peer, called, proposals)
    }

    /// The same after some bytes that are not DICOM: what a proxy says first.
    ///
    /// # Errors
    /// As [`Self::request`].
    ///
    /// # Panics
    /// As [`Self::request`].
    pub fn request_behind(
        said_first: &[u8],
        peer: SocketAddr,
        called: &str,
        proposals: &[Proposal],
    ) -> Result<Self, AssociationError> {
        Self::negotiate(said_first, CALLING, peer, called, proposals)
    }

    fn negotiate(
        said_first: &[u8],
        calling: &str,
        peer: SocketAddr,
        called: &str,
        proposals: &[Proposal],
    ) -> Result<Self, AssociationError> {
        assert!(proposals.len() <= CONTEXTS_MAX, "{} proposals", proposals.len());
        let mut stream = TcpStream::connect(peer)?;
        stream.write_all(said_first)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        let mut association = Self {
            stream,
            contexts: HashMap::new(),
            fragment_max_bytes: FRAGMENT_DEFAULT_BYTES,
            message_id: 0,
        };
        let contexts: Vec<(u8, &str, Vec<&str>)> = proposals
            .iter()
            .enumerate()
            .map(|(index, one)| {
                (2 * index as u8 + 1, one.sop_class_uid.as_str(), vec![one.transfer_syntax_uid.as_str()])
            })
            .collect();
        association.stream.write_all(&associate_request(called, calling, &contexts).encode())?;
        let accept = association.receive(2)?;
        association.read_accept(&accept.body, proposals);
        Ok(association)
    }

    fn read_accept(&mut self, body: &[u8], proposals: &[Proposal]) {
        for (kind, item) in items(body.get(68..).unwrap_or_default()) {
            match (kind, item) {
                (0x21, [id, _, 0, ..]) => {
                    let index = usize::from(id / 2);
                    if let Some(proposal) = proposals.get(index) {
                        self.contexts.insert(proposal.clone(), *id);
                    }
                }
                (0x50, user) => {
                    for (kind, item) in items(user) {
                        if let (0x51, Ok(bytes)) = (kind, <[u8; 4]>::try_from(item)) {
                            let length = u32::from_be_bytes(bytes) as usize;
                            let limit = if length == 0 { FRAGMENT_DEFAULT_BYTES } else { length - 6 };
                            self.fragment_max_bytes = limit.min(1024 * 1024);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The context of an accepted proposal.
    ///
    /// # Errors
    /// When the peer did not accept it.
    pub fn context(&self, proposal: &Proposal) -> Result<u8, AssociationError> {
        self.contexts.get(proposal).copied().ok_or_else(|| AssociationError::NotAccepted(proposal.clone()))
    }

    /// C-STORE (PS3.7 9.1.1) of a data set as it stands: the status. Fragments have even length (PS3.8 Annex E), so
    /// a data set of odd length travels as [`padded`] makes it.
    ///
    /// # Errors
    /// When the peer aborts or did not take the class in this syntax.
    pub fn store(
        &mut self,
        proposal: &Proposal,
        sop_instance_uid: &str,
        data_set: &[u8],
    ) -> Result<u16, AssociationError> {
        let context = self.context(proposal)?;
        let command = self.store_request(&proposal.sop_class_uid, sop_instance_uid);
        self.stream.write_all(&p_data(context, true, true, &command).encode())?;
        let data_set = padded(data_set);
        let mut fragments = data_set.chunks(self.fragment_max_bytes).peekable();
        while let Some(fragment) = fragments.next() {
            let is_last = fragments.peek().is_none();
            self.stream.write_all(&p_data(context, false, is_last, fragment).encode())?;
        }
        self.status()
    }

    /// The command set of a C-STORE-RQ with the next Message ID.
    pub fn store_request(&mut self, sop_class_uid: &str, sop_instance_uid: &str) -> Vec<u8> {
        self.message_id += 1;
        command_set(&[
            (0x0002, sop_class_uid.into()),
            (0x0100, vec![1, 0]),
            (0x0110, self.message_id.to_le_bytes().to_vec()),
            (0x0700, vec![0, 0]),
            (0x0800, vec![0, 0]),
            (0x1000, sop_instance_uid.into()),
        ])
    }

    /// C-ECHO (PS3.7 9.1.5): the status. The association must have Verification in Implicit VR Little Endian.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn echo(&mut self) -> Result<u16, AssociationError> {
        self.message_id += 1;
        let context = self.context(&Self::verification())?;
        let command = command_set(&[
            (0x0002, VERIFICATION.into()),
            (0x0100, vec![0x30, 0]),
            (0x0110, self.message_id.to_le_bytes().to_vec()),
            (0x0800, vec![1, 1]),
        ]);
        self.stream.write_all(&p_data(context, true, true, &command).encode())?;
        self.status()
    }

    /// The proposal that [`Self::echo`] needs.
    pub fn verification() -> Proposal {
        Proposal::new(VERIFICATION, model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN)
    }

    /// Status (0000,0900) of the next response.
    ///
    /// # Errors
    /// When something else comes.
    pub fn status(&mut self) -> Result<u16, AssociationError> {
        let mut command = Vec::new();
        loop {
            let pdu = self.receive(4)?;
            let mut rest = pdu.body.as_slice();
            while let Some((length, value)) = rest.split_first_chunk::<4>() {
                let length = (u32::from_be_bytes(*length) as usize).min(value.len());
                let (value, after) = value.split_at(length);
                command.extend_from_slice(value.get(2..).unwrap_or_default());
                if value.get(1).is_some_and(|control| control & 2 != 0) {
                    return status_of(&command).ok_or(AssociationError::Unexpected(pdu));
                }
                rest = after;
            }
        }
    }

    /// The next PDU, which must be of this kind.
    ///
    /// # Errors
    /// When it is another.
    pub fn receive(&mut self, kind: u8) -> Result<Pdu, AssociationError> {
        let pdu = read_pdu(&mut self.stream)?;
        match (pdu.kind, pdu.body.as_slice()) {
            (found, _) if found == kind => Ok(pdu),
            (3, [_, result, source, reason]) => Err(AssociationError::Rejected(*result, *source, *reason)),
            (7, [_, _, source, reason]) => Err(AssociationError::Aborted(*source, *reason)),
            _ => Err(AssociationError::Unexpected(pdu)),
        }
    }

    /// The socket, for bytes that no protocol knows.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// A-RELEASE.
    ///
    /// # Errors
    /// When the peer does not agree.
    pub fn release(mut self) -> Result<(), AssociationError> {
        self.stream.write_all(&Pdu { kind: 5, body: vec![0; 4] }.encode())?;
        self.receive(6).map(|_| ())
    }
}

fn status_of(mut command: &[u8]) -> Option<u16> {
    while let Some((head, rest)) = command.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let value = rest.get(..length)?;
        if head[..4] == [0, 0, 0, 9] {
            return Some(u16::from_le_bytes(value.try_into().ok()?));
        }
        command = &rest[length..];
    }
    None
}
