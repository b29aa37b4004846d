//! C-GET and C-MOVE of every file of the data set, to DCMTK's storescp too. Files that claim one SOP Instance UID need an
//! archive each.

use std::collections::BTreeSet;

use tests::scu::{Context, Dcmtk, Reference, extended_negotiation, padded};

use super::{
    get::{get, open},
    *,
};
use crate::every_file::files::{self, REFUSED, Sendable, Verdict};

/// Archives that are filled.
const ROUNDS_MAX: usize = 24;

/// What becomes of an instance whose transfer syntax `storescp +xa` does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// As Explicit VR Little Endian: `docs/conformance-retrieve.md` says of what.
    Converted,
    /// Not at all: nobody here can decode it.
    Not,
}

/// Transfer syntaxes that storescp does not take; everything else goes out as it is stored.
const NOT_TAKEN_BY_STORESCP: &[(&str, Sent)] = &[
    (model::transfer_syntax::JPEG_LOSSLESS, Sent::Converted),
    // Retired processes of JPEG.
    ("1.2.840.10008.1.2.4.53", Sent::Not),
    ("1.2.840.10008.1.2.4.55", Sent::Not),
    (model::transfer_syntax::JPEG_XL_JPEG_RECOMPRESSION, Sent::Converted),
    (model::transfer_syntax::DEFLATED_IMAGE_FRAME, Sent::Converted),
];

/// An archive with files in it, each with a SOP Instance UID of its own.
struct Archive<'a> {
    platform: Platform,
    receiver: Reference,
    /// By SOP Instance UID.
    stored: BTreeMap<String, &'a Sendable>,
}

impl<'a> Archive<'a> {
    /// What can be stored of `left`, and what cannot beside it.
    async fn fill(folder: &std::path::Path, left: Vec<&'a Sendable>) -> (Self, Vec<&'a Sendable>) {
        let options = Options::default().with("MAXRAY_WORKER__PREVIEWS", "false");
        let platform = platform(options, &[("SCU", RETRIEVES)]).await;
        let receiver = Reference::start(folder);
        let port = receiver.address().port().to_string();
        platform.register_ae("STORESCP", &["--call-host", "127.0.0.1", "--call-port", &port]);
        let (mut stored, mut postponed) = (BTreeMap::new(), Vec::new());
        for file in left {
            let uid = &file.head.sop_instance_uid;
            if stored.contains_key(uid) || file.send(platform.dicom()) != Verdict::Status(0) {
                postponed.push(file);
            } else {
                stored.insert(uid.clone(), file);
            }
        }
        (Self { platform, receiver, stored }, postponed)
    }

    /// SOP Instance UIDs by study, as the index has them.
    fn studies(&self) -> BTreeMap<String, BTreeSet<String>> {
        let extended = extended_negotiation(STUDY_FIND, &[1]);
        let mut dialogue =
            Dialogue::open(self.platform.dicom(), "SCU", &[(STUDY_FIND, IMPLICIT)], &[extended]);
        let keys = identifier(&[(INSTANCE_UID, b""), (LEVEL, b"IMAGE"), (STUDY_UID, b"")]);
        dialogue.write(&Dialogue::request(C_FIND, STUDY_FIND, None, &keys));
        let (found, last) = dialogue.responses();
        assert_eq!((found.len(), last.status()), (self.stored.len(), 0));
        dialogue.release();
        let mut studies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for one in &found {
            studies.entry(text(one, STUDY_UID)).or_default().insert(text(one, INSTANCE_UID));
        }
        studies
    }

