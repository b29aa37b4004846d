//! The files of the data set: those that can be sent, and those that cannot or are refused, each by name with its reason.
//! Who leaves out a file that the tables do not name, or takes one that they name, fails.

use std::{collections::BTreeSet, net::SocketAddr};

use model::transfer_syntax::{EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
use tests::{
    env, fixtures, part10,
    scu::{Association, AssociationError, Proposal},
};

/// A file and why it is left out.
pub type Reason = (&'static str, &'static str);

const NO_UIDS: &str = "has no SOP Instance UID, or no SOP Class UID: no command can name it";
const NO_STUDY: &str = "has no Study Instance UID and no Series Instance UID";
const NO_IDENTITY: &str =
    "its data set has no SOP Instance UID: it is not what its file meta information names";
const CUT_OFF: &str = "is cut off";
const NO_STORAGE_CLASS: &str = "its SOP class is none of storage";

/// Files that nobody can send.
pub const NOT_SENDABLE: &[Reason] = &[
    ("pydicom/empty_charset_LEI.dcm", NO_UIDS),
    ("pydicom/meta_missing_tsyntax.dcm", NO_UIDS),
    ("pydicom/nested_priv_SQ.dcm", NO_UIDS),
    ("pydicom/no_meta.dcm", "begins with a byte too many, and has no SOP Instance UID"),
    ("pydicom_data/JLSL_RGB_ILV0.dcm", NO_UIDS),
    ("pydicom_data/JLSL_RGB_ILV1.dcm", NO_UIDS),
    ("pydicom_data/JLSL_RGB_ILV2.dcm", NO_UIDS),
    ("pydicom_data/JLSN_RGB_ILV0.dcm", NO_UIDS),
];

/// Files that no archive could keep.
pub const REFUSED: &[Reason] = &[
    ("orthanc_synth/Issue111.dcm", NO_STORAGE_CLASS),
    ("orthanc_synth/Issue195-bis.dcm", NO_STORAGE_CLASS),
    ("orthanc_synth/Issue195.dcm", NO_STORAGE_CLASS),
    ("orthanc_synth/Issue196.dcm", NO_STUDY),
    ("pydicom/JPEGLSNearLossless_08.dcm", NO_STUDY),
    ("pydicom/JPEGLSNearLossless_16.dcm", NO_STUDY),
    ("pydicom/MR_truncated.dcm", CUT_OFF),
    ("pydicom/SC_rgb_jls_lossy_line.dcm", NO_STUDY),
    ("pydicom/SC_rgb_jls_lossy_sample.dcm", NO_STUDY),
    ("pydicom/SC_rgb_jpeg.dcm", "its Pixel Data are not written as its transfer syntax says"),
    ("pydicom/UN_sequence.dcm", NO_IDENTITY),
    ("pydicom/no_meta_group_length.dcm", NO_IDENTITY),
    ("pydicom/priv_SQ.dcm", NO_IDENTITY),
    ("pydicom/rtplan_truncated.dcm", CUT_OFF),
    ("pydicom_charset/chrSQEncoding.dcm", NO_IDENTITY),
    ("pydicom_charset/chrSQEncoding1.dcm", NO_IDENTITY),
    ("pydicom_data/HTJ2KLossless_08_RGB.dcm", NO_STUDY),
    ("pydicom_data/HTJ2K_08_RGB.dcm", NO_STUDY),
    ("pydicom_data/JLSL_08_07_0_1F.dcm", NO_STUDY),
    ("pydicom_data/JLSL_16_15_1_1F.dcm", NO_STUDY),
    ("pydicom_data/bad_sequence.dcm", "its SOP Instance UID is no UID"),
    ("pydicom_data/emri_small_jpeg_2k_lossless_too_short.dcm", CUT_OFF),
    ("pydicom_dicomdir/DICOMDIR", NO_STORAGE_CLASS),
];

/// Files of which whichever comes first keeps the other out: they give one study to two patients.
pub const EXCLUSIVE: &[[&str; 2]] = &[[
    "orthanc_synth/PatientIdsCollision_Issue131-a.dcm",
    "orthanc_synth/PatientIdsCollision_Issue131-b.dcm",
]];

/// Files without preamble and file meta information, and the transfer syntax that they are written in.
const DATA_SETS_ALONE: &[(&str, &str)] = &[
    ("pydicom/ExplVR_BigEndNoMeta.dcm", EXPLICIT_VR_BIG_ENDIAN),
    ("pydicom/ExplVR_LitEndNoMeta.dcm", EXPLICIT_VR_LITTLE_ENDIAN),
    ("pydicom/rtstruct.dcm", IMPLICIT_VR_LITTLE_ENDIAN),
    ("pydicom_data/OT-PAL-8-face.dcm", IMPLICIT_VR_LITTLE_ENDIAN),
];

/// What a sender was told about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Status(u16),
    ClassOrSyntaxRefused,
}

/// A file as a sender has it.
#[derive(Debug, Clone)]
pub struct Sendable {
    /// Path in the manifest.
    pub name: String,
    /// What goes into the command: the data set's own identity, which in some files is not that of group 2.
    pub head: part10::Head,
    bytes: Vec<u8>,
}

