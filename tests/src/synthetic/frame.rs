//! An instance around a frame that somebody else made, or nobody should have.

use model::transfer_syntax as syntax;

use super::{Encoding, Synthetic, Writer};
use crate::part10;

/// The Part 10 file of a CR image of the patient with this ID that says these rows and columns, with `frame` as its one
/// frame.
///
/// # Panics
/// When the synthetic data set has changed its form.
pub fn encapsulated(
    patient_id: &str,
    transfer_syntax: &str,
    rows: u16,
    columns: u16,
    frame: &[u8],
) -> Vec<u8> {
    let image = Synthetic::cr(patient_id, 8, 8).with_transfer_syntax(syntax::EXPLICIT_VR_LITTLE_ENDIAN);
    let mut data_set = image.data_set();
    for (tag, value) in [(0x10_u16, rows), (0x11, columns)] {
        let header = [&[0x28, 0, tag as u8, 0][..], b"US\x02\0"].concat();
        let at = position(&data_set, &header) + header.len();
        data_set[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    data_set.truncate(position(&data_set, &[0xe0, 0x7f, 0x10, 0]));
    let mut fragment = frame.to_vec();
    fragment.resize(frame.len().next_multiple_of(2), 0);
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    writer.encapsulated(&[fragment]);
    data_set.extend_from_slice(&writer.finish());
    let mut file = part10::file_meta(&image.sop_class_uid, &image.sop_instance_uid, transfer_syntax);
    file.extend_from_slice(&data_set);
    file
}

fn position(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).expect("it is there")
}
