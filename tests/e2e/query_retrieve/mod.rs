//! Query/Retrieve (PS3.4 Annex C) at the door: DCMTK's programs, and associations in which every message is seen.

mod access;
mod empty;
mod every_file;
mod find;
mod get;
mod identity_ends;
mod models;
mod moving;
mod originator;
mod pynetdicom;
mod rights_end;
mod sequence;
mod tools;
mod user_identity;

use std::{collections::BTreeMap, path::PathBuf};

use tests::{
    part10,
    platform::{Options, Platform},
    scu::{Dialogue, Message, identifier, store},
    synthetic::Synthetic,
};

const VERIFICATION: &str = "1.2.840.10008.1.1";
const STUDY_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const STUDY_MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
const STUDY_GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
const PATIENT_FIND: &str = "1.2.840.10008.5.1.4.1.2.1.1";
const PATIENT_GET: &str = "1.2.840.10008.5.1.4.1.2.1.3";
const IMPLICIT: &str = model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
const EXPLICIT: &str = model::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;

const C_GET: u16 = 0x0010;
const C_FIND: u16 = 0x0020;
const C_MOVE: u16 = 0x0021;

const CHARACTER_SET: u32 = 0x0008_0005;
const LEVEL: u32 = 0x0008_0052;
const PATIENT_NAME: u32 = 0x0010_0010;
const PATIENT_ID: u32 = 0x0010_0020;
const STUDY_UID: u32 = 0x0020_000D;
const SERIES_UID: u32 = 0x0020_000E;
const INSTANCE_UID: u32 = 0x0008_0018;

/// A server in which these AEs may do these things.
async fn platform(options: Options, aes: &[(&str, &[&str])]) -> Platform {
    let platform = Platform::start(options).await;
    for (title, arguments) in aes {
        platform.register_ae(title, arguments);
    }
    platform
}

const FINDS: &[&str] = &["--operation", "echo", "--operation", "find"];
const RETRIEVES: &[&str] = &["--operation", "find", "--operation", "get", "--operation", "move"];

/// One C-FIND in Implicit VR: pending responses and the last one.
fn find(platform: &Platform, class: &str, keys: &[(u32, &[u8])], options: &[u8]) -> (Vec<Message>, Message) {
    let extended = tests::scu::extended_negotiation(class, options);
    let mut dialogue = Dialogue::open(platform.dicom(), "FINDSCU", &[(class, IMPLICIT)], &[extended]);
    dialogue.write(&Dialogue::request(C_FIND, class, None, &identifier(keys)));
    let found = dialogue.responses();
    dialogue.release();
    found
}

/// Elements of the top level in Implicit VR, without their padding.
fn elements(message: &Message) -> BTreeMap<u32, &[u8]> {
    let mut elements = BTreeMap::new();
    let mut rest = message.data_set.as_deref().unwrap_or_default();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let tag = u32::from(u16::from_le_bytes([head[0], head[1]])) << 16
            | u32::from(u16::from_le_bytes([head[2], head[3]]));
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let (value, after) = after.split_at(length);
        elements.insert(tag, value.trim_ascii_end().strip_suffix(&[0]).unwrap_or(value.trim_ascii_end()));
        rest = after;
    }
    elements
}

/// The value of one of them.
fn value(message: &Message, tag: u32) -> Option<Vec<u8>> {
    elements(message).get(&tag).map(|value| value.to_vec())
}

/// Offending Element (0000,0901).
fn offending(message: &Message) -> Option<u32> {
    message.value(0x0901).map(|tag| {
        u32::from(u16::from_le_bytes([tag[0], tag[1]])) << 16
            | u32::from(u16::from_le_bytes([tag[2], tag[3]]))
    })
}

fn text(message: &Message, tag: u32) -> String {
    String::from_utf8(value(message, tag).unwrap_or_default()).expect("UTF-8")
}

/// Values of one attribute in all responses, sorted.
fn texts(found: &[Message], tag: u32) -> Vec<String> {
    let mut texts: Vec<String> = found.iter().map(|message| text(message, tag)).collect();
    texts.sort();
    texts
}

/// Data sets by SOP Instance UID, as they are in files.
fn data_sets(files: impl IntoIterator<Item = Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files
        .into_iter()
        .map(|file| {
            let head = part10::head(&file).expect("a Part 10 file");
            let data_set = part10::data_set(&file).to_vec();
            (head.sop_instance_uid, data_set)
        })
        .collect()
}

fn files_in(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
}
