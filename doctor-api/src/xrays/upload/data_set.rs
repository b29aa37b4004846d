//! PS3.3 A.8.1, Secondary Capture Image: the data set of a picture (PS3.5 7.1.2, Explicit VR Little Endian).

use chrono::{DateTime, Utc};
use model::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid, transfer_syntax as ts};

use super::{orientation::Raster, picture::Picture};

/// Secondary Capture Image Storage.
const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";

/// What the data set says beside the picture.
#[derive(Debug, Clone)]
pub struct Capture {
    pub study: StudyInstanceUid,
    pub series: SeriesInstanceUid,
    pub sop: SopInstanceUid,
    pub patient_id: String,
    pub issuer_of_patient_id: String,
    pub patient_name: String,
    pub captured_at: DateTime<Utc>,
    pub stored_at: DateTime<Utc>,
    pub operator: String,
    /// Body Part Examined (0018,0015), View Position (0018,5101), Laterality (0020,0060): code strings or empty.
    pub body_part: String,
    pub view: String,
    pub laterality: String,
    pub study_description: String,
}

/// The data set and its transfer syntax.
///
/// # Panics
/// Never: the transfer syntaxes are ours.
pub fn data_set(of: &Capture, picture: &Picture) -> (TransferSyntaxUid, Vec<u8>) {
    let mut out = DataSet::default();
    let (date, time) =
        (of.captured_at.format("%Y%m%d").to_string(), of.captured_at.format("%H%M%S").to_string());
    let made = (of.stored_at.format("%Y%m%d").to_string(), of.stored_at.format("%H%M%S").to_string());
    out.text(0x0008_0005, "CS", "ISO_IR 192");
    out.text(0x0008_0008, "CS", "DERIVED\\SECONDARY");
    out.text(0x0008_0012, "DA", &made.0);
    out.text(0x0008_0013, "TM", &made.1);
    out.text(0x0008_0016, "UI", SECONDARY_CAPTURE);
    out.text(0x0008_0018, "UI", of.sop.as_str());
    for (tag, vr, value) in [
        (0x0008_0020, "DA", &date),
        (0x0008_0023, "DA", &date),
        (0x0008_0030, "TM", &time),
        (0x0008_0033, "TM", &time),
    ] {
        out.text(tag, vr, value);
    }
    out.text(0x0008_0050, "SH", "");
    out.text(0x0008_0060, "CS", "DX");
    // PS3.3 C.8.6.1: neither film nor screen is known to be the source, so a digital interface it is.
    out.text(0x0008_0064, "CS", "DI");
    out.text(0x0008_0070, "LO", "");
    out.text(0x0008_0090, "PN", "");
    // Timezone Offset From UTC: all times here are UTC.
    out.text(0x0008_0201, "SH", "+0000");
    out.optional(0x0008_1030, "LO", &of.study_description);
    out.optional(0x0008_1070, "PN", &of.operator);
    out.text(0x0010_0010, "PN", &of.patient_name);
    out.text(0x0010_0020, "LO", &of.patient_id);
    out.optional(0x0010_0021, "LO", &of.issuer_of_patient_id);
    out.text(0x0010_0030, "DA", "");
    out.text(0x0010_0040, "CS", "");
    out.optional(0x0018_0015, "CS", &of.body_part);
    out.text(0x0018_1012, "DA", &made.0);
    out.text(0x0018_1014, "TM", &made.1);
    out.optional(0x0018_5101, "CS", &of.view);
    out.text(0x0020_000D, "UI", of.study.as_str());
    out.text(0x0020_000E, "UI", of.series.as_str());
    out.text(0x0020_0010, "SH", "");
    out.text(0x0020_0011, "IS", "1");
    out.text(0x0020_0013, "IS", "1");
    out.text(0x0020_0020, "CS", "");
    out.optional(0x0020_0060, "CS", &of.laterality);
    let transfer_syntax = out.pixels(picture);
    (TransferSyntaxUid::parse(transfer_syntax).expect("a transfer syntax of ours"), out.0)
}

/// Elements, in the order of their tags.
#[derive(Default)]
struct DataSet(Vec<u8>);

