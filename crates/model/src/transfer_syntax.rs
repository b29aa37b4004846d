//! PS3.5 10 and Annex A: what a Transfer Syntax UID says about the bytes of a data set.

use crate::uid::TransferSyntaxUid;

/// Implicit VR Little Endian, the default that every peer must take (PS3.5 10.1).
pub const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
/// Explicit VR Little Endian.
pub const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Encapsulated Uncompressed Explicit VR Little Endian.
pub const ENCAPSULATED_UNCOMPRESSED: &str = "1.2.840.10008.1.2.1.98";
/// Deflated Explicit VR Little Endian.
pub const DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1.99";
/// Explicit VR Big Endian (retired, still sent).
pub const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
/// JPEG Baseline (Process 1).
pub const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";
/// JPEG Extended (Processes 2 and 4).
pub const JPEG_EXTENDED: &str = "1.2.840.10008.1.2.4.51";
/// JPEG Lossless, Non-Hierarchical (Process 14).
pub const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.57";
/// JPEG Lossless, Selection Value 1.
pub const JPEG_LOSSLESS_SV1: &str = "1.2.840.10008.1.2.4.70";
/// JPEG-LS Lossless.
pub const JPEG_LS_LOSSLESS: &str = "1.2.840.10008.1.2.4.80";
/// JPEG-LS Near-lossless.
pub const JPEG_LS_NEAR_LOSSLESS: &str = "1.2.840.10008.1.2.4.81";
/// JPEG 2000 (Lossless Only).
pub const JPEG_2000_LOSSLESS: &str = "1.2.840.10008.1.2.4.90";
/// JPEG 2000.
pub const JPEG_2000: &str = "1.2.840.10008.1.2.4.91";
/// JPEG XL Lossless.
pub const JPEG_XL_LOSSLESS: &str = "1.2.840.10008.1.2.4.110";
/// JPEG XL JPEG Recompression: a JPEG in fewer bytes.
pub const JPEG_XL_JPEG_RECOMPRESSION: &str = "1.2.840.10008.1.2.4.111";
/// JPEG XL.
pub const JPEG_XL: &str = "1.2.840.10008.1.2.4.112";
/// High-Throughput JPEG 2000 (Lossless Only).
pub const HTJ2K_LOSSLESS: &str = "1.2.840.10008.1.2.4.201";
/// High-Throughput JPEG 2000 with RPCL Options (Lossless Only).
pub const HTJ2K_LOSSLESS_RPCL: &str = "1.2.840.10008.1.2.4.202";
/// High-Throughput JPEG 2000.
pub const HTJ2K: &str = "1.2.840.10008.1.2.4.203";
/// RLE Lossless.
pub const RLE_LOSSLESS: &str = "1.2.840.10008.1.2.5";
/// Deflated Image Frame Compression.
pub const DEFLATED_IMAGE_FRAME: &str = "1.2.840.10008.1.2.8.1";

/// JPIP Referenced: pixels are elsewhere.
pub const JPIP_REFERENCED: &str = "1.2.840.10008.1.2.4.94";
/// JPIP Referenced Deflate.
pub const JPIP_REFERENCED_DEFLATE: &str = "1.2.840.10008.1.2.4.95";
/// JPIP HTJ2K Referenced.
pub const JPIP_HTJ2K_REFERENCED: &str = "1.2.840.10008.1.2.4.204";
/// JPIP HTJ2K Referenced Deflate.
pub const JPIP_HTJ2K_REFERENCED_DEFLATE: &str = "1.2.840.10008.1.2.4.205";

/// How the data set itself is encoded, whatever the pixel codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSetEncoding {
    /// The VR is not in the stream and comes from the dictionary.
    pub implicit_vr: bool,
    /// Numbers are big endian.
    pub big_endian: bool,
    /// The whole data set is one raw deflate stream (PS3.5 A.5).
    pub deflated: bool,
}

impl TransferSyntaxUid {
    /// The encoding of the data set. Every syntax that is not named here is Explicit VR Little
    /// Endian (PS3.5 A.4); private ones are taken as that too.
    pub fn data_set_encoding(&self) -> DataSetEncoding {
        let explicit = DataSetEncoding { implicit_vr: false, big_endian: false, deflated: false };
        match self.as_str() {
            IMPLICIT_VR_LITTLE_ENDIAN => DataSetEncoding { implicit_vr: true, ..explicit },
            EXPLICIT_VR_BIG_ENDIAN => DataSetEncoding { big_endian: true, ..explicit },
            DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN | JPIP_REFERENCED_DEFLATE | JPIP_HTJ2K_REFERENCED_DEFLATE => {
                DataSetEncoding { deflated: true, ..explicit }
            }
            _ => explicit,
        }
    }

    /// Pixel Data is a sequence of fragments (PS3.5 A.4), not native samples.
    pub fn is_encapsulated(&self) -> bool {
        !matches!(
            self.as_str(),
            IMPLICIT_VR_LITTLE_ENDIAN
                | EXPLICIT_VR_LITTLE_ENDIAN
                | EXPLICIT_VR_BIG_ENDIAN
                | DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
                | JPIP_REFERENCED
                | JPIP_REFERENCED_DEFLATE
                | JPIP_HTJ2K_REFERENCED
                | JPIP_HTJ2K_REFERENCED_DEFLATE
        )
    }

    /// The media type of one stored frame (PS3.18 table 8.7.3-5, 8.7.3-6).
    pub fn frame_media_type(&self) -> &'static str {
        match self.as_str() {
            JPEG_BASELINE | JPEG_EXTENDED | JPEG_LOSSLESS | JPEG_LOSSLESS_SV1 => "image/jpeg",
            JPEG_LS_LOSSLESS | JPEG_LS_NEAR_LOSSLESS => "image/jls",
            JPEG_2000_LOSSLESS | JPEG_2000 => "image/jp2",
            HTJ2K_LOSSLESS | HTJ2K_LOSSLESS_RPCL | HTJ2K => "image/jphc",
            JPEG_XL_LOSSLESS | JPEG_XL_JPEG_RECOMPRESSION | JPEG_XL => "image/jxl",
            RLE_LOSSLESS => "image/dicom-rle",
            _ => "application/octet-stream",
        }
    }
}
