//! Synthetic X-rays: computed pictures that look enough like a chest or a hand to show what MaxRay does.

use dicom_core::{DataElement, PrimitiveValue, Tag, VR, dicom_value, value::Value};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN;
use model::uid::uid_from_uuid;
use uuid::Uuid;

/// Side of the square pictures in pixels.
const SIDE: u16 = 1024;
/// Largest stored value: 12 bits.
const FULL_SCALE: f32 = 4095.0;

/// One synthetic instance, ready to be sent.
pub struct Phantom {
    pub sop_class_uid: String,
    pub sop_instance_uid: String,
    /// Explicit VR Little Endian, without file meta.
    pub data_set: Vec<u8>,
}

/// Whose X-rays they are and when they were taken.
pub struct Subject<'a> {
    pub patient_id: &'a str,
    pub patient_name: &'a str,
    /// YYYYMMDD.
    pub study_date: String,
    /// HHMMSS.
    pub study_time: String,
}

struct View {
    sop_class_uid: &'static str,
    modality: &'static str,
    body_part: &'static str,
    /// View Position (0018,5101).
    position: &'static str,
    description: &'static str,
    photometric: &'static str,
    /// Attenuation from 0 (air) to 1 (bone) at a point of the unit square.
    attenuation: fn(f32, f32) -> f32,
}

const VIEWS: [View; 3] = [
    View {
        sop_class_uid: uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
        modality: "DX",
        body_part: "CHEST",
        position: "PA",
        description: "Chest PA",
        photometric: "MONOCHROME2",
        attenuation: chest_frontal,
    },
    View {
        sop_class_uid: uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE,
        modality: "CR",
        body_part: "CHEST",
        position: "LL",
        description: "Chest lateral",
        photometric: "MONOCHROME2",
        attenuation: chest_lateral,
    },
    View {
        sop_class_uid: uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE,
        modality: "CR",
        body_part: "HAND",
        position: "PA",
        description: "Hand PA",
        photometric: "MONOCHROME1",
        attenuation: hand,
    },
];

/// Three X-rays of one study, and its Study Instance UID.
pub fn study(subject: &Subject) -> anyhow::Result<(String, Vec<Phantom>)> {
    let study_uid = uid_from_uuid(Uuid::now_v7());
    let made = (1..).zip(&VIEWS).map(|(number, view)| instance(subject, &study_uid, number, view));
    Ok((study_uid.clone(), made.collect::<anyhow::Result<_>>()?))
}

fn instance(subject: &Subject, study_uid: &str, number: i32, view: &View) -> anyhow::Result<Phantom> {
    let sop_instance_uid = uid_from_uuid(Uuid::now_v7());
    let mut object = InMemDicomObject::new_empty();
    let mut text = |tag: Tag, vr: VR, value: &str| {
        object.put(DataElement::new(tag, vr, Value::Primitive(PrimitiveValue::from(value))));
    };
    text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    text(tags::SOP_CLASS_UID, VR::UI, view.sop_class_uid);
    text(tags::SOP_INSTANCE_UID, VR::UI, &sop_instance_uid);
    text(tags::STUDY_DATE, VR::DA, &subject.study_date);
    text(tags::STUDY_TIME, VR::TM, &subject.study_time);
    text(tags::ACCESSION_NUMBER, VR::SH, "DEMO-0001");
    text(tags::MODALITY, VR::CS, view.modality);
    text(tags::MANUFACTURER, VR::LO, "MaxRay demo");
    text(tags::STUDY_DESCRIPTION, VR::LO, "Synthetic chest and hand");
    text(tags::SERIES_DESCRIPTION, VR::LO, view.description);
    text(tags::PATIENT_NAME, VR::PN, subject.patient_name);
    text(tags::PATIENT_ID, VR::LO, subject.patient_id);
    text(tags::PATIENT_BIRTH_DATE, VR::DA, "");
    text(tags::PATIENT_SEX, VR::CS, "O");
    text(tags::BODY_PART_EXAMINED, VR::CS, view.body_part);
    text(tags::VIEW_POSITION, VR::CS, view.position);
    text(tags::STUDY_INSTANCE_UID, VR::UI, study_uid);
    text(tags::SERIES_INSTANCE_UID, VR::UI, &uid_from_uuid(Uuid::now_v7()));
    text(tags::STUDY_ID, VR::SH, "1");
    text(tags::SERIES_NUMBER, VR::IS, &number.to_string());
    text(tags::INSTANCE_NUMBER, VR::IS, "1");
    text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, view.photometric);
    text(tags::WINDOW_CENTER, VR::DS, "2048");
    text(tags::WINDOW_WIDTH, VR::DS, "4096");
    let short = [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, SIDE),
        (tags::COLUMNS, SIDE),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 12),
        (tags::HIGH_BIT, 11),
        (tags::PIXEL_REPRESENTATION, 0),
    ];
    for (tag, value) in short {
        object.put(DataElement::new(tag, VR::US, dicom_value!(U16, [value])));
    }
    let pixels = picture(view.attenuation, view.photometric == "MONOCHROME1");
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())));
    let mut data_set = Vec::new();
    object.write_dataset_with_ts(&mut data_set, &EXPLICIT_VR_LITTLE_ENDIAN.erased())?;
    Ok(Phantom { sop_class_uid: view.sop_class_uid.into(), sop_instance_uid, data_set })
}

