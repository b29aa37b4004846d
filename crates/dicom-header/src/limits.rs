//! Every bound of the reader, with its unit.

/// Bounds on one data set. [`Limits::default`] is what the server uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sequences inside sequences.
    pub sequence_depth_max: usize,
    /// Elements and items altogether.
    pub elements_max: u64,
    /// Everything kept in memory: JSON, index attributes, references, fragments.
    pub memory_max_bytes: usize,
    /// Longer values become references, never read into memory.
    pub value_max_bytes: u64,
    /// Longer binary values become references in the JSON.
    pub inline_binary_max_bytes: u64,
    /// Size of the data set after inflating (deflated transfer syntax only).
    pub inflated_max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sequence_depth_max: 64,
            elements_max: 2_000_000,
            memory_max_bytes: 16 << 20,
            value_max_bytes: 64 << 10,
            inline_binary_max_bytes: 1024,
            inflated_max_bytes: 4 << 30,
        }
    }
}

/// LUT Data and palettes: 65,536 entries of 16 bits (PS3.3 C.11.1.1.1) are kept though they are longer than a value may be.
pub(crate) const LUT_DATA_MAX_BYTES: u64 = 131_072;
/// Each of Extended Offset Table and its lengths (PS3.3 C.7.6.3.1.8): 262,144 frames.
pub(crate) const EXTENDED_OFFSET_TABLE_MAX_BYTES: u64 = 2 << 20;
/// Basic Offset Table (PS3.5 A.4): 524,288 frames.
pub(crate) const BASIC_OFFSET_TABLE_MAX_BYTES: u64 = 2 << 20;
/// An index attribute; the Standard's longest, a person name, has 3 x 64 characters and separators.
pub(crate) const INDEX_TEXT_MAX_CHARACTERS: usize = 1024;
/// Group 2 with everything in it.
pub(crate) const FILE_META_MAX_BYTES: usize = 64 << 10;
