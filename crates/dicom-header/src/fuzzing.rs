//! What must hold for any bytes whatever: the bodies of the fuzz targets of this crate, see `fuzz/README.md`.

use std::collections::BTreeMap;

use model::{
    instance::InstanceHeader,
    transfer_syntax::{
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE, RLE_LOSSLESS,
    },
    uid::{TransferSyntaxUid, check_uid},
};

use crate::{
    FileMeta, FileMetaReader, HeaderError, HeaderReader, Limits, Rewrite, Rewriter, encode_file_meta,
};

const SYNTAXES: [&str; 6] = [
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    JPEG_BASELINE,
    RLE_LOSSLESS,
];

/// Bytes of JSON that one byte of a data set may become, at most: an escaped control character and a short element.
const JSON_BYTES_PER_BYTE_MAX: usize = 64;

/// What rewriting may add to a data set beside what it makes of each byte.
const REWRITTEN_MORE_MAX_BYTES: usize = 1024;

/// PS3.5 7: any bytes as a data set. The first byte picks the transfer syntax, the second the size of the pieces.
///
/// # Panics
/// When the outcome depends on the pieces, JSON is no JSON, a UID is none, something lies outside of the bytes, or what
/// was read is another instance in another encoding.
pub fn data_set(input: &[u8]) {
    let [syntax, size, bytes @ ..] = input else { return };
    let uid = TransferSyntaxUid::parse(SYNTAXES[usize::from(*syntax) % SYNTAXES.len()]).expect("a UID");
    let whole = read_data_set(&uid, bytes, bytes.len().max(1));
    let in_pieces = read_data_set(&uid, bytes, usize::from(*size).max(1));
    // Of a damaged deflate stream more or less is inflated before the damage shows: two reasons to refuse it.
    if !uid.data_set_encoding().deflated || in_pieces.is_ok() || whole.is_ok() {
        assert_eq!(in_pieces, whole);
    }
    let rewritten =
        [false, true].map(|implicit_vr| rewrite_data_set(&uid, bytes, implicit_vr, usize::from(*size)));
    let Ok(header) = whole else { return };
    if !uid.data_set_encoding().deflated {
        check_rewritten(&header, rewritten);
    }
    serde_json::from_str::<serde_json::Value>(&header.json).expect("JSON is JSON");
    check_uid(header.study.study_instance_uid.as_str()).expect("a UID");
    check_uid(header.series.series_instance_uid.as_str()).expect("a UID");
    check_uid(header.instance.sop_instance_uid.as_str()).expect("a UID");
    if uid.data_set_encoding().deflated {
        return;
    }
    assert!(header.json.len() <= 1024 + bytes.len() * JSON_BYTES_PER_BYTE_MAX, "JSON is out of proportion");
    let length = bytes.len() as u64;
    for bulk in &header.bulk_data {
        assert!(bulk.range.offset + bulk.range.length <= length, "bulk data outside of the data set");
    }
    for index in 0..header.frame_table.len().min(100) {
        let frame = header.frame_table.locate(index).expect("frames that are counted are there");
        for range in &frame.ranges {
            assert!(range.length > 0 && range.offset + range.length <= length, "a frame outside");
        }
    }
}

fn read_data_set(uid: &TransferSyntaxUid, bytes: &[u8], size: usize) -> Result<InstanceHeader, HeaderError> {
    let limits = Limits { inflated_max_bytes: 16 << 20, ..Limits::default() };
    let mut reader = HeaderReader::new(uid, limits);
    for piece in bytes.chunks(size) {
        reader.push(piece)?;
    }
    reader.finish()
}

/// The data set in Explicit or Implicit VR Little Endian.
fn rewrite_data_set(
    uid: &TransferSyntaxUid,
    bytes: &[u8],
    implicit_vr: bool,
    size: usize,
) -> Result<Vec<u8>, HeaderError> {
    let edits = BTreeMap::new();
    let rewrite =
        Rewrite { implicit_vr, signed: false, pixel_word_bytes: 2, stops_at_pixel_data: false, edits };
    let mut rewriter = Rewriter::new(uid, rewrite);
    let mut out = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        rewriter.push(piece)?;
        out.extend(rewriter.take());
        assert!(out.len() <= REWRITTEN_MORE_MAX_BYTES + bytes.len() * 3, "a data set grew out of proportion");
    }
    rewriter.finish()?;
    out.extend(rewriter.take());
    Ok(out)
}

/// What we have taken we can give in both encodings, and it is the same instance.
fn check_rewritten(header: &InstanceHeader, rewritten: [Result<Vec<u8>, HeaderError>; 2]) {
    for (rewritten, syntax) in
        rewritten.into_iter().zip([EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
    {
        let uid = TransferSyntaxUid::parse(syntax).expect("a UID");
        if syntax == IMPLICIT_VR_LITTLE_ENDIAN
            && matches!(rewritten, Err(HeaderError::NeedsExplicitVr { .. }))
        {
            continue;
        }
        let rewritten = rewritten.expect("what was read can be rewritten");
        let again = read_data_set(&uid, &rewritten, rewritten.len().max(1)).expect("what we write we read");
        assert_eq!(again.study.study_instance_uid, header.study.study_instance_uid);
        assert_eq!(again.series.series_instance_uid, header.series.series_instance_uid);
        assert_eq!(again.instance.sop_instance_uid, header.instance.sop_instance_uid);
        assert_eq!(again.patient, header.patient);
    }
}

/// PS3.10 7.1: any bytes as the head of a file. The first byte is the size of the pieces.
///
/// # Panics
/// When where the data set begins depends on the pieces, or what is read and written again is not the same.
pub fn file_meta(input: &[u8]) {
    let [size, bytes @ ..] = input else { return };
    let in_pieces = read_file_meta(bytes, usize::from(*size).max(1));
    let whole = read_file_meta(bytes, bytes.len().max(1));
    if let (Ok(in_pieces), Ok(whole)) = (&in_pieces, &whole) {
        assert_eq!(in_pieces, whole);
    }
    let Ok(Some((meta, _))) = whole else { return };
    let (Some(class), Some(instance)) =
        (&meta.media_storage_sop_class_uid, &meta.media_storage_sop_instance_uid)
    else {
        return;
    };
    let source = meta.source_application_entity_title.as_ref();
    let written = encode_file_meta(class, instance, &meta.transfer_syntax_uid, source);
    let file = [&written[..], &[8, 0, 5, 0, b'C', b'S', 0, 0, 8, 0, 0x16, 0]].concat();
    let (again, at) = read_file_meta(&file, file.len()).expect("ours").expect("whole");
    assert_eq!(at, written.len());
    assert_eq!(again.transfer_syntax_uid, meta.transfer_syntax_uid);
    assert_eq!(again.media_storage_sop_instance_uid, meta.media_storage_sop_instance_uid);
    assert_eq!(again.source_application_entity_title, meta.source_application_entity_title);
}

/// The meta group and where the data set begins.
fn read_file_meta(bytes: &[u8], size: usize) -> Result<Option<(FileMeta, usize)>, HeaderError> {
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

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpus_data_set() {
        replay::replay("data_set", data_set);
    }

    #[test]
    fn corpus_file_meta() {
        replay::replay("file_meta", file_meta);
    }
}
