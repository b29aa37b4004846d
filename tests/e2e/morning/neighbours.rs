//! Who else is there: workstations that query, one that retrieves over a slow line, senders that die, and a C-ECHO that is timed.

use std::{
    fmt,
    io::Write as _,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tests::{
    scu::{Association, Dialogue, Proposal, identifier, p_data, provider_role},
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
};

use super::{
    Morning,
    modality::{fixed_uid, patient_id},
};

const STUDY_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const STUDY_GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
const IMPLICIT: &str = model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
const EXPLICIT: &str = model::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
/// Workstations that query.
const WORKSTATIONS: usize = 3;
/// Between two queries of a workstation.
const QUERY_PAUSE: Duration = Duration::from_millis(250);
/// Between two C-ECHO.
const ECHO_PAUSE: Duration = Duration::from_millis(50);
/// What the slow line waits after each PDU of 128 KiB.
const SLOW_PAUSE: Duration = Duration::from_millis(50);
/// Senders that die in a morning; of a whole one, one every ten seconds.
const DEATHS: u32 = 30;
/// And as often as that at most.
const DEATH_PAUSE_MIN: Duration = Duration::from_secs(1);

/// All of them, at work.
#[derive(Debug)]
pub struct Neighbours {
    echoes: JoinHandle<Vec<Duration>>,
    workstations: Vec<JoinHandle<Vec<Duration>>>,
    slow: JoinHandle<usize>,
    dying: JoinHandle<usize>,
}

/// What they saw.
#[derive(Debug)]
pub struct Seen {
    echoes: Vec<Duration>,
    queries: Vec<Duration>,
    slowly_retrieved: usize,
    deaths: usize,
}

/// Begins.
pub fn start(morning: &Morning) -> Neighbours {
    let own = |work: fn(&Morning) -> Vec<Duration>| {
        let morning = morning.clone();
        std::thread::spawn(move || work(&morning))
    };
    let counted = |work: fn(&Morning) -> usize| {
        let morning = morning.clone();
        std::thread::spawn(move || work(&morning))
    };
    Neighbours {
        echoes: own(echo),
        workstations: (0..WORKSTATIONS).map(|_| own(query)).collect(),
        slow: counted(retrieve_slowly),
        dying: counted(die),
    }
}

impl Neighbours {
    /// Waits until each has ended what it was at.
    ///
    /// # Panics
    /// When one of them did.
    pub fn join(self) -> Seen {
        let queries = self.workstations.into_iter().flat_map(|one| one.join().expect("a workstation"));
        Seen {
            queries: queries.collect(),
            echoes: self.echoes.join().expect("somebody who verifies"),
            slowly_retrieved: self.slow.join().expect("a slow line"),
            deaths: self.dying.join().expect("a sender that dies"),
        }
    }
}

impl Seen {
    /// Everything of a morning was in it.
    ///
    /// # Panics
    /// Otherwise.
    pub fn check(&self) {
        let all = !self.echoes.is_empty() && !self.queries.is_empty();
        assert!(all && self.slowly_retrieved > 0 && self.deaths > 0, "{self}");
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "C-ECHO with its association: {}\nC-FIND with its association: {}\n{} instances retrieved slowly, {} senders died",
            Times(&self.echoes),
            Times(&self.queries),
            self.slowly_retrieved,
            self.deaths
        )
    }
}

/// How many, and their percentiles.
struct Times<'a>(&'a [Duration]);

impl fmt::Display for Times<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.to_vec();
        sorted.sort();
        let at = |percent: usize| {
            sorted
                .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
                .copied()
                .unwrap_or_default()
        };
        write!(
            formatter,
            "{} of them, p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
            sorted.len(),
            at(50),
            at(99),
            at(100)
        )
    }
}

fn timed(morning: &Morning, pause: Duration, mut work: impl FnMut()) -> Vec<Duration> {
    let mut times = Vec::new();
    while !morning.is_over() {
        let began = Instant::now();
        work();
        times.push(began.elapsed());
        std::thread::sleep(pause);
    }
    times
}

