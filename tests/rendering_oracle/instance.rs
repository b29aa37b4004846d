//! An instance of a file: pixel module and stored frames, read by the archive's own reader.

use dicom_header::{FileMetaReader, HeaderReader, Limits};
use model::{TransferSyntaxUid, frame::FrameTable, pixel::PixelModule};

/// What is needed to decode its frames.
pub struct Instance {
    pub transfer_syntax_uid: TransferSyntaxUid,
    pub module: PixelModule,
    pub frames: Vec<Vec<u8>>,
}

/// Reads a file; `None` when it has no frames.
pub fn read_instance(file: &[u8]) -> Option<Instance> {
    let mut meta = FileMetaReader::new();
    let read = meta.push(file).ok()??;
    let transfer_syntax_uid = read.meta.transfer_syntax_uid;
    let data_set = inflate(&transfer_syntax_uid, read.data_set_start);
    let mut reader = HeaderReader::new(&transfer_syntax_uid, Limits::default());
    reader.push(&data_set.raw).ok()?;
    let header = reader.finish().ok()?;
    let frames = frames(&header.frame_table, &data_set.plain);
    Some(Instance { transfer_syntax_uid, module: header.pixel_module?, frames })
}

struct DataSet {
    raw: Vec<u8>,
    /// What the frame table counts in: the inflated bytes of a deflated data set.
    plain: Vec<u8>,
}

fn inflate(transfer_syntax: &TransferSyntaxUid, raw: Vec<u8>) -> DataSet {
    let mut plain = raw.clone();
    if transfer_syntax.data_set_encoding().deflated {
        plain.clear();
        let mut decoder = flate2::read::DeflateDecoder::new(raw.as_slice());
        let _shorter_is_noticed_later = std::io::copy(&mut decoder, &mut plain);
    }
    DataSet { raw, plain }
}

fn frames(table: &FrameTable, data_set: &[u8]) -> Vec<Vec<u8>> {
    let frame = |index: usize| {
        let location = table.locate(index)?;
        let mut frame = Vec::new();
        for range in &location.ranges {
            frame.extend_from_slice(data_set.get(range.offset as usize..range.end() as usize)?);
        }
        Some(shift(frame, location.skip_bits))
    };
    (0..table.len()).map_while(frame).collect()
}

/// Drops bits at the start, as the archive does for 1-bit frames that do not start at a byte.
fn shift(frame: Vec<u8>, bits: u8) -> Vec<u8> {
    if bits == 0 {
        return frame;
    }
    let next = |index: usize| frame.get(index + 1).copied().unwrap_or(0);
    frame.iter().enumerate().map(|(index, byte)| byte >> bits | next(index) << (8 - bits)).collect()
}
