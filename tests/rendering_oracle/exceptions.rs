//! Files on which we and pydicom differ, each with the reason why that is accepted.

/// File and reason.
const EXCEPTIONS: &[(&str, &str)] = &[(
    "pydicom/SC_rgb_small_odd_big_endian.dcm",
    "8-bit samples with VR OW in the retired big endian syntax: bytes are swapped in pairs (PS3.5 8.1.1), which the \
     pixel module cannot tell from OB",
)];

/// Why this file may differ.
pub fn reason(name: &str) -> Option<&'static str> {
    EXCEPTIONS.iter().find(|(file, _)| *file == name).map(|(_, reason)| *reason)
}

/// All files that may differ.
pub fn names() -> impl Iterator<Item = &'static str> {
    EXCEPTIONS.iter().map(|(file, _)| *file)
}
