//! PS3.8 9.3.3, the A-ASSOCIATE-AC PDU, as it comes from strangers.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use dicom_ul::pdu::{AssociationAC, MAXIMUM_PDU_SIZE, Pdu, read_pdu};
use model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;

use super::request::{
    APPLICATION_CONTEXT_ITEM, FIXED_FIELDS_LENGTH_BYTES, ITEM_HEADER_LENGTH_BYTES, USER_INFORMATION_ITEM,
    split_item,
};

const PRESENTATION_CONTEXT_RESULT_ITEM: u8 = 0x21;
const TRANSFER_SYNTAX_SUB_ITEM: u8 = 0x40;
/// Maximum length and role selection (PS3.7 D.3.3.1, D.3.3.4): nothing else of an acceptance is looked at.
const SUB_ITEMS_READ: [u8; 2] = [0x51, 0x54];
/// Presentation-context-ID, reserved, Result/Reason, reserved: what comes before the sub-item (PS3.8 table 9-18).
const RESULT_FIELDS_LENGTH_BYTES: usize = 4;
/// Result/Reason: acceptance.
const ACCEPTANCE: u8 = 0;
/// Result/Reason: user-rejection, no-reason, abstract-syntax-not-supported, transfer-syntaxes-not-supported.
const REJECTIONS: std::ops::RangeInclusive<u8> = 1..=4;
/// Result/Reason: no-reason, which any other value is taken for.
const NO_REASON: u8 = 2;

/// Reads the body of an A-ASSOCIATE-AC. `None`: it does not hold together.
pub fn parse_acceptance(body: Bytes) -> Option<AssociationAC> {
    let known = without_ignored_items(body)?;
    let mut header = BytesMut::with_capacity(6);
    header.put_slice(&[2, 0]);
    header.put_u32(known.len() as u32);
    match read_pdu(header.freeze().chain(known), MAXIMUM_PDU_SIZE, false) {
        Ok(Some(Pdu::AssociationAC(answer))) => Some(answer),
        _ => None,
    }
}

/// Leaves only the items that are looked at, as of a request: types that this version does not know are to be ignored
/// (PS3.8 9.3.1) where dicom-ul would refuse them.
fn without_ignored_items(mut body: Bytes) -> Option<Bytes> {
    if body.len() < FIXED_FIELDS_LENGTH_BYTES {
        return None;
    }
    let mut kept = BytesMut::with_capacity(body.len());
    kept.put(body.split_to(FIXED_FIELDS_LENGTH_BYTES));
    while !body.is_empty() {
        let (item_type, mut item) = split_item(&mut body)?;
        let content = item.split_off(ITEM_HEADER_LENGTH_BYTES);
        match item_type {
            APPLICATION_CONTEXT_ITEM => put_item(&mut kept, item_type, &content),
            PRESENTATION_CONTEXT_RESULT_ITEM => put_item(&mut kept, item_type, &result(content)?),
            USER_INFORMATION_ITEM => put_item(&mut kept, item_type, &sub_items(content, &SUB_ITEMS_READ)?),
            _ => {}
        }
    }
    Some(kept.freeze())
}

/// The content of a presentation context item. Of a rejection the transfer syntax says nothing and is not tested (PS3.8 9.3.3.2):
/// some peers leave it out or empty. dicom-ul wants one, and gets one that says nothing.
fn result(mut content: Bytes) -> Option<BytesMut> {
    let [context_id, _, result, _] = *content.first_chunk::<RESULT_FIELDS_LENGTH_BYTES>()?;
    let mut kept = BytesMut::new();
    if result == ACCEPTANCE {
        kept.put_slice(&[context_id, 0, result, 0]);
        let syntax = content.split_off(RESULT_FIELDS_LENGTH_BYTES);
        kept.put(sub_items(syntax, &[TRANSFER_SYNTAX_SUB_ITEM])?);
    } else {
        let result = if REJECTIONS.contains(&result) { result } else { NO_REASON };
        kept.put_slice(&[context_id, 0, result, 0]);
        put_item(&mut kept, TRANSFER_SYNTAX_SUB_ITEM, IMPLICIT_VR_LITTLE_ENDIAN.as_bytes());
    }
    Some(kept)
}

