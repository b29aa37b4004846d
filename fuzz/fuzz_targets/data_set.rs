//! PS3.5 7: any bytes as a data set. The first byte picks the transfer syntax, the second the size of the pieces; in
//! pieces or whole, the outcome must be the same, and JSON must be JSON.
#![no_main]

use dicom_header::{HeaderError, HeaderReader, Limits};
use libfuzzer_sys::fuzz_target;
use model::{
    instance::InstanceHeader,
    transfer_syntax::{
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE, RLE_LOSSLESS,
    },
    uid::TransferSyntaxUid,
};

const SYNTAXES: [&str; 6] = [
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    JPEG_BASELINE,
    RLE_LOSSLESS,
];

fuzz_target!(|input: &[u8]| {
    let [syntax, size, bytes @ ..] = input else { return };
    let uid = TransferSyntaxUid::parse(SYNTAXES[usize::from(*syntax) % SYNTAXES.len()]).expect("a UID");
    let whole = read(&uid, bytes, bytes.len().max(1));
    assert_eq!(read(&uid, bytes, usize::from(*size).max(1)), whole);
    if let Ok(header) = whole {
        serde_json::from_str::<serde_json::Value>(&header.json).expect("JSON is JSON");
        for index in 0..header.frame_table.len().min(100) {
            let frame = header.frame_table.locate(index).expect("frames that are counted are there");
            assert!(frame.ranges.iter().all(|range| range.length > 0));
        }
    }
});

fn read(uid: &TransferSyntaxUid, bytes: &[u8], size: usize) -> Result<InstanceHeader, HeaderError> {
    let limits = Limits { inflated_max_bytes: 16 << 20, ..Limits::default() };
    let mut reader = HeaderReader::new(uid, limits);
    for piece in bytes.chunks(size) {
        reader.push(piece)?;
    }
    reader.finish()
}
