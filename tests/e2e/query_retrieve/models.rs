//! C-MOVE and C-GET in every information model, at every level, and relational (PS3.4 C.4.2, C.4.3, C.6).

use std::collections::BTreeSet;

use tests::{
    scu::{Reference, extended_negotiation, provider_role},
    synthetic::{CR_IMAGE_STORAGE, new_uid},
};

use super::*;

/// Classes of C-MOVE and C-GET.
type Model = (&'static str, &'static str);

/// Options, values of the keys in the order of their tags, and which instances they name.
type Case<'a> = (Model, &'a [u8], [&'a str; 5], &'a [usize]);

const PATIENT_ROOT: Model = ("1.2.840.10008.5.1.4.1.2.1.2", PATIENT_GET);
const STUDY_ROOT: Model = (STUDY_MOVE, STUDY_GET);
const PATIENT_STUDY_ONLY: Model = ("1.2.840.10008.5.1.4.1.2.3.2", "1.2.840.10008.5.1.4.1.2.3.3");

const HIERARCHICAL: &[u8] = &[0];
const RELATIONAL: &[u8] = &[1];

fn open(platform: &Platform, class: &str, options: &[u8]) -> Dialogue {
    let items = [extended_negotiation(class, options), provider_role(CR_IMAGE_STORAGE)];
    let contexts = [(class, IMPLICIT), (CR_IMAGE_STORAGE, EXPLICIT)];
    Dialogue::open(platform.dicom(), "SCU", &contexts, &items)
}

/// The instances that come back, and the last response.
fn get(platform: &Platform, class: &str, options: &[u8], keys: &[u8]) -> (BTreeSet<String>, Message) {
    let mut dialogue = open(platform, class, options);
    dialogue.write(&Dialogue::request(C_GET, class, None, keys));
    let mut received = BTreeSet::new();
    loop {
        let message = dialogue.message();
        if message.number(0x0100) == Some(0x0001) {
            dialogue.answer_store(&message, 0);
            let uid = String::from_utf8_lossy(message.value(0x1000).expect("an instance")).into_owned();
            received.insert(uid.trim_end_matches('\0').to_owned());
        } else if message.status() != 0xff00 {
            dialogue.release();
            return (received, message);
        }
    }
}

/// The same with what arrives at the destination.
fn moved(
    (platform, receiver): (&Platform, &Reference),
    class: &str,
    options: &[u8],
    keys: &[u8],
) -> (BTreeSet<String>, Message) {
    let mut dialogue = open(platform, class, options);
    dialogue.write(&Dialogue::request(C_MOVE, class, Some("STORESCP"), keys));
    let (_, last) = dialogue.responses();
    dialogue.release();
    (data_sets(receiver.take()).into_keys().collect(), last)
}

#[tokio::test]
async fn every_model_is_retrieved_from_at_every_level() {
    let platform = platform(Options::default(), &[("SCU", RETRIEVES)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Reference::start(folder.path());
    let port = receiver.address().port().to_string();
    platform.register_ae("STORESCP", &["--call-host", "127.0.0.1", "--call-port", &port]);
    // Three of one series, one of another of that study, one of another study, and one of somebody else.
    let mut made = Synthetic::cr("P1", 8, 8).series(3);
    made.push(Synthetic { series_instance_uid: new_uid(), ..made[2].next() });
    made.extend([Synthetic::cr("P1", 8, 8), Synthetic::cr("P2", 8, 8)]);
    store(&platform, &made);

    let uids = |indices: &[usize]| -> Vec<&str> {
        indices.iter().map(|index| made[*index].sop_instance_uid.as_str()).collect()
    };
    let (study, series) = (&made[0].study_instance_uid, &made[0].series_instance_uid);
    let (other_series, other_study) = (&made[3].series_instance_uid, &made[4].study_instance_uid);
    let cases: [Case<'_>; 12] = [
        (PATIENT_ROOT, HIERARCHICAL, ["", "PATIENT", "P1", "", ""], &[0, 1, 2, 3, 4]),
        (PATIENT_ROOT, HIERARCHICAL, ["", "STUDY", "P1", study, ""], &[0, 1, 2, 3]),
        (PATIENT_ROOT, HIERARCHICAL, ["", "SERIES", "P1", study, series], &[0, 1, 2]),
        (PATIENT_ROOT, HIERARCHICAL, [&uids(&[0, 2]).join("\\"), "IMAGE", "P1", study, series], &[0, 2]),
        (STUDY_ROOT, HIERARCHICAL, ["", "STUDY", "", study, ""], &[0, 1, 2, 3]),
        (STUDY_ROOT, HIERARCHICAL, ["", "SERIES", "", study, other_series], &[3]),
        (STUDY_ROOT, HIERARCHICAL, [uids(&[1])[0], "IMAGE", "", study, series], &[1]),
        (PATIENT_STUDY_ONLY, HIERARCHICAL, ["", "PATIENT", "P1", "", ""], &[0, 1, 2, 3, 4]),
        (PATIENT_STUDY_ONLY, HIERARCHICAL, ["", "STUDY", "P1", other_study, ""], &[4]),
        (STUDY_ROOT, RELATIONAL, ["", "SERIES", "", "", other_series], &[3]),
        (STUDY_ROOT, RELATIONAL, [&uids(&[1, 5]).join("\\"), "IMAGE", "", "", ""], &[1, 5]),
        (PATIENT_ROOT, RELATIONAL, ["", "STUDY", "", other_study, ""], &[4]),
    ];
    for ((move_class, get_class), options, values, expected) in cases {
        let tags = [INSTANCE_UID, LEVEL, PATIENT_ID, STUDY_UID, SERIES_UID];
        let given = tags.into_iter().zip(values.map(str::as_bytes)).filter(|(_, value)| !value.is_empty());
        let keys = identifier(&given.collect::<Vec<_>>());
        let expected: BTreeSet<String> = uids(expected).into_iter().map(str::to_owned).collect();
        let (received, last) = get(&platform, get_class, options, &keys);
        assert_eq!((last.status(), &received), (0, &expected), "C-GET {get_class} {values:?}");
        let (received, last) = moved((&platform, &receiver), move_class, options, &keys);
        assert_eq!((last.status(), &received), (0, &expected), "C-MOVE {move_class} {values:?}");
        assert_eq!(last.number(0x1021), Some(expected.len() as u16));
    }
}