/// The sub-items of these types, as they are.
fn sub_items(mut items: Bytes, types: &[u8]) -> Option<BytesMut> {
    let mut kept = BytesMut::new();
    while !items.is_empty() {
        let (item_type, item) = split_item(&mut items)?;
        if types.contains(&item_type) {
            kept.put(item);
        }
    }
    Some(kept)
}

/// Writes an item whose content came out of one, and is no longer.
fn put_item(buffer: &mut BytesMut, item_type: u8, content: &[u8]) {
    buffer.put_slice(&[item_type, 0]);
    buffer.put_u16(content.len() as u16);
    buffer.put_slice(content);
}

#[cfg(test)]
mod tests {
    use dicom_ul::pdu::{PresentationContextResultReason as Reason, UserVariableItem};

    use super::*;

    fn item(item_type: u8, content: &[u8]) -> Vec<u8> {
        [&[item_type, 0][..], &(content.len() as u16).to_be_bytes(), content].concat()
    }

    /// An A-ASSOCIATE-AC with these items behind the application context.
    fn body(items: &[Vec<u8>]) -> Bytes {
        let fixed = [&[0, 1, 0, 0][..], &[b' '; 32], &[0; 32]].concat();
        [fixed, item(0x10, b"1.2.840.10008.3.1.1.1"), items.concat()].concat().into()
    }

    #[test]
    fn what_a_rejection_lacks_and_what_is_not_known_is_passed_over() {
        let accepted = [&[1, 0, 0, 0][..], &item(0x40, b"1.2.840.10008.1.2.1"), &item(0x41, b"?")].concat();
        let information =
            [item(0x52, b"1.2"), item(0x51, &[0, 0, 0x40, 0]), item(0x53, &[0, 1, 0, 1]), item(0x5a, b"?")];
        let answer = parse_acceptance(body(&[
            item(0x60, b"of another version"),
            item(0x21, &accepted),
            item(0x21, &[3, 0, 3, 0]),
            // A sub-item that is cut off.
            item(0x21, &[5, 0, 4, 0, 0x40, 0, 0xff]),
            item(0x21, &[7, 0, 9, 0]),
            item(0x50, &information.concat()),
        ]));
        let answer = answer.expect("an acceptance");
        let results: Vec<_> =
            answer.presentation_contexts.iter().map(|one| (one.id, one.reason.clone())).collect();
        let expected = [
            (1, Reason::Acceptance),
            (3, Reason::AbstractSyntaxNotSupported),
            (5, Reason::TransferSyntaxesNotSupported),
            (7, Reason::NoReason),
        ];
        assert_eq!(results, expected);
        assert_eq!(answer.presentation_contexts[0].transfer_syntax, "1.2.840.10008.1.2.1");
        assert_eq!(answer.user_variables, [UserVariableItem::MaxLength(0x4000)]);
    }

    #[test]
    fn what_does_not_hold_together_is_none() {
        let last = item(0x21, &[1, 0, 3, 0]);
        let whole = body(std::slice::from_ref(&last));
        for length in 0..whole.len() {
            let is_whole = length == whole.len() - last.len();
            assert_eq!(parse_acceptance(whole.slice(..length)).is_some(), is_whole, "{length}");
        }
        assert!(parse_acceptance(whole).is_some());
        for broken in [
            item(0x21, &[1, 0, 3]),
            item(0x21, &[1, 0, 0, 0]),
            item(0x21, &[1, 0, 0, 0, 0x40, 0, 0, 9, b'1']),
            item(0x50, &[0x51, 0, 0, 9, 0]),
            item(0x50, &[0x51, 0]),
        ] {
            assert!(parse_acceptance(body(std::slice::from_ref(&broken))).is_none(), "{broken:?}");
        }
    }
}