    /// Every instance as it was sent, and nothing else.
    fn check_get(&self, studies: &BTreeMap<String, BTreeSet<String>>) {
        let pair = |file: &&'a Sendable| (&*file.head.sop_class_uid, &*file.head.transfer_syntax_uid);
        let pairs: BTreeSet<(&str, &str)> = self.stored.values().map(pair).collect();
        let storage: Vec<Context<'_>> = pairs.into_iter().collect();
        // One association has room for them: Presentation-context-IDs are odd and at most 255.
        assert!(storage.len() < 128, "{} pairs of class and syntax", storage.len());
        let mut dialogue = open(&self.platform, "SCU", &storage);
        for (study, uids) in studies {
            let keys = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, study.as_bytes())];
            let (received, _, last) = get(&mut dialogue, &keys, |_| 0);
            assert_eq!(last.status(), 0, "{study}");
            assert!(received.keys().eq(uids), "{study}: {:?}", received.keys());
            for (uid, data_set) in &received {
                let file = self.stored[uid];
                assert!(padded(file.data_set()) == *data_set, "{} is not what was sent", file.name);
            }
        }
        dialogue.release();
    }

    /// The same at storescp; what that does not take as it is stored comes as the table says, or not at all.
    async fn check_move(&self, studies: &BTreeMap<String, BTreeSet<String>>) {
        let sent = |file: &Sendable| {
            let syntax = &file.head.transfer_syntax_uid;
            NOT_TAKEN_BY_STORESCP.iter().find(|(uid, _)| uid == syntax).map(|(_, sent)| *sent)
        };
        for (study, uids) in studies {
            let key = format!("0020,000d={study}");
            let keys = ["-aet", "SCU", "-S", "-k", "0008,0052=STUDY", "-k", &key];
            let moved = Dcmtk::movescu(self.platform.dicom(), "STORESCP", &keys);
            let all = uids.iter().all(|uid| sent(self.stored[uid]) != Some(Sent::Not));
            assert_eq!(moved.text.contains("Success"), all, "{study}: {}", moved.text);
        }
        let received: BTreeMap<String, Vec<u8>> = self
            .receiver
            .take()
            .into_iter()
            .map(|file| (part10::head(&file).expect("a Part 10 file").sop_instance_uid, file))
            .collect();
        for (uid, file) in &self.stored {
            let came = received.get(uid);
            let head = came.and_then(|came| part10::head(came));
            let syntax = head.as_ref().map(|head| head.transfer_syntax_uid.as_str());
            match sent(file) {
                Some(Sent::Not) => assert_eq!(came, None, "{} was moved", file.name),
                Some(Sent::Converted) => assert_eq!(syntax, Some(EXPLICIT), "{}", file.name),
                None => {
                    assert_eq!(syntax, Some(file.head.transfer_syntax_uid.as_str()), "{}", file.name);
                    let is_same = came.is_some_and(|came| padded(file.data_set()) == part10::data_set(came));
                    assert!(is_same, "{} is not what was sent", file.name);
                }
            }
        }
        assert!(received.keys().all(|uid| self.stored.contains_key(uid)), "{:?}", received.keys());
        let told = self.platform.audit_records("retrieve_instances").await;
        let told = told.iter().filter(|one| one.detail.starts_with("C-MOVE to STORESCP, "));
        assert_eq!(told.count(), 2 * studies.len(), "of each study before the first byte and at the end");
    }
}

#[tokio::test]
async fn every_file_comes_back_by_c_get_and_c_move_as_it_was_sent() {
    let all = files::sendable();
    let mut left: Vec<&Sendable> = all.iter().collect();
    for round in 0.. {
        assert!(round < ROUNDS_MAX, "{} files are left, {} for one", left.len(), left[0].name);
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, postponed) = Archive::fill(folder.path(), left).await;
        left = postponed;
        if archive.stored.is_empty() {
            // Each of them was alone, and refused all the same.
            break;
        }
        println!("round {round}: {} stored, {} left", archive.stored.len(), left.len());
        let studies = archive.studies();
        archive.check_get(&studies);
        archive.check_move(&studies).await;
    }
    let there = all.iter().map(|file| file.name.clone()).collect();
    files::check(
        "refused by an archive without another file",
        REFUSED,
        left.iter().map(|one| one.name.clone()),
        &there,
    );
    // What the table says of storescp is tried when there is a file for it.
    let is_there = |uid: &str| all.iter().any(|file| file.head.transfer_syntax_uid == uid);
    let tried = NOT_TAKEN_BY_STORESCP.iter().filter(|(uid, _)| is_there(uid)).count();
    assert!(tried >= 3, "{tried} of them");
}
