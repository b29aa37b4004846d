//! PS3.7 Annex C and PS3.4 B.2.3: status codes of responses.

/// Success.
pub const SUCCESS: u16 = 0x0000;
/// Invalid attribute value.
pub const INVALID_ATTRIBUTE_VALUE: u16 = 0x0106;
/// Warning: Attribute list error, one or more attributes were not taken.
pub const ATTRIBUTE_LIST_ERROR: u16 = 0x0107;
/// Duplicate SOP Instance.
pub const DUPLICATE_SOP_INSTANCE: u16 = 0x0111;
/// Invalid SOP Instance: its UID is none.
pub const INVALID_SOP_INSTANCE: u16 = 0x0117;
/// Missing attribute.
pub const MISSING_ATTRIBUTE: u16 = 0x0120;
/// Missing attribute value.
pub const MISSING_ATTRIBUTE_VALUE: u16 = 0x0121;
/// Processing failure (PS3.7 C.4.1); also a Failure Reason (PS3.3 C.14.1.1).
pub const PROCESSING_FAILURE: u16 = 0x0110;
/// No such SOP Instance; as a Failure Reason: No such object instance.
pub const NO_SUCH_SOP_INSTANCE: u16 = 0x0112;
/// Invalid argument value.
pub const INVALID_ARGUMENT_VALUE: u16 = 0x0115;
/// Class-Instance conflict.
pub const CLASS_INSTANCE_CONFLICT: u16 = 0x0119;
/// No such action type.
pub const NO_SUCH_ACTION_TYPE: u16 = 0x0123;
/// Duplicate transaction UID: a Failure Reason alone.
pub const DUPLICATE_TRANSACTION_UID: u16 = 0x0131;
/// Resource limitation.
pub const RESOURCE_LIMITATION: u16 = 0x0213;
/// Refused: Not Authorized.
pub const NOT_AUTHORIZED: u16 = 0x0124;
/// Refused: SOP Class Not Supported.
pub const SOP_CLASS_NOT_SUPPORTED: u16 = 0x0122;
/// Refused: Out of Resources.
pub const OUT_OF_RESOURCES: u16 = 0xA700;
/// Refused: Out of Resources, unable to calculate number of matches (PS3.4 C.4.2.1.5).
pub const MATCHES_NOT_COUNTED: u16 = 0xA701;
/// Refused: Out of Resources, unable to perform sub-operations.
pub const SUB_OPERATIONS_NOT_PERFORMED: u16 = 0xA702;
/// Refused: Move Destination unknown.
pub const MOVE_DESTINATION_UNKNOWN: u16 = 0xA801;
/// Error: Identifier does not match SOP Class (PS3.4 C.4.1.1.4).
pub const IDENTIFIER_DOES_NOT_MATCH: u16 = 0xA900;
/// Warning: Sub-operations complete, one or more Failures.
pub const SUB_OPERATIONS_WITH_FAILURES: u16 = 0xB000;
/// Error: Unable to process (C-FIND, C-MOVE, C-GET).
pub const UNABLE_TO_PROCESS: u16 = 0xC001;
/// Terminated due to Cancel request.
pub const CANCEL: u16 = 0xFE00;
/// Matches, or sub-operations, are continuing.
pub const PENDING: u16 = 0xFF00;
/// Matches are continuing; one or more Optional Keys were not supported.
pub const PENDING_WITH_UNSUPPORTED_KEYS: u16 = 0xFF01;
/// Unrecognized Operation.
pub const UNRECOGNIZED_OPERATION: u16 = 0x0211;
/// Mistyped argument: a parameter of the command is not what it must be.
pub const MISTYPED_ARGUMENT: u16 = 0x0212;
/// Error: Cannot understand (C-STORE).
pub const CANNOT_UNDERSTAND: u16 = 0xC000;

/// Success or a warning that came with success (PS3.7 C.1 and C.3; PS3.4 B.2.3).
pub fn is_success(status: u16) -> bool {
    matches!(status, SUCCESS | 0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF)
}
