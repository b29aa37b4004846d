//! Small DICOM files (PS3.10 7.1), Explicit VR Little Endian.

/// A 2 x 2 image of `patient_id`.
pub fn file(patient_id: &str, study: &str, series: &str, sop: &str) -> Vec<u8> {
    let mut group = Vec::new();
    element(&mut group, (0x0002, 0x0002), "UI", b"1.2.840.10008.5.1.4.1.1.1.1");
    element(&mut group, (0x0002, 0x0003), "UI", sop.as_bytes());
    element(&mut group, (0x0002, 0x0010), "UI", b"1.2.840.10008.1.2.1");
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM");
    element(&mut file, (0x0002, 0x0000), "UL", &(group.len() as u32).to_le_bytes());
    file.extend_from_slice(&group);
    file.extend_from_slice(&data_set(patient_id, study, series, sop));
    file
}

pub fn data_set(patient_id: &str, study: &str, series: &str, sop: &str) -> Vec<u8> {
    let mut data_set = Vec::new();
    let mut text = |tag, vr, value: &str| element(&mut data_set, tag, vr, value.as_bytes());
    text((0x0008, 0x0016), "UI", "1.2.840.10008.5.1.4.1.1.1.1");
    text((0x0008, 0x0018), "UI", sop);
    text((0x0008, 0x0020), "DA", "20260102");
    text((0x0008, 0x0060), "CS", "DX");
    text((0x0008, 0x1030), "LO", "Chest <img src=x onerror=alert(1)>");
    text((0x0010, 0x0010), "PN", "Mensah^Kofi");
    text((0x0010, 0x0020), "LO", patient_id);
    text((0x0018, 0x0015), "CS", "CHEST");
    text((0x0018, 0x5101), "CS", "PA");
    text((0x0020, 0x000d), "UI", study);
    text((0x0020, 0x000e), "UI", series);
    text((0x0020, 0x0011), "IS", "1");
    text((0x0020, 0x0013), "IS", "1");
    for (tag, value) in
        [(0x0002, 1_u16), (0x0010, 2), (0x0011, 2), (0x0100, 8), (0x0101, 8), (0x0102, 7), (0x0103, 0)]
    {
        if tag == 0x0010 {
            element(&mut data_set, (0x0028, 0x0004), "CS", b"MONOCHROME2");
        }
        element(&mut data_set, (0x0028, tag), "US", &value.to_le_bytes());
    }
    data_set.extend_from_slice(b"\xe0\x7f\x10\x00OB\x00\x00\x04\x00\x00\x00\x00\x55\xaa\xff");
    data_set
}

fn element(out: &mut Vec<u8>, (group, element): (u16, u16), vr: &str, value: &[u8]) {
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(if vr == "UI" { 0 } else { b' ' });
    }
    out.extend_from_slice(&group.to_le_bytes());
    out.extend_from_slice(&element.to_le_bytes());
    out.extend_from_slice(vr.as_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(&value);
}
