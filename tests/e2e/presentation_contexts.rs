//! PS3.8 9.3.2.2 and 9.3.3.2: presentation contexts that offer several transfer syntaxes. Which one is accepted is what
//! `docs/conformance-statement.md` says, and an instance in it is then stored.

use std::collections::{BTreeMap, BTreeSet};

use model::transfer_syntax::{
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN, JPEG_LOSSLESS_SV1, RLE_LOSSLESS,
};
use tests::{
    fixtures,
    platform::{Options, Platform},
    scu::{Dialogue, Offer},
    synthetic::{CR_IMAGE_STORAGE, DX_IMAGE_STORAGE, Synthetic, new_uid},
};

use crate::every_file::files::{self, Sendable};

const STATEMENT: &str = include_str!("../../docs/conformance-statement.md");
/// Presentation-context-IDs are odd and at most 255.
const CONTEXTS_MAX: usize = 128;

/// The table of the statement: every transfer syntax that the Standard registers, and whether storage takes it.
fn stated() -> Vec<(&'static str, bool)> {
    let (_, below) = STATEMENT.split_once("##### 4.2.1.3 Transfer syntaxes").expect("the heading");
    let rows = below.lines().skip_while(|line| !line.starts_with("|--")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            (cells[1], cells[2] == "yes")
        })
        .collect()
}

/// What the statement says of several: the first of the preferences; else the first that is offered, Implicit VR Little
/// Endian last.
struct Rule {
    taken: BTreeSet<&'static str>,
    preferences: &'static [&'static str],
}

impl Rule {
    fn new(preferences: &'static [&'static str]) -> Self {
        let taken = stated().into_iter().filter(|(_, taken)| *taken).map(|(uid, _)| uid).collect();
        Self { taken, preferences }
    }

    fn chosen<'a>(&self, offered: &[&'a str]) -> Option<&'a str> {
        let taken = || offered.iter().copied().filter(|uid| self.taken.contains(uid));
        let preferred = self.preferences.iter().find_map(|one| taken().find(|uid| uid == one));
        preferred.or_else(|| taken().find(|uid| *uid != IMPLICIT_VR_LITTLE_ENDIAN)).or_else(|| taken().next())
    }
}

/// Each two of the table, in both orders.
fn pairs() -> Vec<[&'static str; 2]> {
    let all = stated();
    let both = all.iter().flat_map(|(first, _)| all.iter().map(move |(second, _)| [*first, *second]));
    both.filter(|[first, second]| first != second).collect()
}

