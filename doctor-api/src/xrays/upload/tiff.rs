//! TIFF 6.0, what film scanners make, as native samples. The decoder is Rust that casts plain numbers to bytes and does nothing
//! else that is unsafe, so it runs here, without the JPEG that some put into a TIFF.

use std::io::Cursor;

use tiff::{
    ColorType,
    decoder::{Decoder, DecodingSampleType, Limits},
    tags::Tag,
};

use super::{exif, orientation::Raster, png::DECODED_LENGTH_MAX_BYTES};

/// Most bytes after decoding of a file that is shorter itself.
const COMPRESSED_LENGTH_MAX_BYTES: usize = 64 << 20;
/// Small copies that may stand behind the picture.
const COPIES_MAX: usize = 16;
/// NewSubfileType (TIFF 6.0 section 8): a copy of another picture of this file, with fewer pixels.
const IS_COPY: u32 = 1;

/// Whether a file begins as one.
pub fn is_tiff(file: &[u8]) -> bool {
    file.starts_with(b"II*\0") || file.starts_with(b"MM\0*")
}

/// # Errors
/// What is wrong with it, for people.
pub fn read(file: &[u8]) -> Result<Raster, &'static str> {
    let damaged = "the TIFF is damaged";
    let unreadable =
        "the TIFF is damaged, or of a kind that is not taken: use no compression, LZW or Deflate";
    // What is decoded is there as a whole before a byte of it is looked at.
    let length_max = file.len().clamp(COMPRESSED_LENGTH_MAX_BYTES, DECODED_LENGTH_MAX_BYTES);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = length_max;
    limits.intermediate_buffer_size = length_max;
    let mut decoder = Decoder::new(Cursor::new(file)).map_err(|_| unreadable)?.with_limits(limits);
    if is_copy(&mut decoder) {
        return Err("the TIFF begins with a small copy of its picture, as raw files of cameras do");
    }
    let wrong = "the TIFF has no size that a picture can have";
    let (width, height) = decoder.dimensions().map_err(|_| damaged)?;
    let (rows, columns) =
        (u16::try_from(height).map_err(|_| wrong)?, u16::try_from(width).map_err(|_| wrong)?);
    let (samples_per_pixel, extra, bits) = match decoder.colortype().map_err(|_| unreadable)? {
        ColorType::Gray(bits) => (1, 0, bits),
        ColorType::RGB(bits) => (3, 0, bits),
        ColorType::RGBA(bits) => (3, 1, bits),
        _ => return Err("the TIFF is neither grey nor RGB"),
    };
    let layout = decoder.image_buffer_layout().map_err(|_| unreadable)?;
    let bytes_per_sample: u16 = match (bits, layout.sample_type) {
        (8, Some(DecodingSampleType::U8)) => 1,
        (16, Some(DecodingSampleType::U16)) => 2,
        _ => return Err("the TIFF's samples are not of 8 or 16 bits"),
    };
    if layout.planes != 1 {
        return Err("the TIFF keeps its colours apart from each other");
    }
    let stored = Raster::length(rows, columns, samples_per_pixel + extra, bytes_per_sample);
    if stored == 0 || layout.complete_len != stored {
        return Err(wrong);
    }
    if stored > length_max {
        return Err("the TIFF is larger than pictures that are decoded");
    }
    let mut bytes = vec![0; stored];
    decoder.read_image_bytes(&mut bytes).map_err(|_| unreadable)?;
    alone(&mut decoder)?;
    if extra > 0 {
        without_alpha(&mut bytes, bytes_per_sample);
    }
    if cfg!(target_endian = "big") && bytes_per_sample == 2 {
        bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|sample| sample.reverse());
    }
    let raster = Raster { rows, columns, samples_per_pixel, bytes_per_sample, bytes };
    Ok(raster.upright(exif::orientation(file)))
}

fn is_copy(decoder: &mut Decoder<Cursor<&[u8]>>) -> bool {
    let kind = decoder.find_tag_unsigned::<u32>(Tag::NewSubfileType);
    kind.is_ok_and(|kind| kind.is_some_and(|kind| kind & IS_COPY != 0))
}

/// An X-ray that nobody sees because it stood on the second page is lost.
fn alone(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<(), &'static str> {
    let several = "the TIFF has several pages: send each of them as a file of its own";
    for _ in 0..=COPIES_MAX {
        if !decoder.more_images() {
            return Ok(());
        }
        decoder.next_image().map_err(|_| several)?;
        if !is_copy(decoder) {
            break;
        }
    }
    Err(several)
}

/// DICOM has no transparency: the colours stay as they are.
fn without_alpha(bytes: &mut Vec<u8>, bytes_per_sample: u16) {
    let sample = usize::from(bytes_per_sample);
    let mut kept = 0;
    for pixel in (0..bytes.len()).step_by(4 * sample) {
        bytes.copy_within(pixel..pixel + 3 * sample, kept);
        kept += 3 * sample;
    }
    bytes.truncate(kept);
}

