//! The ZIP format (ISO/IEC 21320-1, APPNOTE 4.3 to 4.5) as it is streamed: nothing is known before it was written. Files
//! go in as they are, in deflate blocks that are not compressed, so that a reader needs no index to find their ends.
//! All numbers are ZIP64: neither the number nor the length of files has a limit that matters.

pub mod dicomdir;

use flate2::Crc;

/// Version 4.5 of the format has ZIP64.
const VERSION: u16 = 45;
/// Sizes follow the file (bit 3).
const FLAGS: u16 = 1 << 3;
/// Deflate.
const METHOD: u16 = 8;
/// 1 January 1980, the format's first day: when a file was made is in the file.
const DATE: u16 = 1 << 5 | 1;
/// Longest block that is not compressed (RFC 1951 3.2.4).
const BLOCK_MAX_BYTES: usize = 65_535;

struct Entry {
    name: String,
    offset: u64,
    crc: u32,
    packed: u64,
    unpacked: u64,
}

/// Writes one archive, piece by piece.
#[derive(Default)]
pub struct ZipWriter {
    position: u64,
    entries: Vec<Entry>,
    crc: Crc,
    packed: u64,
}

impl ZipWriter {
    /// The header of a file; `name` is ASCII with `/` between folders.
    pub fn begin(&mut self, name: &str) -> Vec<u8> {
        let mut out = 0x0403_4b50_u32.to_le_bytes().to_vec();
        for number in [VERSION, FLAGS, METHOD, 0, DATE] {
            out.extend(number.to_le_bytes());
        }
        out.extend([0; 4]);
        out.extend([0xff; 8]);
        out.extend((name.len() as u16).to_le_bytes());
        out.extend(20_u16.to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(1_u16.to_le_bytes());
        out.extend(16_u16.to_le_bytes());
        out.extend([0; 16]);
        let (offset, name) = (self.position, name.to_owned());
        self.entries.push(Entry { name, offset, crc: 0, packed: 0, unpacked: 0 });
        (self.crc, self.packed) = (Crc::new(), 0);
        self.written(out)
    }

    /// The next bytes of the file.
    pub fn data(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.crc.update(bytes);
        if let Some(entry) = self.entries.last_mut() {
            entry.unpacked += bytes.len() as u64;
        }
        let mut out = Vec::with_capacity(bytes.len() + 5 * bytes.len().div_ceil(BLOCK_MAX_BYTES));
        for block in bytes.chunks(BLOCK_MAX_BYTES) {
            push_block(&mut out, block, false);
        }
        self.packed += out.len() as u64;
        self.written(out)
    }

    /// What follows the file.
    pub fn end(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        push_block(&mut out, &[], true);
        self.packed += out.len() as u64;
        let Some(entry) = self.entries.last_mut() else { return Vec::new() };
        (entry.crc, entry.packed) = (self.crc.sum(), self.packed);
        out.extend(0x0807_4b50_u32.to_le_bytes());
        out.extend(entry.crc.to_le_bytes());
        out.extend(entry.packed.to_le_bytes());
        out.extend(entry.unpacked.to_le_bytes());
        self.written(out)
    }

    /// The index of all files.
    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in &self.entries {
            out.extend(0x0201_4b50_u32.to_le_bytes());
            for number in [VERSION, VERSION, FLAGS, METHOD, 0, DATE] {
                out.extend(number.to_le_bytes());
            }
            out.extend(entry.crc.to_le_bytes());
            out.extend([0xff; 8]);
            out.extend((entry.name.len() as u16).to_le_bytes());
            out.extend(28_u16.to_le_bytes());
            out.extend([0; 10]);
            out.extend([0xff; 4]);
            out.extend(entry.name.as_bytes());
            out.extend(1_u16.to_le_bytes());
            out.extend(24_u16.to_le_bytes());
            for number in [entry.unpacked, entry.packed, entry.offset] {
                out.extend(number.to_le_bytes());
            }
        }
        let (start, length, count) = (self.position, out.len() as u64, self.entries.len() as u64);
        out.extend(0x0606_4b50_u32.to_le_bytes());
        out.extend(44_u64.to_le_bytes());
        out.extend(VERSION.to_le_bytes());
        out.extend(VERSION.to_le_bytes());
        out.extend([0; 8]);
        for number in [count, count, length, start] {
            out.extend(number.to_le_bytes());
        }
        out.extend(0x0706_4b50_u32.to_le_bytes());
        out.extend([0; 4]);
        out.extend((start + length).to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        out.extend(0x0605_4b50_u32.to_le_bytes());
        out.extend([0; 4]);
        out.extend([0xff; 12]);
        out.extend([0; 2]);
        out
    }

    fn written(&mut self, out: Vec<u8>) -> Vec<u8> {
        self.position += out.len() as u64;
        out
    }
}

fn push_block(out: &mut Vec<u8>, block: &[u8], last: bool) {
    let length = block.len() as u16;
    out.push(u8::from(last));
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend_from_slice(block);
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;

    use super::*;

    #[test]
    fn files_are_where_the_index_says() {
        let mut writer = ZipWriter::default();
        let long = vec![7; 200_000];
        let mut zip = Vec::new();
        for (name, pieces) in
            [("A/ONE", vec![&b"first"[..], b" piece"]), ("TWO", vec![&long[..]]), ("E", vec![])]
        {
            zip.extend(writer.begin(name));
            for piece in pieces {
                zip.extend(writer.data(piece));
            }
            zip.extend(writer.end());
        }
        let start = zip.len();
        zip.extend(writer.finish());
        let number = |at: usize, size: usize| {
            zip[at..at + size].iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
        };
        // The index from its end: locator, then the record that it names.
        let locator = zip.len() - 22 - 20;
        assert_eq!(number(locator, 4), 0x0706_4b50);
        let record = number(locator + 8, 8);
        assert_eq!(
            (number(record, 4), number(record + 32, 8), number(record + 48, 8)),
            (0x0606_4b50, 3, start)
        );
        let mut at = start;
        for (name, expected) in [("A/ONE", &b"first piece"[..]), ("TWO", &long), ("E", b"")] {
            assert_eq!(number(at, 4), 0x0201_4b50);
            assert_eq!(&zip[at + 46..at + 46 + name.len()], name.as_bytes());
            let extra = at + 46 + name.len() + 4;
            let (unpacked, packed, offset) = (number(extra, 8), number(extra + 8, 8), number(extra + 16, 8));
            assert_eq!((number(offset, 4), unpacked), (0x0403_4b50, expected.len()));
            let content = offset + 30 + name.len() + 20;
            let mut file = Vec::new();
            DeflateDecoder::new(&zip[content..content + packed]).read_to_end(&mut file).expect("deflate");
            assert!(file == expected, "{name}");
            let mut crc = Crc::new();
            crc.update(&file);
            assert_eq!(number(at + 16, 4), crc.sum() as usize);
            assert_eq!(number(content + packed, 4), 0x0807_4b50);
            at = extra + 24;
        }
        assert_eq!(at, record);
    }
}
