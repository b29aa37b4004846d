//! Senders that store over several associations until they are done or the server is gone, keep a ledger, and check it
//! after the server came back.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use crate::{
    digest::sha256_hex,
    ledger::{Acknowledged, Ledger, retrieve},
    part10, qido,
    scu::{Association, AssociationError, Proposal},
    session::Session,
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
    wait,
};

/// What one sender sends, if nobody stops it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Rows and columns of each image.
    pub side: u16,
    /// Instances, of one series.
    pub instances: usize,
}

impl Shape {
    /// So many senders: most instances are small, and the largest are written around the page cache.
    pub fn mixed(senders: usize, instances: usize) -> Vec<Self> {
        const SIDES: [u16; 4] = [64, 256, 64, 1024];
        SIDES.into_iter().cycle().take(senders).map(|side| Self { side, instances }).collect()
    }
}

/// An instance that was sent, acknowledged or not.
#[derive(Debug, Clone)]
struct Attempt {
    instance: Synthetic,
    data_set_sha256: String,
}

/// What the senders share.
#[derive(Debug, Default)]
struct Sent {
    attempts: Mutex<BTreeMap<String, Attempt>>,
    refused: Mutex<Vec<(String, u16)>>,
}

/// Senders at work, what was sent in one step of a test, and what came of it.
#[derive(Debug, Default)]
pub struct Load {
    /// What was answered with success.
    pub ledger: Arc<Ledger>,
    sent: Arc<Sent>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts one sender for each shape, all on associations of their own: patients `LABEL-0`, `LABEL-1` and so on.
    pub fn start(peer: SocketAddr, label: &str, shapes: &[Shape]) -> Self {
        Self::start_at(&[peer], label, shapes)
    }

    /// The same with each series shared out among several servers, each instance to one of them.
    pub fn start_at(peers: &[SocketAddr], label: &str, shapes: &[Shape]) -> Self {
        let mut load = Self::default();
        for (number, shape) in shapes.iter().enumerate() {
            let first = Synthetic::cr(&format!("{label}-{number}"), shape.side, shape.side);
            let series = first.series(shape.instances);
            for (turn, peer) in peers.iter().copied().enumerate() {
                let instances: Vec<_> = series.iter().skip(turn).step_by(peers.len()).cloned().collect();
                let (ledger, sent) = (Arc::clone(&load.ledger), Arc::clone(&load.sent));
                load.senders.push(std::thread::spawn(move || {
                    // An error is the end of the server: what was not acknowledged may or may not be there.
                    let _ended = send(peer, instances, &ledger, &sent);
                }));
            }
        }
        load
    }

    /// The same, until all of them are done.
    pub fn run(peer: SocketAddr, label: &str, shapes: &[Shape]) -> Self {
        let mut load = Self::start(peer, label, shapes);
        load.wait();
        load
    }

    /// Waits until this many were answered with success, while the senders go on.
    ///
    /// # Panics
    /// When the senders are done before, or it takes a minute.
    pub async fn until_acknowledged(&self, count: usize) {
        let what = format!("{count} acknowledged instances");
        let there = wait::until(&what, async || {
            // In this order: the last of them may be answered between the two looks.
            let (is_running, there) = (self.is_running(), self.ledger.len());
            (there >= count || !is_running).then_some(there)
        });
        let there = there.await;
        assert!(there >= count, "the senders ended with {there} acknowledged instances of {count}");
    }

    /// Whether any sender still sends.
    pub fn is_running(&self) -> bool {
        self.senders.iter().any(|sender| !sender.is_finished())
    }

    /// Waits for the senders.
    ///
    /// # Panics
    /// When one of them did.
    pub fn wait(&mut self) {
        for sender in self.senders.drain(..) {
            sender.join().expect("a sender does not panic");
        }
    }

    /// What was answered with a failure, and how.
    ///
    /// # Panics
    /// When another thread panicked while writing it down.
    pub fn refused(&self) -> Vec<(String, u16)> {
        self.sent.refused.lock().expect("refused").clone()
    }

