//! Synthetic instances: chest-like noise with any identity, size and transfer syntax, as bytes that nobody else made.

mod encode;
mod frame;
mod pixels;

pub use encode::{Encoding, Writer, deflate};
pub use frame::encapsulated;
use model::transfer_syntax as syntax;

use crate::part10;

/// A UID under root 2.25 that no other call gives.
pub fn new_uid() -> String {
    model::uid::uid_from_uuid(uuid::Uuid::now_v7())
}

/// Computed Radiography Image Storage.
pub const CR_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.1";
/// Digital X-Ray Image Storage - For Presentation.
pub const DX_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.1.1";
/// Multi-frame Grayscale Word Secondary Capture Image Storage.
pub const MULTI_FRAME_WORD_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.7.3";

/// One instance to make. Fields are public: set what a test is about, keep the rest.
#[derive(Debug, Clone)]
pub struct Synthetic {
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021); written when not empty.
    pub issuer_of_patient_id: String,
    /// Patient's Name (0010,0010).
    pub patient_name: String,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: String,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: String,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: String,
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: String,
    /// Modality (0008,0060).
    pub modality: String,
    /// Study Date (0008,0020).
    pub study_date: String,
    /// Accession Number (0008,0050).
    pub accession_number: String,
    /// Instance Number (0020,0013).
    pub instance_number: u32,
    /// Scheduled Procedure Step ID (0040,0009) in an item of Request Attributes Sequence (0040,0275), which is written
    /// when this or the next is not empty.
    pub scheduled_procedure_step_id: String,
    /// Requested Procedure ID (0040,1001) in the same item.
    pub requested_procedure_id: String,
    /// Rows (0028,0010).
    pub rows: u16,
    /// Columns (0028,0011).
    pub columns: u16,
    /// Number of Frames (0028,0008); written when above 1.
    pub frames: u32,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: String,
    /// Transfer Syntax UID: native ones, deflated or RLE.
    pub transfer_syntax_uid: String,
    /// Gives the noise; the same seed gives the same pixels.
    pub seed: u64,
}

impl Synthetic {
    /// A CR chest image of 12 bits with new UIDs.
    pub fn cr(patient_id: &str, rows: u16, columns: u16) -> Self {
        Self {
            patient_id: patient_id.to_owned(),
            issuer_of_patient_id: String::new(),
            patient_name: format!("Synthetic^{patient_id}"),
            study_instance_uid: new_uid(),
            series_instance_uid: new_uid(),
            sop_instance_uid: new_uid(),
            sop_class_uid: CR_IMAGE_STORAGE.to_owned(),
            modality: "CR".to_owned(),
            study_date: "20260115".to_owned(),
            accession_number: format!("A{patient_id}"),
            instance_number: 1,
            scheduled_procedure_step_id: String::new(),
            requested_procedure_id: String::new(),
            rows,
            columns,
            frames: 1,
            photometric_interpretation: "MONOCHROME2".to_owned(),
            transfer_syntax_uid: syntax::EXPLICIT_VR_LITTLE_ENDIAN.to_owned(),
            seed: 1,
        }
    }

    /// As [`Self::cr`], a DX image.
    pub fn dx(patient_id: &str, rows: u16, columns: u16) -> Self {
        let cr = Self::cr(patient_id, rows, columns);
        Self { sop_class_uid: DX_IMAGE_STORAGE.to_owned(), modality: "DX".to_owned(), ..cr }
    }

