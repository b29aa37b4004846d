//! What the lossless encoders take.

/// Samples that are to be encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picture<'a> {
    /// Little-endian words in colour-by-pixel order, `rows * columns * samples * size` bytes.
    pub words: &'a [u8],
    /// Rows, at most 65,535.
    pub rows: u32,
    /// Columns, at most 65,535.
    pub columns: u32,
    /// 1 or 3.
    pub samples: usize,
    /// Bytes of a word, 1 or 2.
    pub size: usize,
    /// Bits of a sample, at most 16: a word has nothing above them but, in two's complement, its sign.
    pub precision: u8,
    /// The words are two's complement. JPEG-LS knows no sign and codes them as they are.
    pub signed: bool,
}
