//! Senders that keep a ledger, and the checks after the server came back.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use tests::{
    digest::sha256_hex,
    ledger::{Acknowledged, Ledger, retrieve},
    qido,
    scu::{Association, AssociationError, Proposal},
    session::Session,
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
};

/// What one sender sends, if nobody stops it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Rows and columns of each image.
    pub side: u16,
    /// Instances.
    pub instances: usize,
}

/// An instance that was sent, acknowledged or not.
#[derive(Debug, Clone)]
struct Attempt {
    instance: Synthetic,
    data_set_sha256: String,
}

/// What was sent in one step of a test, and what came of it.
#[derive(Debug, Default)]
pub struct Load {
    /// What was answered with success.
    pub ledger: Ledger,
    attempts: Mutex<BTreeMap<String, Attempt>>,
    refused: Mutex<Vec<(String, u16)>>,
}

impl Load {
    /// Starts one sender for each shape, all on associations of their own. `label` makes their patients unique.
    pub fn start(self: &Arc<Self>, peer: SocketAddr, label: &str, shapes: &[Shape]) -> Vec<JoinHandle<()>> {
        let sender = |(number, shape): (usize, &Shape)| {
            let first = Synthetic::cr(&format!("{label}-{number}"), shape.side, shape.side);
            let (load, instances) = (Arc::clone(self), shape.instances);
            std::thread::spawn(move || {
                // An error is the death of the server: what was not acknowledged may or may not be there.
                let _dead = load.send(peer, &first, instances);
            })
        };
        shapes.iter().enumerate().map(sender).collect()
    }

    fn send(&self, peer: SocketAddr, first: &Synthetic, instances: usize) -> Result<(), AssociationError> {
        let proposal = Proposal::new(CR_IMAGE_STORAGE, &first.transfer_syntax_uid);
        let mut association = Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal))?;
        for instance in first.series(instances) {
            let data_set = instance.data_set();
            let uid = instance.sop_instance_uid.clone();
            let attempt = Attempt { instance: instance.clone(), data_set_sha256: sha256_hex(&data_set) };
            self.attempts.lock().expect("attempts").insert(uid.clone(), attempt);
            match association.store(&proposal, &uid, &data_set)? {
                0 => self.ledger.acknowledge_synthetic(&instance, &data_set),
                status => self.refused.lock().expect("refused").push((uid, status)),
            }
        }
        association.release()
    }

    /// What was answered with a failure, and how.
    pub fn refused(&self) -> Vec<(String, u16)> {
        self.refused.lock().expect("refused").clone()
    }

    /// Everything that must hold after the server came back: what was acknowledged is there; what is there is exactly
    /// what was sent; sending everything again is answered with success and leaves each instance there once.
    pub async fn check(&self, reader: &Session, peer: SocketAddr, when: &str) {
        self.ledger.check(reader, when).await;
        for (study, visible) in self.visible(reader).await {
            for (uid, place) in visible {
                self.check_visible(reader, &uid, &place, when).await;
            }
            let counted = qido::rows(reader, &format!("/studies?StudyInstanceUID={study}")).await;
            let counted = counted.first().map(|row| qido::text(row, qido::NUMBER_OF_STUDY_RELATED_INSTANCES));
            let rows = qido::rows(reader, &format!("/studies/{study}/instances")).await.len();
            assert_eq!(
                counted.unwrap_or_else(|| "0".to_owned()),
                rows.to_string(),
                "{when}: counts of {study}"
            );
        }
        self.send_again(peer, when);
        let visible: Vec<String> =
            self.visible(reader).await.into_values().flatten().map(|(uid, _)| uid).collect();
        let sent: Vec<String> = self.attempts().into_keys().collect();
        assert_eq!(sorted(visible), sent, "{when}: what is there after everything was sent again");
    }

    fn attempts(&self) -> BTreeMap<String, Attempt> {
        self.attempts.lock().expect("attempts").clone()
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
        let found = sha256_hex(tests::part10::data_set(&file));
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

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

/// Waits for the senders.
pub fn join(senders: Vec<JoinHandle<()>>) {
    for sender in senders {
        sender.join().expect("a sender does not panic");
    }
}
