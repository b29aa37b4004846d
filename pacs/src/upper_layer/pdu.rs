//! PS3.8 9.3, the protocol data units and the codes in them.

use bytes::{BufMut, Bytes, BytesMut};

/// Type, reserved byte and length in front of every PDU.
pub const PDU_HEADER_LENGTH_BYTES: usize = 6;
/// Length, presentation context ID and message control header in front of every fragment (PS3.8 9.3.5.1, E.2).
pub const PDV_HEADER_LENGTH_BYTES: usize = 6;
/// Smallest maximum length that lets a fragment of two bytes through.
pub const PEER_PDU_LENGTH_MIN_BYTES: u32 = PDV_HEADER_LENGTH_BYTES as u32 + 2;

/// PDU-type (PS3.8 9.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PduType {
    /// 01H
    AssociateRq,
    /// 02H
    AssociateAc,
    /// 03H
    AssociateRj,
    /// 04H
    PDataTf,
    /// 05H
    ReleaseRq,
    /// 06H
    ReleaseRp,
    /// 07H
    Abort,
    /// Anything else.
    Unrecognized(u8),
}

impl From<u8> for PduType {
    fn from(byte: u8) -> Self {
        match byte {
            1 => Self::AssociateRq,
            2 => Self::AssociateAc,
            3 => Self::AssociateRj,
            4 => Self::PDataTf,
            5 => Self::ReleaseRq,
            6 => Self::ReleaseRp,
            7 => Self::Abort,
            other => Self::Unrecognized(other),
        }
    }
}

/// The first six bytes of a PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PduHeader {
    /// What it is.
    pub pdu_type: PduType,
    /// Bytes that follow.
    pub length: u32,
}

impl PduHeader {
    /// Reads the type and the length.
    pub fn parse(bytes: [u8; PDU_HEADER_LENGTH_BYTES]) -> Self {
        let [pdu_type, _reserved, length @ ..] = bytes;
        Self { pdu_type: pdu_type.into(), length: u32::from_be_bytes(length) }
    }
}

/// Reason/Diag. of an A-ABORT whose source is the service-provider (PS3.8 table 9-26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortReason {
    /// reason-not-specified
    NotSpecified = 0,
    /// unrecognized-PDU
    UnrecognizedPdu = 1,
    /// unexpected-PDU
    UnexpectedPdu = 2,
    /// unrecognized-PDU-parameter
    UnrecognizedPduParameter = 4,
    /// unexpected-PDU-parameter
    UnexpectedPduParameter = 5,
    /// invalid-PDU-parameter-value
    InvalidPduParameterValue = 6,
}

/// Result, Source and Reason/Diag. of an A-ASSOCIATE-RJ (PS3.8 table 9-21): those that this server gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing is proposed.
    NoReasonGiven,
    /// Not the DICOM application context.
    ApplicationContextNameNotSupported,
    /// Who calls is not known, or not from there.
    CallingAeTitleNotRecognized,
    /// Somebody else is called.
    CalledAeTitleNotRecognized,
    /// Not version 1.
    ProtocolVersionNotSupported,
    /// Not who it says (PS3.7 D.3.3.7: rejected-permanent, by the service-provider, ACSE related).
    UserIdentityNotProved,
    /// The same, and too often; try again.
    UserIdentityTriedTooOften,
    /// Cannot tell now; try again.
    TemporaryCongestion,
    /// Too many associations; try again.
    LocalLimitExceeded,
}

impl Rejection {
    /// Result, Source, Reason/Diag.
    pub fn codes(self) -> [u8; 3] {
        match self {
            Self::NoReasonGiven => [1, 1, 1],
            Self::ApplicationContextNameNotSupported => [1, 1, 2],
            Self::CallingAeTitleNotRecognized => [1, 1, 3],
            Self::CalledAeTitleNotRecognized => [1, 1, 7],
            Self::ProtocolVersionNotSupported => [1, 2, 2],
            Self::UserIdentityNotProved => [1, 2, 1],
            Self::UserIdentityTriedTooOften => [2, 2, 1],
            Self::TemporaryCongestion => [2, 3, 1],
            Self::LocalLimitExceeded => [2, 3, 2],
        }
    }

    /// The word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoReasonGiven => "no_reason_given",
            Self::ApplicationContextNameNotSupported => "application_context_name_not_supported",
            Self::CallingAeTitleNotRecognized => "calling_ae_title_not_recognized",
            Self::CalledAeTitleNotRecognized => "called_ae_title_not_recognized",
            Self::ProtocolVersionNotSupported => "protocol_version_not_supported",
            Self::UserIdentityNotProved => "user_identity_not_proved",
            Self::UserIdentityTriedTooOften => "user_identity_tried_too_often",
            Self::TemporaryCongestion => "temporary_congestion",
            Self::LocalLimitExceeded => "local_limit_exceeded",
        }
    }
}

/// A-ASSOCIATE-RJ (PS3.8 9.3.4).
pub fn encode_associate_rj(rejection: Rejection) -> [u8; 10] {
    let [result, source, reason] = rejection.codes();
    [3, 0, 0, 0, 0, 4, 0, result, source, reason]
}