impl DataSet {
    fn header(&mut self, tag: u32, vr: &str) {
        self.0.extend_from_slice(&((tag >> 16) as u16).to_le_bytes());
        self.0.extend_from_slice(&(tag as u16).to_le_bytes());
        self.0.extend_from_slice(vr.as_bytes());
    }

    /// A short element; values are at most a few hundred bytes here.
    fn short(&mut self, tag: u32, vr: &str, value: &[u8], padding: u8) {
        let padded = value.len() + value.len() % 2;
        self.header(tag, vr);
        self.0.extend_from_slice(&u16::try_from(padded).unwrap_or(0).to_le_bytes());
        self.0.extend_from_slice(value);
        if padded > value.len() {
            self.0.push(padding);
        }
    }

    fn text(&mut self, tag: u32, vr: &str, value: &str) {
        self.short(tag, vr, value.as_bytes(), if vr == "UI" { 0 } else { b' ' });
    }

    /// Left out when there is nothing to say.
    fn optional(&mut self, tag: u32, vr: &str, value: &str) {
        if !value.is_empty() {
            self.text(tag, vr, value);
        }
    }

    fn number(&mut self, tag: u32, value: u16) {
        self.short(tag, "US", &value.to_le_bytes(), 0);
    }

    /// Image Pixel module (PS3.3 C.7.6.3); gives the transfer syntax.
    fn pixels(&mut self, picture: &Picture) -> &'static str {
        let (rows, columns, samples, photometric, bits) = match picture {
            Picture::Native(native) => {
                let photometric = if native.samples_per_pixel == 1 { "MONOCHROME2" } else { "RGB" };
                (
                    native.rows,
                    native.columns,
                    native.samples_per_pixel,
                    photometric,
                    native.bytes_per_sample * 8,
                )
            }
            Picture::Jpeg(jpeg) => {
                (jpeg.rows, jpeg.columns, jpeg.components, jpeg.photometric_interpretation(), 8)
            }
        };
        self.number(0x0028_0002, samples);
        self.text(0x0028_0004, "CS", photometric);
        if samples > 1 {
            self.number(0x0028_0006, 0);
        }
        for (tag, value) in [
            (0x0028_0010, rows),
            (0x0028_0011, columns),
            (0x0028_0100, bits),
            (0x0028_0101, bits),
            (0x0028_0102, bits - 1),
            (0x0028_0103, 0),
        ] {
            self.number(tag, value);
        }
        match picture {
            Picture::Native(native) => {
                self.native(native);
                ts::EXPLICIT_VR_LITTLE_ENDIAN
            }
            Picture::Jpeg(jpeg) => {
                let native = Raster::length(rows, columns, samples, 1) as f64;
                self.text(0x0028_2110, "CS", "01");
                self.text(0x0028_2112, "DS", &format!("{:.2}", native / jpeg.stripped.len().max(1) as f64));
                self.text(0x0028_2114, "CS", "ISO_10918_1");
                self.encapsulated(&jpeg.stripped);
                ts::JPEG_BASELINE
            }
        }
    }

    fn native(&mut self, native: &Raster) {
        let vr = if native.bytes_per_sample == 2 { "OW" } else { "OB" };
        let padded = native.bytes.len() + native.bytes.len() % 2;
        self.long(vr, u32::try_from(padded).unwrap_or(u32::MAX));
        self.0.extend_from_slice(&native.bytes);
        self.0.resize(self.0.len() + padded - native.bytes.len(), 0);
    }

    /// PS3.5 A.4: an empty Basic Offset Table, one fragment, the delimiter.
    fn encapsulated(&mut self, stream: &[u8]) {
        self.long("OB", u32::MAX);
        self.0.extend_from_slice(b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0");
        let padded = stream.len() + stream.len() % 2;
        self.0.extend_from_slice(&u32::try_from(padded).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(stream);
        self.0.resize(self.0.len() + padded - stream.len(), 0);
        self.0.extend_from_slice(b"\xfe\xff\xdd\xe0\0\0\0\0");
    }

    /// Pixel Data (7FE0,0010).
    fn long(&mut self, vr: &str, length: u32) {
        self.header(0x7FE0_0010, vr);
        self.0.extend_from_slice(&[0, 0]);
        self.0.extend_from_slice(&length.to_le_bytes());
    }
}