    /// Fails unless what was acknowledged is there and whole, what is visible of the rest exactly what was sent, and the
    /// counts of studies those of their rows.
    ///
    /// # Panics
    /// With what is wrong.
    pub async fn check(&self, reader: &Session, when: &str) {
        self.ledger.check(reader, when).await;
        for (study, visible) in self.visible(reader).await {
            for (uid, place) in &visible {
                self.check_visible(reader, uid, place, when).await;
            }
            let counted = qido::rows(reader, &format!("/studies?StudyInstanceUID={study}")).await;
            let counted = counted.first().map(|row| qido::text(row, qido::NUMBER_OF_STUDY_RELATED_INSTANCES));
            assert_eq!(
                counted.unwrap_or_else(|| "0".to_owned()),
                visible.len().to_string(),
                "{when}: counts of {study}"
            );
        }
    }

    /// The same; then sending everything again is answered with success and leaves each instance there once.
    ///
    /// # Panics
    /// With what is wrong.
    pub async fn check_and_send_again(&self, reader: &Session, peer: SocketAddr, when: &str) {
        self.check(reader, when).await;
        self.send_again(peer, when);
        let visible = self.visible(reader).await.into_values().flatten();
        let mut visible: Vec<String> = visible.map(|(uid, _)| uid).collect();
        visible.sort();
        let sent: Vec<String> = self.attempts().into_keys().collect();
        assert_eq!(visible, sent, "{when}: what is there after everything was sent again");
    }

    fn attempts(&self) -> BTreeMap<String, Attempt> {
        self.sent.attempts.lock().expect("attempts").clone()
    }

    /// By study: SOP Instance UID and place of each row.
    async fn visible(&self, reader: &Session) -> BTreeMap<String, Vec<(String, Acknowledged)>> {
        let mut visible = BTreeMap::new();
        for attempt in self.attempts().into_values() {
            let study = attempt.instance.study_instance_uid.clone();
            if visible.contains_key(&study) {
                continue;
            }
            let answer = qido::rows(reader, &format!("/instances?StudyInstanceUID={study}")).await;
            let row = |row: &serde_json::Value| {
                let place = Acknowledged {
                    study_instance_uid: study.clone(),
                    series_instance_uid: attempt.instance.series_instance_uid.clone(),
                    data_set_sha256: String::new(),
                };
                (qido::text(row, qido::SOP_INSTANCE_UID), place)
            };
            visible.insert(study.clone(), answer.iter().map(row).collect());
        }
        visible
    }

    async fn check_visible(&self, reader: &Session, uid: &str, place: &Acknowledged, when: &str) {
        if self.ledger.entries().contains_key(uid) {
            return;
        }
        let attempts = self.attempts();
        let sent = attempts.get(uid).unwrap_or_else(|| panic!("{when}: {uid} was never sent"));
        let file = retrieve(reader, place, uid).await.unwrap_or_else(|why| panic!("{when}: {uid}: {why}"));
        let found = sha256_hex(part10::data_set(&file));
        assert_eq!(found, sent.data_set_sha256, "{when}: {uid} is visible and not what was sent");
    }

    fn send_again(&self, peer: SocketAddr, when: &str) {
        let attempts = self.attempts();
        let Some(first) = attempts.values().next() else { return };
        let proposal = Proposal::new(CR_IMAGE_STORAGE, &first.instance.transfer_syntax_uid);
        let mut association = Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal))
            .unwrap_or_else(|error| panic!("{when}: no association for sending again: {error:?}"));
        for (uid, attempt) in attempts {
            let data_set = attempt.instance.data_set();
            let status = association.store(&proposal, &uid, &data_set);
            assert!(matches!(status, Ok(0)), "{when}: {uid} sent again: {status:?}");
            self.ledger.acknowledge_synthetic(&attempt.instance, &data_set);
        }
        association.release().unwrap_or_else(|error| panic!("{when}: no release: {error:?}"));
    }
}

fn send(
    peer: SocketAddr,
    instances: Vec<Synthetic>,
    ledger: &Ledger,
    sent: &Sent,
) -> Result<(), AssociationError> {
    let Some(first) = instances.first() else { return Ok(()) };
    let proposal = Proposal::new(CR_IMAGE_STORAGE, &first.transfer_syntax_uid);
    let mut association = Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal))?;
    for instance in instances {
        let data_set = instance.data_set();
        let uid = instance.sop_instance_uid.clone();
        let attempt = Attempt { instance: instance.clone(), data_set_sha256: sha256_hex(&data_set) };
        sent.attempts.lock().expect("attempts").insert(uid.clone(), attempt);
        match association.store(&proposal, &uid, &data_set)? {
            0 => ledger.acknowledge_synthetic(&instance, &data_set),
            status => sent.refused.lock().expect("refused").push((uid, status)),
        }
    }
    association.release()
}
