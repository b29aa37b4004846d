//! threats.md row 18: up to 200 files with each field of their file meta group (PS3.10 7.1) damaged, in one way or in each. Nothing is kept under a
//! transfer syntax or an identity that is not its own.

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tests::{
    env,
    fixtures::{self, Fixture},
    ledger::retrieve,
    part10,
    platform::Platform,
    qido,
    session::Session,
    synthetic::new_uid,
};

use super::{BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, MIB, quiet, stow};

/// The smallest files; what a meta group does not say rightly has nothing to do with the length of what follows.
const FILES: usize = 200;
/// There are fewer that are whole enough to be stored, each another instance.
const FILES_MIN: usize = 50;
/// Longer ones are left to runs that ask for more than [`DAMAGES`].
const LENGTH_MAX_BYTES: usize = 16 * 1024;
/// Ways in which each field of a file is damaged, others for each field and file; `MAXRAY_TEST_META_DAMAGES` asks for more. There are 9.
const DAMAGES: u64 = 1;
/// At a time.
const REQUESTS: usize = 12;

const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";

const CLASS: u16 = 0x0002;
const INSTANCE: u16 = 0x0003;
const SYNTAX: u16 = 0x0010;

/// An element of group 2.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Element {
    number: u16,
    vr: [u8; 2],
    /// As it is written, right or wrong.
    length: u32,
    value: Vec<u8>,
}

impl Element {
    fn is_long(&self) -> bool {
        matches!(&self.vr, b"OB" | b"UN" | b"UT")
    }

    fn set(&mut self, value: &[u8]) {
        self.value = value.to_vec();
        if value.len() % 2 == 1 {
            self.value.push(0);
        }
        self.length = self.value.len() as u32;
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend([2, 0]);
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.vr);
        if self.is_long() {
            bytes.extend([0, 0]);
            bytes.extend(self.length.to_le_bytes());
        } else {
            bytes.extend((self.length as u16).to_le_bytes());
        }
        bytes.extend(&self.value);
    }
}

/// A file taken apart.
#[derive(Debug, Clone)]
struct Parts {
    name: String,
    /// Of the data set, which the group need not agree with.
    sop_instance_uid: String,
    head: part10::Head,
    group: Vec<Element>,
    data_set: Vec<u8>,
}

impl Parts {
    /// None when it says too little of itself to be stored rightly, whatever its group is.
    fn of(fixture: &Fixture) -> Option<Self> {
        let file = fixture.read();
        let head = part10::head(&file)?;
        if [&head.transfer_syntax_uid, &head.sop_class_uid, &head.sop_instance_uid]
            .iter()
            .any(|uid| uid.is_empty())
        {
            return None;
        }
        let (mut group, mut at) = (Vec::new(), 132);
        while at < head.data_set_offset {
            let number = u16::from_le_bytes([file[at + 2], file[at + 3]]);
            let mut element =
                Element { number, vr: [file[at + 4], file[at + 5]], length: 0, value: Vec::new() };
            let start = if element.is_long() {
                element.length = u32::from_le_bytes(file[at + 8..at + 12].try_into().expect("four bytes"));
                at + 12
            } else {
                element.length = u32::from(u16::from_le_bytes([file[at + 6], file[at + 7]]));
                at + 8
            };
            at = start + element.length as usize;
            element.value = file[start..at].to_vec();
            group.push(element);
        }
        let data_set = file[head.data_set_offset..].to_vec();
        Some(Self { name: fixture.name.clone(), sop_instance_uid: String::new(), head, group, data_set })
    }

    fn file(&self, group: &[Element]) -> Vec<u8> {
        let mut file = [&[0; 128], &b"DICM"[..]].concat();
        for element in group {
            element.encode(&mut file);
        }
        file.extend_from_slice(&self.data_set);
        file
    }

    fn damaged(&self, number: u16, damage: impl Fn(&mut Vec<Element>, usize)) -> Vec<u8> {
        let mut group = self.group.clone();
        let at = group.iter().position(|element| element.number == number).expect("a field that is there");
        damage(&mut group, at);
        self.file(&group)
    }

    fn with(&self, number: u16, value: &str) -> Vec<u8> {
        self.damaged(number, |group, at| group[at].set(value.as_bytes()))
    }

    /// A transfer syntax that the data set cannot be in, or none at all: refused.
    fn contradictions(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = vec![("a transfer syntax that is no UID".to_owned(), self.with(SYNTAX, "../../x"))];
        let twice = self.damaged(SYNTAX, |group, at| {
            let mut other = group[at].clone();
            other.set(if self.head.transfer_syntax_uid == EXPLICIT { IMPLICIT } else { EXPLICIT }.as_bytes());
            group.insert(at + 1, other);
        });
        files.push(("two transfer syntaxes".to_owned(), twice));
        for other in [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG_BASELINE] {
            if self.contradicts(other) {
                files.push((format!("called {other}"), self.with(SYNTAX, other)));
            }
        }
        files
    }

    /// Whether the data set cannot be in that transfer syntax, whatever its Pixel Data are: these are kept as they come, and no frame
    /// is served of them when they are not what the transfer syntax says.
    fn contradicts(&self, other: &str) -> bool {
        let encoding = |uid: &str| [IMPLICIT, BIG_ENDIAN, DEFLATED].into_iter().find(|one| *one == uid);
        encoding(&self.head.transfer_syntax_uid) != encoding(other)
    }