#[cfg(test)]
mod tests {
    use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, colortype};

    use super::*;

    const WIDTH: u16 = 256;
    const HEIGHT: u16 = 257;
    const BITS: u16 = 258;
    const COMPRESSION: u16 = 259;
    const PHOTOMETRIC: u16 = 262;
    const STRIP_OFFSETS: u16 = 273;
    const ORIENTATION: u16 = 274;
    const SAMPLES: u16 = 277;
    const STRIP_LENGTHS: u16 = 279;
    const SUBFILE: u16 = 254;

    /// A TIFF of several directories, each over the same strip, which stands behind its header.
    fn tiff(big: bool, strip: &[u8], pages: &[&[(u16, u16)]]) -> Vec<u8> {
        let short = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: usize| {
            let value = u32::try_from(value).expect("short");
            if big { value.to_be_bytes() } else { value.to_le_bytes() }
        };
        let mut file = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        file.extend(long(8 + strip.len()));
        file.extend_from_slice(strip);
        for (number, page) in pages.iter().enumerate() {
            let mut entries = page.to_vec();
            entries.extend([(STRIP_OFFSETS, 8), (STRIP_LENGTHS, u16::try_from(strip.len()).expect("short"))]);
            entries.sort_unstable();
            file.extend(short(u16::try_from(entries.len()).expect("few")));
            for (tag, value) in entries {
                file.extend([short(tag), short(3)].concat());
                file.extend(long(1));
                file.extend([short(value), [0; 2]].concat());
            }
            let next = if number + 1 < pages.len() { file.len() + 4 } else { 0 };
            file.extend(long(next));
        }
        file
    }

    /// 3 columns, 2 rows.
    fn grey(bits: u16, photometric: u16) -> Vec<(u16, u16)> {
        vec![
            (WIDTH, 3),
            (HEIGHT, 2),
            (BITS, bits),
            (COMPRESSION, 1),
            (PHOTOMETRIC, photometric),
            (SAMPLES, 1),
        ]
    }

    fn with(mut page: Vec<(u16, u16)>, tag: u16, value: u16) -> Vec<(u16, u16)> {
        page.retain(|(other, _)| *other != tag);
        page.push((tag, value));
        page
    }

    #[test]
    fn every_sample_in_both_byte_orders() {
        let samples: Vec<u16> = vec![0, 1, 256, 4095, 65534, 65535];
        let little: Vec<u8> = samples.iter().flat_map(|value| value.to_le_bytes()).collect();
        let big: Vec<u8> = samples.iter().flat_map(|value| value.to_be_bytes()).collect();
        for (file, is_big) in [(&little, false), (&big, true)] {
            let read = read(&tiff(is_big, file, &[&grey(16, 1)])).expect("a TIFF");
            assert_eq!(
                (read.rows, read.columns, read.samples_per_pixel, read.bytes_per_sample),
                (2, 3, 1, 2)
            );
            assert_eq!(read.bytes, little, "big endian: {is_big}");
        }
        // White is 0: as on a film that lies on a light box.
        let inverted = read(&tiff(false, &little, &[&grey(16, 0)])).expect("a TIFF").bytes;
        let expected: Vec<u8> = samples.iter().flat_map(|value| (u16::MAX - value).to_le_bytes()).collect();
        assert_eq!(inverted, expected);
    }

    #[test]
    fn compressed_colours_and_what_stands_on_its_side() {
        for compression in
            [Compression::Uncompressed, Compression::Lzw, Compression::Deflate(DeflateLevel::default())]
        {
            let mut file = Cursor::new(Vec::new());
            let pixels: Vec<u8> = (0..2 * 3 * 4).collect();
            let mut encoder = TiffEncoder::new(&mut file).expect("an encoder").with_compression(compression);
            encoder.write_image::<colortype::RGBA8>(3, 2, &pixels).expect("written");
            let read = read(file.get_ref()).expect("a TIFF");
            assert_eq!((read.rows, read.columns, read.samples_per_pixel), (2, 3, 3));
            assert_eq!(read.bytes[..9], [0, 1, 2, 4, 5, 6, 8, 9, 10], "without its fourth sample");
            assert_eq!(read.bytes.len(), 18);
        }
        let turned = with(grey(8, 1), ORIENTATION, 6);
        let read = read(&tiff(false, b"abcdef", &[&turned])).expect("a TIFF");
        assert_eq!((read.rows, read.columns, read.bytes.as_slice()), (3, 2, b"daebfc".as_slice()));
    }

    #[test]
    fn a_second_page_is_refused_and_a_small_copy_is_none() {
        let page = grey(8, 1);
        let copy = with(grey(8, 1), SUBFILE, 1);
        let of = |pages: &[&[(u16, u16)]]| read(&tiff(true, b"abcdef", pages));
        assert!(of(&[&page, &copy]).is_ok());
        for (pages, word) in [
            (vec![&page[..], &page], "several pages"),
            (vec![&page[..], &copy, &page], "several pages"),
            (vec![&copy[..], &page], "small copy"),
            (vec![&page[..]; 1 + COPIES_MAX], "several pages"),
        ] {
            let refused = of(&pages).expect_err(word);
            assert!(refused.contains(word), "{refused}");
        }
        let mut endless = vec![&copy[..]; COPIES_MAX + 2];
        endless[0] = &page;
        assert!(of(&endless).is_err());
    }

    #[test]
    fn what_is_not_taken_is_said() {
        for (page, word) in [
            (with(grey(8, 1), BITS, 1), "8 or 16 bits"),
            (with(grey(8, 1), COMPRESSION, 7), "not taken"),
            (with(grey(8, 5), SAMPLES, 4), "neither grey nor RGB"),
            (with(grey(8, 1), WIDTH, 0), "not taken"),
        ] {
            let refused = read(&tiff(false, b"abcdef", &[&page])).expect_err(word);
            assert!(refused.contains(word), "{refused}");
        }
        let large = with(with(grey(8, 1), WIDTH, 30_000), HEIGHT, 30_000);
        let refused = read(&tiff(false, b"abcdef", &[&large])).expect_err("900 MB");
        assert!(refused.contains("larger"), "{refused}");
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = tiff(false, b"abcdef", &[&grey(8, 1)]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
    }
}