/// A-RELEASE-RQ (PS3.8 9.3.6).
pub const RELEASE_RQ: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];
/// A-RELEASE-RP (PS3.8 9.3.7).
pub const RELEASE_RP: [u8; 10] = [6, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// A-ABORT by the service-provider (PS3.8 9.3.8).
pub fn encode_abort(reason: AbortReason) -> [u8; 10] {
    [7, 0, 0, 0, 0, 4, 0, 0, 2, reason as u8]
}

/// What a fragment is part of, and whether it ends it (PS3.8 E.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentationDataValue {
    /// Presentation-context-ID.
    pub context_id: u8,
    /// Command information; else data set.
    pub is_command: bool,
    /// Last fragment of it.
    pub is_last: bool,
    /// The fragment.
    pub fragment: Bytes,
}

/// Takes the next presentation data value off the rest of a P-DATA-TF.
///
/// # Errors
/// When its length does not fit the PDU, or the fragment is of odd length (PS3.8 E.1).
pub fn split_presentation_data_value(rest: &mut Bytes) -> Result<PresentationDataValue, AbortReason> {
    let (Some(length), Some(&[context_id, control])) =
        (rest.first_chunk::<4>().copied(), rest.get(4..).and_then(|after| after.first_chunk::<2>()))
    else {
        return Err(AbortReason::InvalidPduParameterValue);
    };
    let length = u32::from_be_bytes(length) as usize;
    if length < 2 || length > rest.len() - 4 || !length.is_multiple_of(2) {
        return Err(AbortReason::InvalidPduParameterValue);
    }
    let mut value = rest.split_to(4 + length);
    let fragment = value.split_off(PDV_HEADER_LENGTH_BYTES);
    // Bits 2 to 7 are not to be tested (PS3.8 E.2).
    Ok(PresentationDataValue {
        context_id,
        is_command: control & 1 != 0,
        is_last: control & 2 != 0,
        fragment,
    })
}

/// Writes one P-DATA-TF with one fragment.
pub fn put_p_data(buffer: &mut BytesMut, context_id: u8, is_command: bool, is_last: bool, fragment: &[u8]) {
    let value_length = fragment.len() as u32 + 2;
    buffer.reserve(PDU_HEADER_LENGTH_BYTES + PDV_HEADER_LENGTH_BYTES + fragment.len());
    buffer.put_slice(&[4, 0]);
    buffer.put_u32(value_length + 4);
    buffer.put_u32(value_length);
    buffer.put_u8(context_id);
    buffer.put_u8(u8::from(is_command) | u8::from(is_last) << 1);
    buffer.put_slice(fragment);
}

/// Longest fragment, of even length, that a PDU with this maximum length takes.
pub fn fragment_length_max(pdu_length_max: u32) -> usize {
    (pdu_length_max as usize).saturating_sub(PDV_HEADER_LENGTH_BYTES) & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8]) -> Result<PresentationDataValue, AbortReason> {
        split_presentation_data_value(&mut Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn splits_what_it_writes() {
        let mut buffer = BytesMut::new();
        put_p_data(&mut buffer, 5, true, false, b"abcd");
        put_p_data(&mut buffer, 7, false, true, b"");
        let mut bytes = buffer.freeze();
        let header = PduHeader::parse(*bytes.first_chunk().expect("header"));
        assert_eq!(header, PduHeader { pdu_type: PduType::PDataTf, length: 10 });
        let mut first = bytes.split_to(16).split_off(PDU_HEADER_LENGTH_BYTES);
        let value = split_presentation_data_value(&mut first).expect("value");
        assert!(first.is_empty());
        assert_eq!((value.context_id, value.is_command, value.is_last), (5, true, false));
        assert_eq!(&value.fragment[..], b"abcd");
        let value =
            split_presentation_data_value(&mut bytes.split_off(PDU_HEADER_LENGTH_BYTES)).expect("value");
        assert_eq!((value.context_id, value.is_command, value.is_last), (7, false, true));
        assert!(value.fragment.is_empty());
    }

    #[test]
    fn refuses_lengths_that_lie() {
        let lies: &[&[u8]] = &[
            &[],
            &[0, 0, 0],
            &[0, 0, 0, 2],
            &[0, 0, 0, 2, 1],
            &[0, 0, 0, 0, 1, 3],
            &[0, 0, 0, 1, 1, 3],
            &[0, 0, 0, 3, 1, 3, 0],
            &[0, 0, 0, 4, 1, 3, 0],
            &[0xff, 0xff, 0xff, 0xff, 1, 3, 0, 0],
            &[0xff, 0xff, 0xff, 0xfe, 1, 3, 0, 0],
        ];
        for bytes in lies {
            assert_eq!(split(bytes), Err(AbortReason::InvalidPduParameterValue), "{bytes:?}");
        }
        assert!(split(&[0, 0, 0, 4, 1, 3, 0, 0]).is_ok());
    }

    #[test]
    fn fragments_fit_the_peer() {
        assert_eq!(fragment_length_max(PEER_PDU_LENGTH_MIN_BYTES), 2);
        assert_eq!(fragment_length_max(16_384), 16_378);
        assert_eq!(fragment_length_max(16_385), 16_378);
        assert_eq!(fragment_length_max(0), 0);
    }
}
