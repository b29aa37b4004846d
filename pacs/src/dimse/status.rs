//! PS3.7 Annex C and PS3.4 B.2.3: status codes of responses.

/// Success.
pub const SUCCESS: u16 = 0x0000;
/// Refused: Not Authorized.
pub const NOT_AUTHORIZED: u16 = 0x0124;
/// Refused: SOP Class Not Supported.
pub const SOP_CLASS_NOT_SUPPORTED: u16 = 0x0122;
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
