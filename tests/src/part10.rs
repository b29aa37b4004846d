//! PS3.10 7.1, just enough to compare contents: where the data set of a file begins and in what syntax it is.
//!
//! Written apart from the server's reader on purpose.

/// The file meta information and where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Transfer Syntax UID (0002,0010).
    pub transfer_syntax_uid: String,
    /// Media Storage SOP Class UID (0002,0002).
    pub sop_class_uid: String,
    /// Media Storage SOP Instance UID (0002,0003).
    pub sop_instance_uid: String,
    /// First byte of the data set.
    pub data_set_offset: usize,
}

/// Reads preamble and group 2; `None` when there is no `DICM` or group 2 is cut.
pub fn head(file: &[u8]) -> Option<Head> {
    if file.get(128..132)? != b"DICM" {
        return None;
    }
    let mut head = Head {
        transfer_syntax_uid: String::new(),
        sop_class_uid: String::new(),
        sop_instance_uid: String::new(),
        data_set_offset: 132,
    };
    while let Some(start) = file.get(head.data_set_offset..head.data_set_offset + 8) {
        if start.get(..2)? != [2, 0] {
            break;
        }
        let long = matches!(&start[4..6], b"OB" | b"UN" | b"OW" | b"SQ" | b"UT");
        let (length, value) = if long {
            let bytes = file.get(head.data_set_offset + 8..head.data_set_offset + 12)?;
            (u32::from_le_bytes(bytes.try_into().ok()?) as usize, head.data_set_offset + 12)
        } else {
            (usize::from(u16::from_le_bytes([start[6], start[7]])), head.data_set_offset + 8)
        };
        let bytes = file.get(value..value.checked_add(length)?)?;
        let text = || String::from_utf8_lossy(bytes).trim_end_matches(['\0', ' ']).to_owned();
        match u16::from_le_bytes([start[2], start[3]]) {
            0x0002 => head.sop_class_uid = text(),
            0x0003 => head.sop_instance_uid = text(),
            0x0010 => head.transfer_syntax_uid = text(),
            _ => {}
        }
        head.data_set_offset = value + length;
    }
    Some(head)
}

/// The data set of a file.
///
/// # Panics
/// When it is no Part 10 file.
pub fn data_set(file: &[u8]) -> &[u8] {
    let head = head(file).expect("a Part 10 file with a whole group 2");
    &file[head.data_set_offset..]
}

/// Preamble, `DICM` and group 2 for a data set.
pub fn file_meta(sop_class_uid: &str, sop_instance_uid: &str, transfer_syntax_uid: &str) -> Vec<u8> {
    let mut group = Vec::new();
    group.extend_from_slice(b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01");
    for (element, uid) in
        [(2_u16, sop_class_uid), (3, sop_instance_uid), (0x10, transfer_syntax_uid), (0x12, "2.25.1")]
    {
        let mut value = uid.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(0);
        }
        group.extend_from_slice(&[2, 0]);
        group.extend_from_slice(&element.to_le_bytes());
        group.extend_from_slice(b"UI");
        group.extend_from_slice(&(value.len() as u16).to_le_bytes());
        group.extend_from_slice(&value);
    }
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM\x02\x00\x00\x00UL\x04\x00");
    file.extend_from_slice(&(group.len() as u32).to_le_bytes());
    file.extend_from_slice(&group);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let mut file = file_meta("1.2.3", "1.2.3.4", "1.2.840.10008.1.2.1");
        let offset = file.len();
        file.extend_from_slice(b"\x08\x00\x05\x00CS\x00\x00");
        let head = head(&file).expect("a head");
        assert_eq!(head.data_set_offset, offset);
        assert_eq!(head.sop_instance_uid, "1.2.3.4");
        assert_eq!(head.transfer_syntax_uid, "1.2.840.10008.1.2.1");
        assert_eq!(data_set(&file), b"\x08\x00\x05\x00CS\x00\x00");
        assert_eq!(super::head(&file[..140]), None);
    }
}
