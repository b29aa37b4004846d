//! PS3.8 9.3 and PS3.7 9.3: protocol data units and command sets as bytes, right or deliberately wrong.

use std::io::{self, Read};

/// Largest PDU that a peer may send us: far above any limit of the server.
const PDU_LENGTH_MAX_BYTES: usize = 64 * 1024 * 1024;

/// One protocol data unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// 1 request, 2 accept, 3 reject, 4 data, 5 and 6 release, 7 abort.
    pub kind: u8,
    /// What follows the six bytes of type and length.
    pub body: Vec<u8>,
}

impl Pdu {
    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind, 0];
        bytes.extend_from_slice(&(self.body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Reads one.
///
/// # Errors
/// When the stream ends or the length makes no sense.
pub fn read_pdu(stream: &mut impl Read) -> io::Result<Pdu> {
    let mut head = [0; 6];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[2], head[3], head[4], head[5]]) as usize;
    if length > PDU_LENGTH_MAX_BYTES {
        return Err(io::Error::other(format!("a PDU of {length} bytes")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Pdu { kind: head[0], body })
}

/// A-ASSOCIATE-RQ (PS3.8 9.3.2): contexts are (id, abstract syntax, transfer syntaxes).
pub fn associate_request(called: &str, calling: &str, contexts: &[(u8, &str, Vec<&str>)]) -> Pdu {
    associate_request_with(called, calling, contexts, &[])
}

/// The same with more sub-items of user information (PS3.7 D.3.3), by type.
pub fn associate_request_with(
    called: &str,
    calling: &str,
    contexts: &[(u8, &str, Vec<&str>)],
    sub_items: &[(u8, Vec<u8>)],
) -> Pdu {
    let mut body = vec![0, 1, 0, 0];
    body.extend_from_slice(format!("{called:<16}{calling:<16}").as_bytes());
    body.extend_from_slice(&[0; 32]);
    item(&mut body, 0x10, b"1.2.840.10008.3.1.1.1");
    for (id, abstract_syntax, transfer_syntaxes) in contexts {
        let mut context = vec![*id, 0, 0, 0];
        item(&mut context, 0x30, abstract_syntax.as_bytes());
        for transfer_syntax in transfer_syntaxes {
            item(&mut context, 0x40, transfer_syntax.as_bytes());
        }
        item(&mut body, 0x20, &context);
    }
    let mut user = Vec::new();
    item(&mut user, 0x51, &(128 * 1024_u32).to_be_bytes());
    item(&mut user, 0x52, b"2.25.1");
    for (kind, content) in sub_items {
        item(&mut user, *kind, content);
    }
    item(&mut body, 0x50, &user);
    Pdu { kind: 1, body }
}

/// A-ASSOCIATE-AC (PS3.8 9.3.3) to a request: each context in its first transfer syntax.
///
/// # Panics
/// When the request is none.
pub fn associate_accept(request: &Pdu) -> Pdu {
    let (fixed, variable) = request.body.split_at(68);
    let mut body = fixed.to_vec();
    item(&mut body, 0x10, b"1.2.840.10008.3.1.1.1");
    for (_, context) in items(variable).into_iter().filter(|(kind, _)| *kind == 0x20) {
        let (head, of_context) = context.split_at(4);
        let first = items(of_context).into_iter().find(|(kind, _)| *kind == 0x40);
        let mut accepted = vec![head[0], 0, 0, 0];
        item(&mut accepted, 0x40, first.expect("a transfer syntax").1);
        item(&mut body, 0x21, &accepted);
    }
    let mut user = Vec::new();
    item(&mut user, 0x51, &(128 * 1024_u32).to_be_bytes());
    item(&mut user, 0x52, b"2.25.1");
    item(&mut body, 0x50, &user);
    Pdu { kind: 2, body }
}

fn item(body: &mut Vec<u8>, kind: u8, content: &[u8]) {
    body.extend_from_slice(&[kind, 0]);
    body.extend_from_slice(&(content.len() as u16).to_be_bytes());
    body.extend_from_slice(content);
}

/// P-DATA-TF with one presentation data value (PS3.8 9.3.5, Annex E).
pub fn p_data(context: u8, is_command: bool, is_last: bool, fragment: &[u8]) -> Pdu {
    let mut body = Vec::with_capacity(fragment.len() + 6);
    body.extend_from_slice(&(fragment.len() as u32 + 2).to_be_bytes());
    body.extend_from_slice(&[context, u8::from(is_command) | (u8::from(is_last) << 1)]);
    body.extend_from_slice(fragment);
    Pdu { kind: 4, body }
}

/// A command set (PS3.7 6.3.1): elements (0000,xxxx) in Implicit VR Little Endian behind their group length.
pub fn command_set(elements: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut group = Vec::new();
    for (element, value) in elements {
        let mut value = value.clone();
        if value.len() % 2 == 1 {
            value.push(0);
        }
        group.extend_from_slice(&[0, 0]);
        group.extend_from_slice(&element.to_le_bytes());
        group.extend_from_slice(&(value.len() as u32).to_le_bytes());
        group.extend_from_slice(&value);
    }
    let mut command = vec![0, 0, 0, 0, 4, 0, 0, 0];
    command.extend_from_slice(&(group.len() as u32).to_le_bytes());
    command.extend_from_slice(&group);
    command
}

/// Items of an A-ASSOCIATE PDU: type and content.
pub(super) fn items(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut items = Vec::new();
    while let Some(([kind, _, high, low], rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (content, after) = rest.split_at(length);
        items.push((*kind, content));
        bytes = after;
    }
    items
}
