//! PS3.8 9.3.2, the A-ASSOCIATE-RQ PDU, as it comes from strangers.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use dicom_ul::pdu::{AssociationRQ, MAXIMUM_PDU_SIZE, Pdu, read_pdu};

use super::{
    negotiation::{INVALID, Refusal},
    pdu::Rejection,
    user_identity::{USER_IDENTITY_ITEM, UserIdentity},
};

/// Protocol-version, reserved, two titles, reserved: what comes before the items (PS3.8 table 9-11).
const FIXED_FIELDS_LENGTH_BYTES: usize = 68;
/// Type, reserved byte and length in front of every item.
const ITEM_HEADER_LENGTH_BYTES: usize = 4;
const APPLICATION_CONTEXT_ITEM: u8 = 0x10;
const PRESENTATION_CONTEXT_ITEM: u8 = 0x20;
const USER_INFORMATION_ITEM: u8 = 0x50;
/// Maximum length, implementation class, role selection, implementation version, extended negotiation (PS3.7 D.3.3.1,
/// .2, .4, .5).
const SUB_ITEMS_READ: [u8; 5] = [0x51, 0x52, 0x54, 0x55, 0x56];

/// An A-ASSOCIATE-RQ as it was read.
#[derive(Debug)]
pub struct Request {
    /// What is negotiated.
    pub association: AssociationRQ,
    /// Who is said to ask.
    pub user_identity: Option<UserIdentity>,
}

/// Reads the body of an A-ASSOCIATE-RQ.
///
/// # Errors
/// When it is for another protocol version or does not hold together.
pub fn parse_request(body: Bytes) -> Result<Request, Refusal> {
    let Some((version, _)) =
        body.split_first_chunk::<2>().filter(|_| body.len() >= FIXED_FIELDS_LENGTH_BYTES)
    else {
        return Err(INVALID);
    };
    // Only bit 0 is to be tested (PS3.8 table 9-11).
    if version[1] & 1 == 0 {
        return Err(Refusal::Reject(Rejection::ProtocolVersionNotSupported));
    }
    let mut user_identity = None;
    let known = without_ignored_items(body, &mut user_identity).ok_or(INVALID)?;
    let mut header = BytesMut::with_capacity(6);
    header.put_slice(&[1, 0]);
    header.put_u32(known.len() as u32);
    match read_pdu(header.freeze().chain(known), MAXIMUM_PDU_SIZE, false) {
        Ok(Some(Pdu::AssociationRQ(association))) => Ok(Request { association, user_identity }),
        _ => Err(INVALID),
    }
}

/// Leaves only the items that are looked at: types that this version does not know are to be ignored (PS3.8 9.3.1)
/// where dicom-ul would refuse them, and a user identity, of which there is one at most (PS3.7 D.3.3.7.1), is read here:
/// dicom-ul's would show its passcode in logs.
fn without_ignored_items(mut body: Bytes, user_identity: &mut Option<UserIdentity>) -> Option<Bytes> {
    let mut kept = BytesMut::with_capacity(body.len());
    kept.put(body.split_to(FIXED_FIELDS_LENGTH_BYTES));
    while !body.is_empty() {
        let (item_type, mut item) = split_item(&mut body)?;
        match item_type {
            APPLICATION_CONTEXT_ITEM | PRESENTATION_CONTEXT_ITEM => kept.put(item),
            USER_INFORMATION_ITEM => {
                let mut sub_items = item.split_off(ITEM_HEADER_LENGTH_BYTES);
                let mut kept_sub_items = BytesMut::new();
                while !sub_items.is_empty() {
                    let (sub_item_type, sub_item) = split_item(&mut sub_items)?;
                    if SUB_ITEMS_READ.contains(&sub_item_type) {
                        kept_sub_items.put(sub_item);
                    } else if sub_item_type == USER_IDENTITY_ITEM {
                        let identity = UserIdentity::read(&sub_item[ITEM_HEADER_LENGTH_BYTES..])?;
                        if user_identity.replace(identity).is_some() {
                            return None;
                        }
                    }
                }
                kept.put_slice(&[item_type, 0]);
                kept.put_u16(kept_sub_items.len() as u16);
                kept.put(kept_sub_items);
            }
            _ => {}
        }
    }
    Some(kept.freeze())
}

/// Takes the next item with its header off the front; nothing when its length runs past the end.
fn split_item(items: &mut Bytes) -> Option<(u8, Bytes)> {
    let [item_type, _reserved, length @ ..] = *items.first_chunk::<ITEM_HEADER_LENGTH_BYTES>()?;
    let length = ITEM_HEADER_LENGTH_BYTES + usize::from(u16::from_be_bytes(length));
    (length <= items.len()).then(|| (item_type, items.split_to(length)))
}
