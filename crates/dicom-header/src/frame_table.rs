//! PS3.5 8.1.1 and A.4: where each frame lies, computed for native pixel data, put together from fragments otherwise.

use model::{
    frame::{ByteRange, FrameTable},
    pixel::PixelModule,
    transfer_syntax::{DEFLATED_IMAGE_FRAME, ENCAPSULATED_UNCOMPRESSED, RLE_LOSSLESS},
    uid::TransferSyntaxUid,
};

use crate::{
    encapsulated::{Encapsulated, Fragment},
    offset_table,
    warnings::Warnings,
};

/// Frames of native pixel data: as many as are complete in `value`, at most as many as declared.
pub(crate) fn native(module: &PixelModule, value: ByteRange, warnings: &mut Warnings) -> FrameTable {
    let pixels = u64::from(module.rows) * u64::from(module.columns);
    let samples = u64::from(module.samples_per_pixel);
    let declared = u64::from(module.number_of_frames);
    let value_bits = value.length.saturating_mul(8);
    let bits = |samples: u64| {
        pixels.checked_mul(samples).and_then(|samples| samples.checked_mul(u64::from(module.bits_allocated)))
    };
    let mut bits_per_frame = bits(samples);
    if samples == 3 && module.photometric_interpretation.ends_with("_422") {
        // Two luminance samples share their chrominance samples (C.7.6.3.1.2), unless the data are all there.
        let is_full =
            bits(3).and_then(|bits| bits.checked_mul(declared)).is_some_and(|bits| bits <= value_bits);
        if is_full {
            warnings.add("pixel data are not subsampled although the photometric interpretation says 4:2:2");
        } else {
            bits_per_frame = bits(2);
        }
    }
    let Some(bits_per_frame) = bits_per_frame.filter(|bits| *bits > 0) else {
        warnings.add("the pixel module does not tell the size of a frame");
        return FrameTable::None;
    };
    let complete = (value_bits / bits_per_frame).min(declared);
    let expected_bits = bits_per_frame.checked_mul(declared);
    let with_padding = expected_bits.map(|bits| bits.div_ceil(8).next_multiple_of(2));
    if complete < declared {
        warnings.add("pixel data are shorter than the pixel module says: only complete frames count");
    } else if with_padding.is_some_and(|bytes| value.length > bytes) {
        warnings.add("pixel data are longer than the pixel module says");
    }
    if complete == 0 {
        return FrameTable::None;
    }
    FrameTable::Native { value, frames: complete as u32, bits_per_frame }
}

/// Frames of encapsulated pixel data.
pub(crate) fn encapsulated(
    pixel: &Encapsulated,
    number_of_frames: u32,
    transfer_syntax: &TransferSyntaxUid,
    extended: Option<(&[u8], &[u8])>,
    warnings: &mut Warnings,
) -> FrameTable {
    if !transfer_syntax.is_encapsulated() {
        warnings
            .add("pixel data are encapsulated although the transfer syntax is native: no frames are served");
        return FrameTable::None;
    }
    let fragments = &pixel.fragments;
    if fragments.is_empty() {
        warnings.add("pixel data have no fragments");
        return FrameTable::None;
    }
    let declared = number_of_frames as usize;
    let fragment_is_frame =
        matches!(transfer_syntax.as_str(), RLE_LOSSLESS | DEFLATED_IMAGE_FRAME | ENCAPSULATED_UNCOMPRESSED);
    if let Some((offsets, lengths)) = extended {
        match offset_table::extended(fragments, declared, offsets, lengths) {
            Some(frames) => return FrameTable::Encapsulated { frames },
            None => warnings.add("the extended offset table does not fit the fragments: it is not used"),
        }
    }
    if !pixel.offset_table.is_empty() {
        match offset_table::basic(fragments, declared, &pixel.offset_table) {
            Some(frames) => return FrameTable::Encapsulated { frames },
            None => warnings.add("the basic offset table does not fit the fragments: it is not used"),
        }
    }
    rebuild(fragments, declared, fragment_is_frame, warnings)
}

