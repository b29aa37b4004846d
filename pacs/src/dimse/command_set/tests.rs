//! What `command_set` must hold.

use super::*;

fn parse(bytes: &[u8]) -> Result<CommandSet, CommandSetError> {
    CommandSet::parse(Bytes::copy_from_slice(bytes))
}

fn request() -> CommandSetBuilder {
    CommandSetBuilder::default()
        .uid(element::AFFECTED_SOP_CLASS_UID, Some("1.2.840.10008.1.1"))
        .number(element::COMMAND_FIELD, command_field::C_ECHO_RQ)
        .number(element::MESSAGE_ID, 7)
        .number(element::COMMAND_DATA_SET_TYPE, NO_DATA_SET)
}

#[test]
fn reads_what_a_machine_sends() {
    // C-ECHO-RQ of DCMTK's echoscu.
    let bytes = b"\x00\x00\x00\x00\x04\x00\x00\x00\x38\x00\x00\x00\
        \x00\x00\x02\x00\x12\x00\x00\x001.2.840.10008.1.1\x00\
        \x00\x00\x00\x01\x02\x00\x00\x00\x30\x00\
        \x00\x00\x10\x01\x02\x00\x00\x00\x01\x00\
        \x00\x00\x00\x08\x02\x00\x00\x00\x01\x01";
    let command = parse(bytes).expect("a command set");
    assert_eq!((command.command_field, command.has_data_set), (command_field::C_ECHO_RQ, false));
    assert_eq!(command.message_id(), Ok(1));
    assert_eq!(command.text(element::AFFECTED_SOP_CLASS_UID), Some("1.2.840.10008.1.1"));
}

#[test]
fn a_response_echoes_the_request() {
    let request = parse(&request().build()).expect("a command set");
    let comment = format!("{}\\\r\n\u{e4}", "x".repeat(100));
    let bytes = encode_response(&request, 7, 0xA700, &comment);
    let length = u32::from_le_bytes(*bytes[8..].first_chunk().expect("group length"));
    assert_eq!(length as usize, bytes.len() - 12);
    let response = parse(&bytes).expect("a command set");
    assert_eq!(response.command_field, 0x8030);
    assert_eq!(response.number(element::STATUS), Some(0xA700));
    assert_eq!(response.text(element::ERROR_COMMENT), Some("x".repeat(64).as_str()));
}

#[test]
fn nothing_but_a_uid_is_echoed() {
    let request = parse(&request().uid(element::AFFECTED_SOP_INSTANCE_UID, Some("../x")).build());
    let response = parse(&encode_response(&request.expect("a command set"), 7, 0xC000, "")).expect("ours");
    assert_eq!(response.text(element::AFFECTED_SOP_INSTANCE_UID), None);
}

#[test]
fn refuses_what_does_not_hold_together() {
    let good = request().build();
    for cut in 0..good.len() {
        assert!(parse(&good[..cut]).is_err(), "cut at {cut}");
    }
    let element = |element: u16, length: u32, value: &[u8]| {
        let mut bytes = vec![0, 0];
        bytes.put_u16_le(element);
        bytes.put_u32_le(length);
        bytes.put_slice(value);
        [&bytes[..], &good[12..]].concat()
    };
    assert_eq!(parse(&element(1, 0xffff_ffff, &[])), Err(CommandSetError::Length));
    assert_eq!(parse(&element(1, 1, &[0])), Err(CommandSetError::Length));
    assert_eq!(parse(&element(element::MESSAGE_ID, 2, &[1, 0])), Err(CommandSetError::Repeated));
    assert_eq!(parse(&[&[8, 0, 5, 0, 0, 0, 0, 0], &good[..]].concat()), Err(CommandSetError::Group));
    let many: Vec<u8> = (1..=300_u16)
        .flat_map(|number| [&[0, 0][..], &(0x2000 + number).to_le_bytes(), &[0; 4]].concat())
        .collect();
    assert_eq!(parse(&many), Err(CommandSetError::TooMany));
    assert_eq!(parse(&[]), Err(CommandSetError::Mandatory));
}
