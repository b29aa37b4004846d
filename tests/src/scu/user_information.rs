//! Items of the User Information of an association request (PS3.7 Annex D.3.3): kind and content.

/// SCP/SCU role selection (PS3.7 D.3.3.4): the requestor is provider.
pub fn provider_role(class: &str) -> (u8, Vec<u8>) {
    let length = (class.len() as u16).to_be_bytes();
    (0x54, [&length[..], class.as_bytes(), &[0, 1]].concat())
}

/// User identity (PS3.7 D.3.3.7) with a positive response requested.
pub fn user_identity(identity_type: u8, primary: &[u8], secondary: &[u8]) -> (u8, Vec<u8>) {
    let length = |field: &[u8]| (field.len() as u16).to_be_bytes();
    (0x58, [&[identity_type, 1], &length(primary)[..], primary, &length(secondary), secondary].concat())
}

/// SOP class extended negotiation (PS3.7 D.3.3.5).
pub fn extended_negotiation(class: &str, information: &[u8]) -> (u8, Vec<u8>) {
    let length = (class.len() as u16).to_be_bytes();
    (0x56, [&length[..], class.as_bytes(), information].concat())
}
