//! PS3.10 7.1: any bytes as the head of a file. The first byte is the size of the pieces; where the data set begins
//! must not depend on it.
#![no_main]

use dicom_header::{FileMeta, FileMetaReader, HeaderError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [size, bytes @ ..] = input else { return };
    let in_pieces = read(bytes, usize::from(*size).max(1));
    let whole = read(bytes, bytes.len().max(1));
    if let (Ok(in_pieces), Ok(whole)) = (in_pieces, whole) {
        assert_eq!(in_pieces, whole);
    }
});

/// The meta group and where the data set begins.
fn read(bytes: &[u8], size: usize) -> Result<Option<(FileMeta, usize)>, HeaderError> {
    let mut reader = FileMetaReader::new();
    let mut pushed = 0;
    for piece in bytes.chunks(size) {
        pushed += piece.len();
        if let Some(read) = reader.push(piece)? {
            return Ok(Some((read.meta, pushed - read.data_set_start.len())));
        }
    }
    Ok(None)
}