fn echo(morning: &Morning) -> Vec<Duration> {
    timed(morning, ECHO_PAUSE, || {
        let verification = [Association::verification()];
        let mut association =
            Association::request(morning.server, "MAXRAY", &verification).expect("an association");
        assert_eq!(association.echo().expect("a status"), 0);
        association.release().expect("a release");
    })
}

fn query(morning: &Morning) -> Vec<Duration> {
    let mut number = 0;
    timed(morning, QUERY_PAUSE, || {
        number += 1;
        let patient = patient_id(number % super::MODALITIES);
        let keys = [(0x0008_0052, &b"STUDY"[..]), (0x0010_0020, patient.as_bytes()), (0x0020_000d, b"")];
        let found = find(morning, &keys);
        assert!(found.iter().all(|study| !study.is_empty()), "{found:?}");
    })
}

/// Study Instance UIDs of a C-FIND.
fn find(morning: &Morning, keys: &[(u32, &[u8])]) -> Vec<String> {
    let mut dialogue = Dialogue::open(morning.server, "WORKSTATION", &[(STUDY_FIND, IMPLICIT)], &[]);
    dialogue.write(&Dialogue::request(0x0020, STUDY_FIND, None, &identifier(keys)));
    let (found, last) = dialogue.responses();
    assert_eq!(last.status(), 0);
    dialogue.release();
    let study = |message: &tests::scu::Message| {
        let bytes = message.data_set.clone().unwrap_or_default();
        let at = memchr::memmem::rfind(&bytes, b"\x20\x00\x0d\x00").expect("a Study Instance UID");
        let length = usize::from(bytes[at + 4]);
        String::from_utf8_lossy(&bytes[at + 8..at + 8 + length]).trim_end_matches('\0').to_owned()
    };
    found.iter().map(study).collect()
}

/// C-GET of one study after the other, each PDU read with a pause: how many instances came.
fn retrieve_slowly(morning: &Morning) -> usize {
    let mut received = 0;
    while !morning.is_over() {
        let studies = find(morning, &[(0x0008_0052, b"STUDY"), (0x0020_000d, b"")]);
        let Some(study) = studies.first() else {
            std::thread::sleep(QUERY_PAUSE);
            continue;
        };
        let contexts = [(STUDY_GET, IMPLICIT), (CR_IMAGE_STORAGE, EXPLICIT)];
        let mut dialogue =
            Dialogue::open(morning.server, "WORKSTATION", &contexts, &[provider_role(CR_IMAGE_STORAGE)]);
        dialogue.pause_after_each_pdu(SLOW_PAUSE);
        let keys = identifier(&[(0x0008_0052, b"STUDY"), (0x0020_000d, study.as_bytes())]);
        dialogue.write(&Dialogue::request(0x0010, STUDY_GET, None, &keys));
        loop {
            let message = dialogue.message();
            if message.number(0x0100) == Some(0x0001) {
                received += 1;
                dialogue.answer_store(&message, 0);
            } else if message.status() != 0xff00 {
                assert_eq!(message.status(), 0, "C-GET of {study}");
                break;
            }
        }
        dialogue.release();
    }
    received
}

/// Senders that are gone in the middle of an object: how many.
fn die(morning: &Morning) -> usize {
    let pause = (morning.lasts / DEATHS).max(DEATH_PAUSE_MIN);
    let image = Arc::new(Synthetic { sop_instance_uid: fixed_uid(), ..Synthetic::cr("DYING", 512, 512) });
    let data_set = image.data_set();
    let mut deaths = 0;
    while !morning.is_over() {
        let proposal = Proposal::new(&image.sop_class_uid, &image.transfer_syntax_uid);
        let mut association = Association::request(morning.server, "MAXRAY", std::slice::from_ref(&proposal))
            .expect("an association");
        let context = association.context(&proposal).expect("a context");
        let command = association.store_request(&image.sop_class_uid, &image.sop_instance_uid);
        let half = &data_set[..data_set.len() / 2];
        let mut bytes = p_data(context, true, true, &command).encode();
        bytes.extend(
            half.chunks(16 * 1024).flat_map(|fragment| p_data(context, false, false, fragment).encode()),
        );
        association.stream().write_all(&bytes).expect("half of an object");
        drop(association);
        deaths += 1;
        std::thread::sleep(pause);
    }
    deaths
}
