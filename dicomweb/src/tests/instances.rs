//! Instances made on the spot: Part 10 files in Explicit VR Little Endian.

use crate::dicom_json::tag;

pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
pub const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";
pub const RLE: &str = "1.2.840.10008.1.2.5";
pub const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";

/// What differs between instances of a test.
#[derive(Debug, Clone)]
pub struct Sample {
    pub study: String,
    pub series: String,
    pub instance: String,
    pub patient_id: &'static str,
    pub patient_name: &'static str,
    pub modality: &'static str,
    pub number: u32,
    pub transfer_syntax: &'static str,
    /// Frames of 4 x 2 pixels of 16 bits, or fragments.
    pub frames: Vec<Vec<u8>>,
    /// Without pixel data at all.
    pub no_pixels: bool,
}

impl Sample {
    pub fn new(study: &str, series: &str, instance: &str) -> Self {
        let frame = (0..16).collect();
        Self {
            study: study.to_owned(),
            series: series.to_owned(),
            instance: instance.to_owned(),
            patient_id: "P-1",
            patient_name: "Doe^Jane",
            modality: "DX",
            number: 1,
            transfer_syntax: EXPLICIT,
            frames: vec![frame],
            no_pixels: false,
        }
    }

    pub fn encapsulated(&self) -> bool {
        self.transfer_syntax != EXPLICIT && self.transfer_syntax != BIG_ENDIAN
    }

    /// The whole file.
    pub fn file(&self) -> Vec<u8> {
        let mut meta = Vec::new();
        let explicit = Writer { big_endian: false };
        explicit.element(&mut meta, 0x0002_0002, "UI", DX.as_bytes());
        explicit.element(&mut meta, 0x0002_0003, "UI", self.instance.as_bytes());
        explicit.element(&mut meta, 0x0002_0010, "UI", self.transfer_syntax.as_bytes());
        let mut file = vec![0; 128];
        file.extend_from_slice(b"DICM");
        explicit.element(&mut file, 0x0002_0000, "UL", &(meta.len() as u32).to_le_bytes());
        file.extend(meta);
        file.extend(self.data_set());
        file
    }

    pub fn data_set(&self) -> Vec<u8> {
        let writer = Writer { big_endian: self.transfer_syntax == BIG_ENDIAN };
        let mut bytes = Vec::new();
        let mut text =
            |tag: u32, vr: &str, value: &str| writer.element(&mut bytes, tag, vr, value.as_bytes());
        text(0x0008_0005, "CS", "ISO_IR 100");
        text(0x0008_0016, "UI", DX);
        text(0x0008_0018, "UI", &self.instance);
        text(0x0008_0020, "DA", "20240131");
        text(0x0008_0030, "TM", "101530");
        text(0x0008_0050, "SH", "ACC-1");
        text(0x0008_0060, "CS", self.modality);
        text(0x0008_1030, "LO", "Thorax p.a.");
        text(0x0010_0010, "PN", self.patient_name);
        text(0x0010_0020, "LO", self.patient_id);
        text(0x0010_0030, "DA", "");
        text(0x0020_000D, "UI", &self.study);
        text(0x0020_000E, "UI", &self.series);
        text(0x0020_0011, "IS", "1");
        text(0x0020_0013, "IS", &self.number.to_string());
        if !self.no_pixels {
            self.pixels(&writer, &mut bytes);
        }
        bytes
    }

    fn pixels(&self, writer: &Writer, bytes: &mut Vec<u8>) {
        let mut short = |tag: u32, value: u16| {
            let value = if writer.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            writer.element(bytes, tag, "US", &value);
        };
        short(0x0028_0002, 1);
        writer.element(bytes, 0x0028_0004, "CS", b"MONOCHROME2");
        writer.element(bytes, 0x0028_0008, "IS", self.frames.len().to_string().as_bytes());
        let mut short = |tag: u32, value: u16| {
            let value = if writer.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            writer.element(bytes, tag, "US", &value);
        };
        for (tag, value) in [(0x10, 2), (0x11, 4), (0x100, 16), (0x101, 16), (0x102, 15), (0x103, 0)] {
            short(0x0028_0000 + tag, value);
        }
        if !self.encapsulated() {
            writer.element(bytes, tag::PIXEL_DATA, "OW", &self.frames.concat());
            return;
        }
        bytes.extend_from_slice(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0");
        for frame in &self.frames {
            bytes.extend_from_slice(b"\xfe\xff\x00\xe0");
            bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
            bytes.extend_from_slice(frame);
        }
        bytes.extend_from_slice(b"\xfe\xff\xdd\xe0\0\0\0\0");
    }
}

struct Writer {
    big_endian: bool,
}

impl Writer {
    fn element(&self, bytes: &mut Vec<u8>, tag: u32, vr: &str, value: &[u8]) {
        let short = |value: u16| if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u32| if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let length = value.len() + value.len() % 2;
        bytes.extend_from_slice(&short((tag >> 16) as u16));
        bytes.extend_from_slice(&short(tag as u16));
        bytes.extend_from_slice(vr.as_bytes());
        if matches!(vr, "OB" | "OW") {
            bytes.extend_from_slice(&[0, 0]);
            bytes.extend_from_slice(&long(length as u32));
        } else {
            bytes.extend_from_slice(&short(length as u16));
        }
        bytes.extend_from_slice(value);
        if value.len() % 2 == 1 {
            bytes.push(if vr == "UI" { 0 } else { b' ' });
        }
    }
}

/// An RLE frame of 4 x 2 pixels of 16 bits that is all zeros (PS3.5 G).
pub fn rle_frame() -> Vec<u8> {
    let mut frame = Vec::new();
    for number in [2_u32, 64, 66] {
        frame.extend_from_slice(&number.to_le_bytes());
    }
    frame.resize(64, 0);
    // Two segments, each eight times 0.
    frame.extend_from_slice(&[0xF9, 0, 0xF9, 0]);
    frame
}