    /// Another instance of the same series: new SOP Instance UID, next number, other pixels.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            sop_instance_uid: new_uid(),
            instance_number: self.instance_number + 1,
            seed: self.seed.wrapping_add(1),
            ..self.clone()
        }
    }

    /// `count` instances of this series, itself first.
    pub fn series(&self, count: usize) -> Vec<Self> {
        std::iter::successors(Some(self.clone()), |last| Some(last.next())).take(count).collect()
    }

    /// The same with another transfer syntax.
    #[must_use]
    pub fn with_transfer_syntax(self, transfer_syntax_uid: &str) -> Self {
        Self { transfer_syntax_uid: transfer_syntax_uid.to_owned(), ..self }
    }

    /// The data set as it travels.
    ///
    /// # Panics
    /// For a transfer syntax that has no encoder here.
    pub fn data_set(&self) -> Vec<u8> {
        let encoding = match self.transfer_syntax_uid.as_str() {
            syntax::IMPLICIT_VR_LITTLE_ENDIAN => Encoding::ImplicitLittle,
            syntax::EXPLICIT_VR_BIG_ENDIAN => Encoding::ExplicitBig,
            syntax::EXPLICIT_VR_LITTLE_ENDIAN
            | syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
            | syntax::RLE_LOSSLESS => Encoding::ExplicitLittle,
            other => panic!("no encoder for {other}"),
        };
        let mut writer = Writer::new(encoding);
        self.write_identity(&mut writer);
        self.write_image(&mut writer);
        if self.transfer_syntax_uid == syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
            return deflate(&writer.finish());
        }
        writer.finish()
    }

    /// The Part 10 file.
    pub fn part10(&self) -> Vec<u8> {
        let mut file =
            part10::file_meta(&self.sop_class_uid, &self.sop_instance_uid, &self.transfer_syntax_uid);
        file.extend_from_slice(&self.data_set());
        file
    }

    fn write_identity(&self, writer: &mut Writer) {
        writer.text(0x0008_0005, "CS", "ISO_IR 192");
        writer.text(0x0008_0008, "CS", "ORIGINAL\\PRIMARY");
        writer.text(0x0008_0016, "UI", &self.sop_class_uid);
        writer.text(0x0008_0018, "UI", &self.sop_instance_uid);
        writer.text(0x0008_0020, "DA", &self.study_date);
        writer.text(0x0008_0030, "TM", "101500");
        writer.text(0x0008_0050, "SH", &self.accession_number);
        writer.text(0x0008_0060, "CS", &self.modality);
        writer.text(0x0008_0070, "LO", "Synthetic");
        writer.text(0x0008_0090, "PN", "Referring^Doctor");
        writer.text(0x0008_1030, "LO", "Chest PA");
        writer.text(0x0010_0010, "PN", &self.patient_name);
        writer.text(0x0010_0020, "LO", &self.patient_id);
        if !self.issuer_of_patient_id.is_empty() {
            writer.text(0x0010_0021, "LO", &self.issuer_of_patient_id);
        }
        writer.text(0x0010_0030, "DA", "19700102");
        writer.text(0x0010_0040, "CS", "O");
        writer.text(0x0018_0015, "CS", "CHEST");
        writer.text(0x0018_5101, "CS", "PA");
        writer.text(0x0020_000d, "UI", &self.study_instance_uid);
        writer.text(0x0020_000e, "UI", &self.series_instance_uid);
        writer.text(0x0020_0010, "SH", "1");
        writer.text(0x0020_0011, "IS", "1");
        writer.text(0x0020_0013, "IS", &self.instance_number.to_string());
    }

    fn write_request(&self, writer: &mut Writer) {
        let (step, procedure) = (&self.scheduled_procedure_step_id, &self.requested_procedure_id);
        if step.is_empty() && procedure.is_empty() {
            return;
        }
        writer.sequence(0x0040_0275, |item| {
            item.text(0x0040_0009, "SH", step);
            item.text(0x0040_1001, "SH", procedure);
        });
    }

    fn write_image(&self, writer: &mut Writer) {
        writer.short(0x0028_0002, 1);
        writer.text(0x0028_0004, "CS", &self.photometric_interpretation);
        if self.frames > 1 {
            writer.text(0x0028_0008, "IS", &self.frames.to_string());
        }
        writer.short(0x0028_0010, self.rows);
        writer.short(0x0028_0011, self.columns);
        writer.short(0x0028_0100, 16);
        writer.short(0x0028_0101, 12);
        writer.short(0x0028_0102, 11);
        writer.short(0x0028_0103, 0);
        writer.text(0x0028_1050, "DS", "2048");
        writer.text(0x0028_1051, "DS", "4096");
        self.write_request(writer);
        let frames: Vec<Vec<u16>> = (0..self.frames)
            .map(|frame| pixels::chest(self.rows, self.columns, self.seed ^ (u64::from(frame) << 32)))
            .collect();
        if self.transfer_syntax_uid == syntax::RLE_LOSSLESS {
            let fragments: Vec<Vec<u8>> = frames.iter().map(|frame| pixels::rle(frame)).collect();
            writer.encapsulated(&fragments);
        } else {
            writer.words(0x7fe0_0010, &frames.concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dicom_object_reads_every_syntax() {
        for uid in [
            syntax::IMPLICIT_VR_LITTLE_ENDIAN,
            syntax::EXPLICIT_VR_LITTLE_ENDIAN,
            syntax::EXPLICIT_VR_BIG_ENDIAN,
            syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
            syntax::RLE_LOSSLESS,
        ] {
            let step = "S1".to_owned();
            let made =
                Synthetic { frames: 2, scheduled_procedure_step_id: step, ..Synthetic::cr("P1", 16, 24) }
                    .with_transfer_syntax(uid);
            let read = dicom_object::from_reader(std::io::Cursor::new(made.part10())).expect(uid);
            let text = |name| read.element_by_name(name).expect(name).to_str().expect(name).into_owned();
            assert_eq!(text("SOPInstanceUID"), made.sop_instance_uid, "{uid}");
            assert_eq!(text("NumberOfFrames"), "2", "{uid}");
            assert!(read.element_by_name("PixelData").is_ok(), "{uid}");
            let request = read.element_by_name("RequestAttributesSequence").expect(uid).items().expect(uid);
            let step = request[0].element_by_name("ScheduledProcedureStepID").expect(uid);
            assert_eq!((request.len(), step.to_str().expect(uid).trim()), (1, "S1"), "{uid}");
        }
    }

    #[test]
    fn a_series_shares_its_identity_and_differs_in_pixels() {
        let series = Synthetic::cr("P1", 8, 8).series(3);
        assert_eq!(series[0].series_instance_uid, series[2].series_instance_uid);
        assert_ne!(series[0].sop_instance_uid, series[1].sop_instance_uid);
        assert_eq!(series[2].instance_number, 3);
        let tail = |one: &Synthetic| one.data_set()[one.data_set().len() - 128..].to_vec();
        assert_ne!(tail(&series[0]), tail(&series[1]));
    }
}
