//! The limits of rendering, each with its unit.

/// Largest decoded frame.
pub const FRAME_DECODED_MAX_BYTES: u64 = 512 << 20;
/// Rows and Columns are US: nothing larger can be said in a data set (PS3.3 C.7.6.3.1).
pub const ROWS_COLUMNS_MAX: u32 = 65_535;
/// Longest side of a rendered picture, in pixels.
pub const OUTPUT_SIDE_MAX_PIXELS: u32 = 4096;
/// Longest side of a picture that was made before and is made smaller, in pixels: of a larger one the frame is rendered.
pub const SHRUNK_SIDE_MAX_PIXELS: u32 = 1024;
/// RLE makes at most 128 bytes of 2 (PS3.5 G.3.1).
pub const RLE_RATIO_MAX: u64 = 64;
/// Deflate makes at most 1,032 bytes of one (RFC 1951).
pub const DEFLATE_RATIO_MAX: u64 = 1032;
/// A JPEG block of 64 samples takes at least two Huffman codes, 4 bits; halved for subsampled chroma.
pub const JPEG_RATIO_MAX: u64 = 512;
/// Scans in one JPEG frame: a progressive one needs about ten; thousands are a bomb.
pub const JPEG_SCANS_MAX: usize = 128;
/// Tiles in one JPEG 2000 frame.
pub const JPEG_2000_TILES_MAX: u64 = 65_535;
/// Quality layers in one JPEG 2000 frame.
pub const JPEG_2000_LAYERS_MAX: u16 = 1024;
/// Samples of one frame that are made JPEG 2000 or HTJ2K: four bytes of memory each, and a tenth of a microsecond.
pub const JPEG_2000_ENCODED_SAMPLES_MAX: u64 = 64 << 20;
/// What the decoder of JPEG XL may allocate for one frame: it works in floating point numbers. Less than the decoder process may.
pub const JPEG_XL_MEMORY_MAX_BYTES: usize = 1 << 30;
/// Description in front of the frame in a message to the decoder: three palettes of 65,536 entries and more.
pub const WIRE_HEADER_MAX_BYTES: usize = 8 << 20;
/// Pictures made of one frame in one request.
pub const OUTPUTS_MAX: usize = 8;
