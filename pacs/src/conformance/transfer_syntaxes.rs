//! The table of transfer syntaxes: each one that PS3.6 table A-1 registers, and what the door says to it.

use std::fmt::Write as _;

use dicom_dictionary_std::uids;

use super::{STATEMENT, is_taken};

/// Names and UIDs.
const REGISTERED: &[(&str, &str)] = &[
    ("Implicit VR Little Endian", "1.2.840.10008.1.2"),
    ("Explicit VR Little Endian", "1.2.840.10008.1.2.1"),
    ("Encapsulated Uncompressed Explicit VR Little Endian", "1.2.840.10008.1.2.1.98"),
    ("Deflated Explicit VR Little Endian", "1.2.840.10008.1.2.1.99"),
    ("Explicit VR Big Endian, retired", "1.2.840.10008.1.2.2"),
    ("JPEG Baseline (Process 1)", "1.2.840.10008.1.2.4.50"),
    ("JPEG Extended (Process 2 & 4)", "1.2.840.10008.1.2.4.51"),
    ("JPEG Extended (Process 3 & 5), retired", "1.2.840.10008.1.2.4.52"),
    ("JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8), retired", "1.2.840.10008.1.2.4.53"),
    ("JPEG Spectral Selection, Non-Hierarchical (Process 7 & 9), retired", "1.2.840.10008.1.2.4.54"),
    ("JPEG Full Progression, Non-Hierarchical (Process 10 & 12), retired", "1.2.840.10008.1.2.4.55"),
    ("JPEG Full Progression, Non-Hierarchical (Process 11 & 13), retired", "1.2.840.10008.1.2.4.56"),
    ("JPEG Lossless, Non-Hierarchical (Process 14)", "1.2.840.10008.1.2.4.57"),
    ("JPEG Lossless, Non-Hierarchical (Process 15), retired", "1.2.840.10008.1.2.4.58"),
    ("JPEG Extended, Hierarchical (Process 16 & 18), retired", "1.2.840.10008.1.2.4.59"),
    ("JPEG Extended, Hierarchical (Process 17 & 19), retired", "1.2.840.10008.1.2.4.60"),
    ("JPEG Spectral Selection, Hierarchical (Process 20 & 22), retired", "1.2.840.10008.1.2.4.61"),
    ("JPEG Spectral Selection, Hierarchical (Process 21 & 23), retired", "1.2.840.10008.1.2.4.62"),
    ("JPEG Full Progression, Hierarchical (Process 24 & 26), retired", "1.2.840.10008.1.2.4.63"),
    ("JPEG Full Progression, Hierarchical (Process 25 & 27), retired", "1.2.840.10008.1.2.4.64"),
    ("JPEG Lossless, Hierarchical (Process 28), retired", "1.2.840.10008.1.2.4.65"),
    ("JPEG Lossless, Hierarchical (Process 29), retired", "1.2.840.10008.1.2.4.66"),
    (
        "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
        "1.2.840.10008.1.2.4.70",
    ),
    ("JPEG-LS Lossless Image Compression", "1.2.840.10008.1.2.4.80"),
    ("JPEG-LS Lossy (Near-Lossless) Image Compression", "1.2.840.10008.1.2.4.81"),
    ("JPEG 2000 Image Compression (Lossless Only)", "1.2.840.10008.1.2.4.90"),
    ("JPEG 2000 Image Compression", "1.2.840.10008.1.2.4.91"),
    ("JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)", "1.2.840.10008.1.2.4.92"),
    ("JPEG 2000 Part 2 Multi-component Image Compression", "1.2.840.10008.1.2.4.93"),
    ("JPIP Referenced", "1.2.840.10008.1.2.4.94"),
    ("JPIP Referenced Deflate", "1.2.840.10008.1.2.4.95"),
    ("MPEG2 Main Profile / Main Level", "1.2.840.10008.1.2.4.100"),
    ("Fragmentable MPEG2 Main Profile / Main Level", "1.2.840.10008.1.2.4.100.1"),
    ("MPEG2 Main Profile / High Level", "1.2.840.10008.1.2.4.101"),
    ("Fragmentable MPEG2 Main Profile / High Level", "1.2.840.10008.1.2.4.101.1"),
    ("MPEG-4 AVC/H.264 High Profile / Level 4.1", "1.2.840.10008.1.2.4.102"),
    ("Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1", "1.2.840.10008.1.2.4.102.1"),
    ("MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "1.2.840.10008.1.2.4.103"),
    ("Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "1.2.840.10008.1.2.4.103.1"),
    ("MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "1.2.840.10008.1.2.4.104"),
    ("Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "1.2.840.10008.1.2.4.104.1"),
    ("MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "1.2.840.10008.1.2.4.105"),
    ("Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "1.2.840.10008.1.2.4.105.1"),
    ("MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "1.2.840.10008.1.2.4.106"),
    ("Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "1.2.840.10008.1.2.4.106.1"),
    ("HEVC/H.265 Main Profile / Level 5.1", "1.2.840.10008.1.2.4.107"),
    ("HEVC/H.265 Main 10 Profile / Level 5.1", "1.2.840.10008.1.2.4.108"),
    ("JPEG XL Lossless", "1.2.840.10008.1.2.4.110"),
    ("JPEG XL JPEG Recompression", "1.2.840.10008.1.2.4.111"),
    ("JPEG XL", "1.2.840.10008.1.2.4.112"),
    ("High-Throughput JPEG 2000 Image Compression (Lossless Only)", "1.2.840.10008.1.2.4.201"),
    (
        "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
        "1.2.840.10008.1.2.4.202",
    ),
    ("High-Throughput JPEG 2000 Image Compression", "1.2.840.10008.1.2.4.203"),
    ("JPIP HTJ2K Referenced", "1.2.840.10008.1.2.4.204"),
    ("JPIP HTJ2K Referenced Deflate", "1.2.840.10008.1.2.4.205"),
    ("RLE Lossless", "1.2.840.10008.1.2.5"),
    ("RFC 2557 MIME encapsulation, retired", "1.2.840.10008.1.2.6.1"),
    ("XML Encoding, retired", "1.2.840.10008.1.2.6.2"),
    ("SMPTE ST 2110-20 Uncompressed Progressive Active Video", "1.2.840.10008.1.2.7.1"),
    ("SMPTE ST 2110-20 Uncompressed Interlaced Active Video", "1.2.840.10008.1.2.7.2"),
    ("SMPTE ST 2110-30 PCM Digital Audio", "1.2.840.10008.1.2.7.3"),
    ("Deflated Image Frame Compression", "1.2.840.10008.1.2.8.1"),
    ("Papyrus 3 Implicit VR Little Endian, retired", "1.2.840.10008.1.20"),
];

fn table() -> String {
    let word = |class, uid| if is_taken(class, uid) { "yes" } else { "no" };
    let mut table =
        "| transfer syntax | UID | storage | the other services |\n|---|---|---|---|\n".to_owned();
    for (name, uid) in REGISTERED {
        let storage = word(uids::CT_IMAGE_STORAGE, uid);
        let others = word(uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND, uid);
        let _ = writeln!(table, "| {name} | {uid} | {storage} | {others} |");
    }
    table
}

#[test]
fn the_statement_has_the_table_of_transfer_syntaxes() {
    let table = table();
    assert!(
        STATEMENT.contains(&table),
        "put the table of transfer syntaxes into docs/conformance-statement.md:\n\n{table}"
    );
}

/// What storage takes depends on the transfer syntax alone, and what the other services take on nothing but that they are
/// none of storage.
#[test]
fn the_table_holds_for_every_class() {
    for (name, uid) in REGISTERED {
        let storage = is_taken(uids::CT_IMAGE_STORAGE, uid);
        for class in super::storage().into_iter().chain([uids::VERIFICATION]) {
            assert_eq!(is_taken(class, uid), storage, "{class} in {name}");
        }
        let others = is_taken(uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND, uid);
        for class in super::provided().filter(|class| *class != uids::VERIFICATION) {
            assert_eq!(is_taken(class, uid), others, "{class} in {name}");
        }
    }
}