impl Sendable {
    fn of(name: &str, file: Vec<u8>) -> Option<Self> {
        let alone = DATA_SETS_ALONE.iter().find(|(one, _)| *one == name);
        let bytes = match alone {
            Some((_, syntax)) => [part10::file_meta("", "", syntax), file].concat(),
            None => file,
        };
        let head = identity(&bytes)?;
        // Without these nobody can propose a presentation context or name the instance in the command.
        let named = [&head.sop_class_uid, &head.sop_instance_uid, &head.transfer_syntax_uid];
        named.iter().all(|uid| !uid.is_empty()).then(|| Self { name: name.to_owned(), head, bytes })
    }

    /// As it travels.
    pub fn data_set(&self) -> &[u8] {
        &self.bytes[self.head.data_set_offset..]
    }

    /// Sends it over an association of its own.
    pub fn send(&self, peer: SocketAddr) -> Verdict {
        let proposal = Proposal::new(&self.head.sop_class_uid, &self.head.transfer_syntax_uid);
        let sent =
            Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal)).and_then(|mut one| {
                let status = one.store(&proposal, &self.head.sop_instance_uid, self.data_set())?;
                one.release().map(|()| status)
            });
        match sent {
            Ok(status) => Verdict::Status(status),
            Err(AssociationError::NotAccepted(_)) => Verdict::ClassOrSyntaxRefused,
            Err(error) => panic!("{}: {error:?}", self.name),
        }
    }
}

/// Every file that can be sent.
pub fn sendable() -> Vec<Sendable> {
    sendable_of(&fixtures::all())
}

/// The same of some files.
pub fn sendable_of(fixtures: &[fixtures::Fixture]) -> Vec<Sendable> {
    let there: BTreeSet<String> = fixtures.iter().map(|one| one.name.clone()).collect();
    let read: Vec<Sendable> = fixtures.iter().filter_map(|one| Sendable::of(&one.name, one.read())).collect();
    let names: BTreeSet<String> = read.iter().map(|one| one.name.clone()).collect();
    check("sent by nobody", NOT_SENDABLE, there.difference(&names).cloned(), &there);
    read
}

/// What was left out is what the table names of the files that are there.
pub fn check(what: &str, table: &[Reason], left_out: impl Iterator<Item = String>, there: &BTreeSet<String>) {
    let left_out: BTreeSet<String> = left_out.collect();
    let named: BTreeSet<String> =
        table.iter().map(|(name, _)| (*name).to_owned()).filter(|name| there.contains(name)).collect();
    let unnamed: Vec<&String> = left_out.difference(&named).collect();
    let taken: Vec<&String> = named.difference(&left_out).collect();
    assert!(unnamed.is_empty(), "{what}, and no table says why: {unnamed:#?}");
    assert!(taken.is_empty(), "named as {what}, and it is not so: {taken:#?}");
}

/// One that is refused by itself, or one of two that exclude each other.
pub fn may_be_refused(name: &str) -> bool {
    REFUSED.iter().any(|(one, _)| *one == name) || EXCLUSIVE.iter().flatten().any(|one| *one == name)
}

/// What a sender puts into the command.
fn identity(file: &[u8]) -> Option<part10::Head> {
    let mut head = part10::head(file)?;
    let data_set = &file[head.data_set_offset..];
    let big = head.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN;
    head.sop_class_uid = uid_of(data_set, 0x16, big).unwrap_or(head.sop_class_uid);
    head.sop_instance_uid = uid_of(data_set, 0x18, big).unwrap_or(head.sop_instance_uid);
    Some(head)
}

/// The UID in element (0008,00xx), found by its bytes: good enough for the start of a data set in any encoding.
fn uid_of(data_set: &[u8], element: u8, big: bool) -> Option<String> {
    let start = &data_set[..data_set.len().min(4096)];
    let tag = if big { [0, 8, 0, element] } else { [8, 0, element, 0] };
    let at = start.windows(4).position(|window| window == tag)?;
    let rest = start.get(at + 4..at + 12)?;
    let (length, skip) = match &rest[..2] {
        b"UI" if big => (u16::from_be_bytes([rest[2], rest[3]]), 8),
        b"UI" => (u16::from_le_bytes([rest[2], rest[3]]), 8),
        b"UN" => (u16::from_le_bytes([rest[4], rest[5]]), 12),
        length => (u16::from_le_bytes([length[0], length[1]]), 8),
    };
    let value = start.get(at + skip..)?;
    let uid = std::str::from_utf8(value.get(..usize::from(length))?).ok()?.trim_end_matches(['\0', ' ']);
    model::uid::check_uid(uid).ok().map(|()| uid.to_owned())
}

#[test]
fn every_name_in_the_tables_is_that_of_a_file() {
    let names =
        |files: Vec<fixtures::Fixture>| files.into_iter().map(|one| one.name).collect::<BTreeSet<_>>();
    let own = names(fixtures::own());
    // The larger set has folders of its own.
    let folders: BTreeSet<&str> = own.iter().filter_map(|name| name.split('/').next()).collect();
    let (all, has_larger) = (names(fixtures::all()), env::path(env::DATA).is_some());
    let listed = NOT_SENDABLE.iter().chain(REFUSED).map(|(name, _)| *name);
    let listed = listed.chain(DATA_SETS_ALONE.iter().map(|(name, _)| *name));
    for name in listed.chain(EXCLUSIVE.iter().flatten().copied()) {
        let is_of_larger = !folders.contains(name.split('/').next().unwrap_or_default());
        assert!(all.contains(name) || (is_of_larger && !has_larger), "{name} is no file");
    }
}
