//! Where each frame of an instance lies, so that one ranged read serves one frame (PS3.5 8 and A.4).

use serde::{Deserialize, Serialize};

/// A run of bytes, counted from the first byte of the data set (for the deflated syntax: of the inflated data set).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

impl ByteRange {
    /// First byte after the run; saturates.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// The frames of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum FrameTable {
    /// No Pixel Data element, or none whose frames can be told apart.
    #[default]
    None,
    /// Native samples, frame after frame (PS3.5 8.1.1).
    Native {
        /// The value of the Pixel Data element (also Float or Double Float Pixel Data).
        value: ByteRange,
        /// Frames whose samples are all there.
        frames: u32,
        /// Size of one frame in bits: with Bits Allocated 1 a frame need not end at a byte.
        bits_per_frame: u64,
    },
    /// One entry a frame; each is the frame's fragments without their item headers (PS3.5 A.4).
    Encapsulated {
        /// Fragments of each frame, in order.
        frames: Vec<Vec<ByteRange>>,
    },
}

/// The bytes that hold one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameLocation {
    /// Runs to read one after the other.
    pub ranges: Vec<ByteRange>,
    /// Bits to drop at the start of the first byte: not 0 only for 1-bit frames that do not start at a byte.
    pub skip_bits: u8,
}

impl FrameTable {
    /// How many frames can be read.
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Native { frames, .. } => *frames as usize,
            Self::Encapsulated { frames } => frames.len(),
        }
    }

    /// True when there is no frame.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where frame `index` (from 0) lies; `None` past the last one.
    pub fn locate(&self, index: usize) -> Option<FrameLocation> {
        match self {
            Self::None => None,
            Self::Native { value, frames, bits_per_frame } => {
                if index >= *frames as usize {
                    return None;
                }
                let first_bit = (index as u64).checked_mul(*bits_per_frame)?;
                let end_bit = first_bit.checked_add(*bits_per_frame)?;
                let offset = first_bit / 8;
                let length = end_bit.div_ceil(8).checked_sub(offset)?;
                (offset.checked_add(length)? <= value.length).then(|| FrameLocation {
                    ranges: vec![ByteRange { offset: value.offset + offset, length }],
                    skip_bits: (first_bit % 8) as u8,
                })
            }
            Self::Encapsulated { frames } => {
                frames.get(index).map(|ranges| FrameLocation { ranges: ranges.clone(), skip_bits: 0 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_frames_start_inside_a_byte() {
        let table =
            FrameTable::Native { value: ByteRange { offset: 100, length: 5 }, frames: 3, bits_per_frame: 12 };
        let second = table.locate(1).expect("frame");
        assert_eq!(second.ranges, [ByteRange { offset: 101, length: 2 }]);
        assert_eq!(second.skip_bits, 4);
        assert_eq!(table.locate(3), None);
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        let table = FrameTable::Native {
            value: ByteRange { offset: 0, length: 10 },
            frames: u32::MAX,
            bits_per_frame: u64::MAX,
        };
        assert_eq!(table.locate(2), None);
    }
}
