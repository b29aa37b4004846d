//! PS3.3 C.7.6.3, C.7.6.1.1.5, C.12.4.1: what a data set says of pixels that were made anew.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use database::{HeaderRecord, StoredInstance};
use dicom_header::{Edit, VR, element_header};
use model::SopInstanceUid;
use rendering::{FrameDescription, Target, is_lossy};
use serde_json::Value;

/// Lossy compression as PS3.3 C.7.6.1.1.5.1 names the method of JPEG Baseline.
const JPEG_METHOD: &str = "ISO_10918_1";
/// Values of Lossy Image Compression Ratio and Method that are carried along.
const HISTORY_MAX: usize = 16;

/// Changes of a data set, by tag.
pub type Edits = BTreeMap<u32, Edit>;

/// What is true of the frames in their new form, whatever they were before.
pub fn image_pixel(
    description: &FrameDescription,
    instance: &StoredInstance,
    header: &HeaderRecord,
) -> Edits {
    let mut edits = Edits::new();
    set(&mut edits, 0x0028_0004, VR::CS, description.photometric_interpretation.as_bytes(), b' ');
    let mut short = |tag: u32, value: u16| set(&mut edits, tag, VR::US, &value.to_le_bytes(), 0);
    if description.samples_per_pixel > 1 {
        short(0x0028_0006, 0);
    }
    short(0x0028_0100, description.bits_allocated);
    short(0x0028_0101, description.bits_stored);
    short(0x0028_0102, description.high_bit);
    short(0x0028_0103, u16::from(description.signed));
    // The offsets of the old fragments, and an icon that may be encapsulated like the image was: it is no longer in
    // the transfer syntax of the data set, and it is optional (PS3.3 C.7.6.1.1.6).
    for tag in [0x7FE0_0001, 0x7FE0_0002, 0x7FE0_0003] {
        edits.insert(tag, Edit::Remove);
    }
    if instance.transfer_syntax_uid.is_encapsulated() {
        edits.insert(0x0088_0200, Edit::Remove);
    }
    let said = header.pixel_module.as_ref().is_some_and(|module| module.lossy);
    if is_lossy(&instance.transfer_syntax_uid) && !said {
        set(&mut edits, 0x0028_2110, VR::CS, b"01", b' ');
    }
    edits
}

/// What is lost now, with a SOP Instance UID of its own: "the Image shall receive a new SOP Instance UID"
/// (PS3.3 C.7.6.1.1.5). `ratio` is the size before to the size after.
pub fn lossy(
    edits: &mut Edits,
    instance: &StoredInstance,
    header: &HeaderRecord,
    target: Target,
    ratio: f64,
) {
    let json: Value = serde_json::from_str(&header.json).unwrap_or_default();
    let image_type = values(&json, "00080008");
    let rest = image_type.iter().skip(1).map(String::as_str);
    let image_type: Vec<&str> = std::iter::once("DERIVED").chain(rest).collect();
    let image_type = if image_type.len() < 2 { "DERIVED\\PRIMARY".to_owned() } else { image_type.join("\\") };
    set(edits, 0x0008_0008, VR::CS, image_type.as_bytes(), b' ');
    set(edits, 0x0008_0018, VR::UI, derived_uid(instance, target).as_str().as_bytes(), 0);
    let text = format!("Lossy compression by JPEG Baseline, ratio about {ratio:.1}");
    set(edits, 0x0008_2111, VR::ST, text.as_bytes(), b' ');
    let source = source_image(instance);
    edits.insert(0x0008_2112, Edit::Set { vr: VR::SQ, value: source });
    set(edits, 0x0028_2110, VR::CS, b"01", b' ');
    // One ratio and one method for each time that something was lost, in order (PS3.3 C.7.6.1.1.5.2). A history that
    // does not say both cannot be continued in step.
    let (mut ratios, mut methods) = (values(&json, "00282112"), values(&json, "00282114"));
    if ratios.len() != methods.len() || ratios.len() >= HISTORY_MAX {
        (ratios, methods) = (Vec::new(), Vec::new());
    }
    ratios.push(format!("{ratio:.2}"));
    methods.push(JPEG_METHOD.to_owned());
    set(edits, 0x0028_2112, VR::DS, ratios.join("\\").as_bytes(), b' ');
    set(edits, 0x0028_2114, VR::CS, methods.join("\\").as_bytes(), b' ');
}

/// The same UID each time for the same instance and form.
pub fn derived_uid(instance: &StoredInstance, target: Target) -> SopInstanceUid {
    let mut name = b"MaxRay derived instance 1\0".to_vec();
    name.extend_from_slice(instance.sop_instance_uid.as_str().as_bytes());
    name.extend_from_slice(&instance.data_set_sha256);
    name.extend_from_slice(format!("{target:?}").as_bytes());
    name_based_uid(&name).unwrap_or_else(|| instance.sop_instance_uid.clone())
}

/// A UID made of a name-based UUID (PS3.5 B.2).
pub fn name_based_uid(name: &[u8]) -> Option<SopInstanceUid> {
    let digest = digest(&SHA256, name);
    let bytes = digest.as_ref().first_chunk::<16>()?;
    let uuid = uuid::Builder::from_custom_bytes(*bytes).into_uuid();
    SopInstanceUid::parse(&format!("2.25.{}", uuid.as_u128())).ok()
}

/// Source Image Sequence (PS3.3 C.12.4.1.2): the instance as it is kept, "uncompressed predecessor" (CID 7202).
fn source_image(instance: &StoredInstance) -> Vec<u8> {
    let mut code = element(0x0008_0100, VR::SH, b"121320");
    code.extend(element(0x0008_0102, VR::SH, b"DCM"));
    code.extend(element(0x0008_0104, VR::LO, b"Uncompressed predecessor"));
    let mut item = element(0x0008_1150, VR::UI, instance.sop_class_uid.as_str().as_bytes());
    item.extend(element(0x0008_1155, VR::UI, instance.sop_instance_uid.as_str().as_bytes()));
    item.extend(element(0x0040_A170, VR::SQ, &wrapped(&code)));
    wrapped(&item)
}

fn wrapped(content: &[u8]) -> Vec<u8> {
    let mut item = b"\xfe\xff\x00\xe0".to_vec();
    item.extend_from_slice(&(content.len() as u32).to_le_bytes());
    item.extend_from_slice(content);
    item
}

/// An element in Explicit VR Little Endian.
fn element(tag: u32, vr: VR, value: &[u8]) -> Vec<u8> {
    let value = padded(value, if vr == VR::UI { 0 } else { b' ' });
    let mut element = element_header(false, tag, vr, Some(value.len() as u32));
    element.extend(value);
    element
}

fn padded(value: &[u8], padding: u8) -> Vec<u8> {
    let mut value = value.to_vec();
    value.resize(value.len().next_multiple_of(2), padding);
    value
}

fn set(edits: &mut Edits, tag: u32, vr: VR, value: &[u8], padding: u8) {
    edits.insert(tag, Edit::Set { vr, value: padded(value, padding) });
}

/// The values of a text or number in DICOM JSON.
fn values(json: &Value, tag: &str) -> Vec<String> {
    let found = json.get(tag).and_then(|element| element.get("Value")).and_then(Value::as_array);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    found.map(|values| values.iter().map(text).collect()).unwrap_or_default()
}