/// Opens an association in which each offer is a context, and compares what is accepted with the rule.
fn negotiate(platform: &Platform, rule: &Rule, offers: &[Offer<'_>]) -> (Dialogue, BTreeMap<u8, String>) {
    let dialogue = Dialogue::offer(platform.dicom(), "OFFERS", offers, &[]);
    let accepted = dialogue.accepted();
    for (index, (class, offered)) in offers.iter().enumerate() {
        let found = accepted.get(&id(index)).map(String::as_str);
        assert_eq!(found, rule.chosen(offered), "{class}: of {offered:?}");
    }
    (dialogue, accepted)
}

fn id(index: usize) -> u8 {
    u8::try_from(2 * index + 1).expect("at most 128 contexts")
}

/// Something in this transfer syntax, of any class. An archive keeps what is encapsulated as it comes, so that the
/// fragments need not be of the codec.
fn data_set(class: &str, syntax: &str, sop_instance_uid: &str) -> Vec<u8> {
    let has_encoder = [
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ];
    let encoder = if has_encoder.contains(&syntax) { syntax } else { RLE_LOSSLESS };
    let made = Synthetic {
        sop_class_uid: class.to_owned(),
        sop_instance_uid: sop_instance_uid.to_owned(),
        ..Synthetic::cr("P1", 2, 2)
    };
    made.with_transfer_syntax(encoder).data_set()
}

fn store(dialogue: &mut Dialogue, context: u8, (class, syntax): (&str, &str)) {
    let uid = new_uid();
    dialogue.write(&Dialogue::store_request(context, class, &uid, &data_set(class, syntax, &uid)));
    assert_eq!(dialogue.message().status(), 0, "{class} in {syntax}");
}

fn options() -> Options {
    Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")
}

/// Storage classes that there are files of.
fn classes_in_use() -> BTreeSet<String> {
    let of_files = fixtures::all().into_iter().map(|one| one.sop_class_uid);
    let own = [CR_IMAGE_STORAGE, DX_IMAGE_STORAGE].map(str::to_owned);
    of_files.chain(own).filter(|uid| pacs::is_storage_sop_class(uid)).collect()
}

#[tokio::test]
async fn of_each_two_transfer_syntaxes_the_one_of_the_rule_is_accepted_and_stored_in() {
    let platform = Platform::start(options()).await;
    let (rule, pairs) = (Rule::new(&[]), pairs());
    assert!(rule.taken.len() > 50 && rule.taken.len() < stated().len(), "{} are taken", rule.taken.len());
    let classes = classes_in_use();
    assert!(classes.len() > 15, "{classes:?}");
    for class in &classes {
        let mut stored_in: BTreeSet<String> = BTreeSet::new();
        for pairs in pairs.chunks(CONTEXTS_MAX) {
            let offers: Vec<Offer<'_>> = pairs.iter().map(|pair| (class.as_str(), &pair[..])).collect();
            let (mut dialogue, accepted) = negotiate(&platform, &rule, &offers);
            for (context, syntax) in accepted {
                if stored_in.insert(syntax.clone()) {
                    store(&mut dialogue, context, (class, &syntax));
                }
            }
            dialogue.release();
        }
        assert!(
            stored_in.iter().map(String::as_str).eq(rule.taken.iter().copied()),
            "{class}: {stored_in:?}"
        );
    }
    let stored = platform.metric("maxray_dimse_c_store_total{status=\"0000\"}").await;
    assert_eq!(stored as usize, classes.len() * rule.taken.len());
}

#[tokio::test]
async fn preferences_go_before_the_order_of_the_offer() {
    const PREFERENCES: &[&str] = &[JPEG_LOSSLESS_SV1, IMPLICIT_VR_LITTLE_ENDIAN];
    let list = format!("{PREFERENCES:?}");
    let platform = Platform::start(options().with("MAXRAY_PACS__TRANSFER_SYNTAX_PREFERENCES", &list)).await;
    let (rule, pairs) = (Rule::new(PREFERENCES), pairs());
    for pairs in pairs.chunks(CONTEXTS_MAX) {
        let offers: Vec<Offer<'_>> = pairs.iter().map(|pair| (CR_IMAGE_STORAGE, &pair[..])).collect();
        negotiate(&platform, &rule, &offers).0.release();
    }
    // What is offered by machines that offer all they have, in one context.
    let all: Vec<&str> = stated().into_iter().map(|(uid, _)| uid).collect();
    let (mut dialogue, accepted) = negotiate(&platform, &rule, &[(CR_IMAGE_STORAGE, &all)]);
    assert_eq!(accepted.into_values().collect::<Vec<_>>(), [JPEG_LOSSLESS_SV1]);
    store(&mut dialogue, 1, (CR_IMAGE_STORAGE, JPEG_LOSSLESS_SV1));
    dialogue.release();
}

/// A machine that has instances of a class in several transfer syntaxes offers them together, whichever it would rather
/// send first.
#[tokio::test]
async fn the_transfer_syntaxes_of_each_class_in_the_data_set_are_offered_together() {
    let platform = Platform::start(options()).await;
    let rule = Rule::new(&[]);
    let files = files::sendable();
    let mut classes: BTreeMap<&str, BTreeMap<&str, Vec<&Sendable>>> = BTreeMap::new();
    for file in &files {
        let syntaxes = classes.entry(&file.head.sop_class_uid).or_default();
        syntaxes.entry(&file.head.transfer_syntax_uid).or_default().push(file);
    }
    let (mut combinations, mut stored) = (0, 0);
    for (class, syntaxes) in classes.iter().filter(|(class, _)| pacs::is_storage_sop_class(class)) {
        let all: Vec<&str> = syntaxes.keys().copied().collect();
        let rotated: Vec<Vec<&str>> =
            (0..all.len()).map(|first| [&all[first..], &all[..first]].concat()).collect();
        let offers: Vec<Offer<'_>> = rotated.iter().map(|offered| (*class, &offered[..])).collect();
        let (mut dialogue, accepted) = negotiate(&platform, &rule, &offers);
        combinations += offers.len();
        for (context, syntax) in accepted {
            // Those that no archive keeps are in the tables of that module.
            let good = |file: &&&Sendable| !files::may_be_refused(&file.name);
            let Some(file) = syntaxes[syntax.as_str()].iter().find(good) else { continue };
            let uid = &file.head.sop_instance_uid;
            dialogue.write(&Dialogue::store_request(context, class, uid, file.data_set()));
            assert_eq!(dialogue.message().status(), 0, "{}", file.name);
            stored += 1;
        }
        dialogue.release();
    }
    assert!(
        combinations > 50 && stored * 10 > combinations * 9,
        "{stored} stored in {combinations} combinations"
    );
}