/// Samples the attenuation, with a little noise; MONOCHROME1 stores the inverse.
fn picture(attenuation: fn(f32, f32) -> f32, inverse: bool) -> Vec<u16> {
    let mut noise = 0x2545_f491_u32;
    let side = f32::from(SIDE);
    let point = |row: u16, column: u16| (f32::from(column) / side, f32::from(row) / side);
    let positions = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column)));
    positions
        .map(|(row, column)| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let grain = (noise >> 16) as f32 / 65536.0 - 0.5;
            let (x, y) = point(row, column);
            let value = (attenuation(x, y) + grain * 0.02).clamp(0.0, 1.0);
            let shown = if inverse { 1.0 - value } else { value };
            (shown * FULL_SCALE) as u16
        })
        .collect()
}

/// 1 inside an ellipse, 0 outside, soft at the border.
fn ellipse(x: f32, y: f32, center: (f32, f32), radius: (f32, f32)) -> f32 {
    let (dx, dy) = ((x - center.0) / radius.0, (y - center.1) / radius.1);
    ((1.1 - dx.hypot(dy)) / 0.2).clamp(0.0, 1.0)
}

fn chest_frontal(x: f32, y: f32) -> f32 {
    let body = ellipse(x, y, (0.5, 0.62), (0.44, 0.58));
    let lungs = ellipse(x, y, (0.3, 0.48), (0.15, 0.3)) + ellipse(x, y, (0.7, 0.48), (0.15, 0.3));
    let heart = ellipse(x, y, (0.55, 0.62), (0.14, 0.16));
    let spine = ellipse(x, 0.5, (0.5, 0.5), (0.045, 1.0)) * (0.85 + 0.15 * (y * 90.0).sin());
    let from_spine = (x - 0.5).abs();
    let rib = (y * 55.0 - from_spine * from_spine * 60.0).sin().max(0.0).powi(4);
    let cage = ellipse(x, y, (0.5, 0.48), (0.36, 0.38)) * rib;
    let clavicle = ellipse(x, y, (0.5, 0.16 + from_spine * 0.12), (0.36, 0.018));
    body * 0.55 - lungs * 0.34 + heart * 0.22 + spine * 0.22 + cage * 0.12 + clavicle * 0.18
}

fn chest_lateral(x: f32, y: f32) -> f32 {
    let body = ellipse(x, y, (0.5, 0.6), (0.36, 0.58));
    let lung = ellipse(x, y, (0.5, 0.45), (0.24, 0.32));
    let heart = ellipse(x, y, (0.4, 0.62), (0.13, 0.14));
    let spine =
        ellipse(x, y, (0.74 - 0.06 * (y * 3.0).sin(), 0.5), (0.05, 0.6)) * (0.8 + 0.2 * (y * 70.0).sin());
    let rib = (y * 50.0 + x * 14.0).sin().max(0.0).powi(4) * lung;
    body * 0.55 - lung * 0.3 + heart * 0.2 + spine * 0.25 + rib * 0.1
}

fn hand(x: f32, y: f32) -> f32 {
    let mut flesh = ellipse(x, y, (0.5, 0.68), (0.2, 0.2)).max(ellipse(x, y, (0.5, 0.95), (0.13, 0.2)));
    let mut bone = ellipse(x, y, (0.46, 0.98), (0.035, 0.13)) + ellipse(x, y, (0.55, 0.98), (0.04, 0.13));
    for (finger, reach) in [(-2.0, 0.3), (-1.0, 0.42), (0.0, 0.46), (1.0, 0.43), (2.0, 0.34)] {
        // Every finger is a line that fans out from the wrist.
        let along = 0.85 - y;
        let middle = 0.5 + finger * (0.035 + along * 0.11);
        let present =
            ((reach + 0.2 - along) * 40.0).clamp(0.0, 1.0) * ((along - 0.02) * 40.0).clamp(0.0, 1.0);
        flesh = flesh.max(ellipse(x, 0.5, (middle, 0.5), (0.036, 1.0)) * present);
        let joints = 1.0 - (along * 24.0 + finger * 0.4).cos().max(0.0).powi(24);
        bone += ellipse(x, 0.5, (middle, 0.5), (0.016, 1.0)) * present * joints;
    }
    flesh * 0.35 + bone.min(1.0) * 0.45
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_contrast() {
        for view in &VIEWS {
            let pixels = picture(view.attenuation, false);
            let dark = pixels.iter().filter(|value| **value < 800).count();
            let bright = pixels.iter().filter(|value| **value > 2000).count();
            assert!(dark > pixels.len() / 20 && bright > pixels.len() / 50, "{}", view.description);
        }
    }
}
