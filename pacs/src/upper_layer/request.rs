//! PS3.8 9.3.2, the A-ASSOCIATE-RQ PDU, as it comes from strangers.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use dicom_ul::pdu::{AssociationRQ, MAXIMUM_PDU_SIZE, Pdu, read_pdu};

use super::{
    negotiation::{INVALID, Refusal},
    operations_window::{self, OPERATIONS_WINDOW_ITEM},
    pdu::Rejection,
    user_identity::{USER_IDENTITY_ITEM, UserIdentity},
};

/// Protocol-version, reserved, two titles, reserved: what comes before the items (PS3.8 tables 9-11 and 9-17).
pub(super) const FIXED_FIELDS_LENGTH_BYTES: usize = 68;
/// Type, reserved byte and length in front of every item.
pub(super) const ITEM_HEADER_LENGTH_BYTES: usize = 4;
pub(super) const APPLICATION_CONTEXT_ITEM: u8 = 0x10;
const PRESENTATION_CONTEXT_ITEM: u8 = 0x20;
pub(super) const USER_INFORMATION_ITEM: u8 = 0x50;
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
    /// How many operations the requestor would like to have outstanding; 0 is no limit.
    pub operations_invoked: Option<u16>,
}

/// What is read here and not by dicom-ul.
#[derive(Default)]
struct ReadHere {
    user_identity: Option<UserIdentity>,
    operations_invoked: Option<u16>,
}

impl ReadHere {
    /// Takes what follows Item-length of a sub-item. `None`: it is broken, or there twice.
    fn take(&mut self, item_type: u8, item: &[u8]) -> Option<()> {
        let is_repeated = match item_type {
            USER_IDENTITY_ITEM => self.user_identity.replace(UserIdentity::read(item)?).is_some(),
            OPERATIONS_WINDOW_ITEM => {
                self.operations_invoked.replace(operations_window::read(item)?).is_some()
            }
            _ => false,
        };
        (!is_repeated).then_some(())
    }
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
    let mut read_here = ReadHere::default();
    let known = without_ignored_items(body, &mut read_here).ok_or(INVALID)?;
    let ReadHere { user_identity, operations_invoked } = read_here;
    let mut header = BytesMut::with_capacity(6);
    header.put_slice(&[1, 0]);
    header.put_u32(known.len() as u32);
    match read_pdu(header.freeze().chain(known), MAXIMUM_PDU_SIZE, false) {
        Ok(Some(Pdu::AssociationRQ(association))) => {
            Ok(Request { association, user_identity, operations_invoked })
        }
        _ => Err(INVALID),
    }
}

/// Leaves only the items that are looked at: types that this version does not know are to be ignored (PS3.8 9.3.1)
/// where dicom-ul would refuse them; it does not know the operations window, and would show the passcode of a user identity
/// in logs. Of both there is one at most (PS3.7 D.3.3.3.1, D.3.3.7.1).
fn without_ignored_items(mut body: Bytes, read_here: &mut ReadHere) -> Option<Bytes> {
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
                    } else {
                        read_here.take(sub_item_type, &sub_item[ITEM_HEADER_LENGTH_BYTES..])?;
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
pub(super) fn split_item(items: &mut Bytes) -> Option<(u8, Bytes)> {
    let [item_type, _reserved, length @ ..] = *items.first_chunk::<ITEM_HEADER_LENGTH_BYTES>()?;
    let length = ITEM_HEADER_LENGTH_BYTES + usize::from(u16::from_be_bytes(length));
    (length <= items.len()).then(|| (item_type, items.split_to(length)))
}