    /// Each field that is there, in each of the ways: kept as what it is, or refused.
    fn damages(&self, first: usize, count: usize) -> Vec<(String, Vec<u8>)> {
        type Damage = (&'static str, fn(&mut Vec<Element>, usize));
        const ALL: [Damage; 9] = [
            ("missing", |group, at| drop(group.remove(at))),
            ("empty", |group, at| group[at].set(b"")),
            ("twice", |group, at| group.insert(at, group[at].clone())),
            ("last", |group, at| group[at..].rotate_left(1)),
            ("letters that are no VR", |group, at| group[at].vr = [0xff, 0xfe]),
            ("of another VR", |group, at| group[at].vr = *b"SH"),
            ("longer than it is", |group, at| group[at].length += 0x1001),
            ("shorter than it is", |group, at| group[at].length = group[at].length.saturating_sub(2)),
            ("0xff", |group, at| group[at].value.fill(0xff)),
        ];
        // The data set says what it is; that the group says something else is a warning.
        let mut files = vec![
            ("another instance".to_owned(), self.with(INSTANCE, &new_uid())),
            ("another class".to_owned(), self.with(CLASS, "1.2.840.10008.5.1.4.1.1.88.59")),
        ];
        for (at, Element { number, .. }) in self.group.iter().enumerate() {
            for (what, damage) in ALL.iter().cycle().skip((first + at) % ALL.len()).take(count.min(ALL.len()))
            {
                files.push((format!("({number:04x}) {what}"), self.damaged(*number, damage)));
            }
        }
        files
    }

    /// What is there of the instance is the instance, in its own transfer syntax.
    async fn check_kept(&self, service: &Session, what: &str) {
        let uid = &self.sop_instance_uid;
        let place =
            qido::locate(service, uid).await.unwrap_or_else(|| panic!("{}: {what}: nowhere", self.name));
        let kept =
            retrieve(service, &place, uid).await.unwrap_or_else(|why| panic!("{}: {what}: {why}", self.name));
        let head = part10::head(&kept).expect("a Part 10 file");
        assert_eq!(head.transfer_syntax_uid, self.head.transfer_syntax_uid, "{}: {what}", self.name);
        assert!(part10::data_set(&kept) == self.data_set, "{}: {what}: other bytes", self.name);
    }

    /// How many were refused, and how many kept.
    async fn check(&self, service: &Session, first: usize, count: usize) -> (usize, usize) {
        let (mut refused, mut kept) = (0, 0);
        for (what, file) in self.contradictions() {
            let (status, answer) = stow(service, &file).await;
            assert!((400..500).contains(&status), "{}: {what}: {status} {answer}", self.name);
            refused += 1;
        }
        for (what, file) in self.damages(first, count) {
            let (status, answer) = stow(service, &file).await;
            match status {
                // The first decides what is kept; the others are the same again, or a conflict.
                200 if kept == 0 => {
                    self.check_kept(service, &what).await;
                    kept += 1;
                }
                200 => kept += 1,
                400..500 => refused += 1,
                other => panic!("{}: {what}: {other} {answer}", self.name),
            }
        }
        (refused, kept)
    }
}

/// Those that are stored as they are, each instance once: some lie there in several transfer syntaxes.
async fn files(length_max: usize) -> Vec<Parts> {
    let platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let mut all: Vec<Parts> = fixtures::all().iter().filter_map(Parts::of).collect();
    all.sort_by_key(|parts| parts.data_set.len());
    let (mut files, mut seen): (Vec<Parts>, HashSet<String>) = (Vec::new(), HashSet::new());
    for parts in all.into_iter().filter(|parts| parts.data_set.len() <= length_max) {
        let (status, answer) = stow(&service, &parts.file(&parts.group)).await;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let stored = answer["00081199"]["Value"][0]["00081155"]["Value"][0].as_str().unwrap_or_default();
        if status == 200 && seen.insert(stored.to_owned()) && files.len() < FILES {
            files.push(Parts { sop_instance_uid: stored.to_owned(), ..parts });
        }
    }
    files
}

#[tokio::test]
async fn damaged_meta_groups_change_nothing_of_what_is_kept() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let damages = env::number(env::META_DAMAGES, DAMAGES) as usize;
    let files = files(if damages > DAMAGES as usize { usize::MAX } else { LENGTH_MAX_BYTES }).await;
    let checks = files.iter().enumerate().map(|(number, parts)| parts.check(&service, number, damages));
    // In the order of the files.
    let counts: Vec<(usize, usize)> = stream::iter(checks).buffered(REQUESTS).collect().await;
    let refused: usize = counts.iter().map(|(refused, _)| refused).sum();
    let kept: usize = counts.iter().map(|(_, kept)| kept).sum();
    eprintln!("{} files: {refused} damaged groups were refused, {kept} kept", files.len());
    assert!(files.len() >= FILES_MIN, "{} files", files.len());
    guard.check_alive(&mut platform).await;
    assert!(platform.peak_memory_bytes() < 400 * MIB, "peak memory");
    let there = qido::rows(&service, "/instances").await;
    assert!(!there.is_empty() && there.len() <= files.len(), "{} instances of {}", there.len(), files.len());
    for (parts, (_, kept)) in files.iter().zip(&counts) {
        let found = qido::locate(&service, &parts.sop_instance_uid).await.is_some();
        assert_eq!(found, *kept > 0, "{}: {kept} were acknowledged", parts.name);
        if found {
            parts.check_kept(&service, "in the end").await;
        }
    }
}