/// Without an offset table to go by: from the number of fragments, then from where codestreams begin.
fn rebuild(
    fragments: &[Fragment],
    declared: usize,
    fragment_is_frame: bool,
    warnings: &mut Warnings,
) -> FrameTable {
    let one_each =
        || fragments.iter().take(declared).map(|fragment| vec![fragment.range()]).collect::<Vec<_>>();
    if fragments.len() == declared {
        return FrameTable::Encapsulated { frames: one_each() };
    }
    if declared == 1 && !fragment_is_frame {
        return FrameTable::Encapsulated { frames: vec![fragments.iter().map(Fragment::range).collect()] };
    }
    if fragment_is_frame {
        warnings.add("there are more or fewer fragments than frames");
        return FrameTable::Encapsulated { frames: one_each() };
    }
    let mut frames: Vec<Vec<ByteRange>> = Vec::new();
    for fragment in fragments {
        match frames.last_mut() {
            Some(frame) if !fragment.starts => frame.push(fragment.range()),
            None if !fragment.starts => {
                warnings.add("frames cannot be told apart");
                return FrameTable::None;
            }
            _ => frames.push(vec![fragment.range()]),
        }
    }
    if frames.len() != declared {
        warnings.add("there are more or fewer codestreams than frames");
        frames.truncate(declared);
    }
    FrameTable::Encapsulated { frames }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragments(starts: &[bool]) -> Vec<Fragment> {
        let offset = |index: usize| 100 + 18 * index as u64;
        starts
            .iter()
            .enumerate()
            .map(|(index, starts)| Fragment { offset: offset(index), length: 10, starts: *starts })
            .collect()
    }

    fn counts(table: &FrameTable) -> Vec<usize> {
        match table {
            FrameTable::Encapsulated { frames } => frames.iter().map(Vec::len).collect(),
            _ => Vec::new(),
        }
    }

    fn rebuilt(starts: &[bool], declared: usize, fragment_is_frame: bool) -> Vec<usize> {
        counts(&rebuild(&fragments(starts), declared, fragment_is_frame, &mut Warnings::default()))
    }

    #[test]
    fn rebuilds() {
        assert_eq!(rebuilt(&[true, true, true], 3, false), [1, 1, 1]);
        assert_eq!(rebuilt(&[true, false, false], 1, false), [3]);
        assert_eq!(rebuilt(&[true, false, true, false, false], 2, false), [2, 3]);
        assert_eq!(rebuilt(&[true, false, true], 5, false), [2, 1]);
        assert_eq!(rebuilt(&[false, false, true], 2, false), [0; 0]);
        assert_eq!(rebuilt(&[false, false, false], 2, true), [1, 1]);
        assert_eq!(rebuilt(&[false, false], u32::MAX as usize, true), [1, 1]);
    }

    fn module(rows: u32, samples: u16, photometric: &str, frames: u32, bits: u16) -> PixelModule {
        PixelModule {
            rows,
            columns: 10,
            samples_per_pixel: samples,
            bits_allocated: bits,
            number_of_frames: frames,
            photometric_interpretation: photometric.to_owned(),
            ..PixelModule::default()
        }
    }

    fn native_frames(module: &PixelModule, length: u64) -> (usize, usize) {
        let mut warnings = Warnings::default();
        let table = native(module, ByteRange { offset: 0, length }, &mut warnings);
        (table.len(), warnings.into_sentences().len())
    }

    #[test]
    fn counts_native_frames() {
        assert_eq!(native_frames(&module(10, 1, "MONOCHROME2", 2, 16), 400), (2, 0));
        assert_eq!(native_frames(&module(10, 1, "MONOCHROME2", 2, 16), 399), (1, 1));
        assert_eq!(native_frames(&module(10, 1, "MONOCHROME2", 1, 16), 202), (1, 1));
        assert_eq!(native_frames(&module(10, 3, "YBR_FULL_422", 1, 8), 200), (1, 0));
        assert_eq!(native_frames(&module(10, 3, "YBR_FULL_422", 1, 8), 300), (1, 1));
        assert_eq!(native_frames(&module(5, 1, "MONOCHROME2", 3, 1), 20), (3, 0));
        assert_eq!(native_frames(&module(0, 1, "MONOCHROME2", 1, 8), 20), (0, 1));
        let absurd =
            PixelModule { columns: u32::MAX, ..module(u32::MAX, u16::MAX, "RGB", u32::MAX, u16::MAX) };
        assert_eq!(native_frames(&absurd, u64::MAX), (0, 1));
    }
}
