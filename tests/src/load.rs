//! Senders that store over several associations until they are done or the server is gone.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use crate::{
    digest::sha256_hex,
    ledger::{Ledger, retrieve},
    part10, qido,
    scu::{Association, AssociationError, Proposal},
    session::Session,
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
};

/// Columns and rows of what the senders send, one each in turn: most instances are small, and the largest are written
/// around the page cache.
const SIZES: [u16; 4] = [64, 256, 64, 1024];

/// What was sent, acknowledged or not: SOP Instance UID and digest of the data set.
type Attempts = Arc<Mutex<HashMap<String, String>>>;

/// Senders at work, and what they have sent.
#[derive(Debug, Default)]
pub struct Load {
    /// What the server has acknowledged.
    pub ledger: Arc<Ledger>,
    attempts: Attempts,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// `senders` associations, each with up to `instances` of one series of `patient-N`.
    pub fn start(peer: SocketAddr, patient: &str, senders: usize, instances: usize) -> Self {
        let mut load = Self::default();
        for sender in 0..senders {
            let (ledger, attempts) = (Arc::clone(&load.ledger), Arc::clone(&load.attempts));
            let size = SIZES[sender % SIZES.len()];
            let first = Synthetic::cr(&format!("{patient}-{sender}"), size, size);
            load.senders.push(std::thread::spawn(move || {
                // An error is the end of the server: what was not acknowledged may or may not be there.
                let _ended = send(peer, &first, instances, &ledger, &attempts);
            }));
        }
        load
    }

    /// Whether any sender still sends.
    pub fn is_running(&self) -> bool {
        self.senders.iter().any(|sender| !sender.is_finished())
    }

    /// Waits for the senders.
    ///
    /// # Panics
    /// When one of them did: the server refused something.
    pub fn wait(&mut self) {
        for sender in self.senders.drain(..) {
            sender.join().expect("a sender does not panic");
        }
    }

    /// Fails unless what was acknowledged is there and whole, and what is visible of the rest exactly what was sent.
    ///
    /// # Panics
    /// With what is wrong.
    pub async fn check(&self, reader: &Session, when: &str) {
        self.ledger.check(reader, when).await;
        let acknowledged = self.ledger.entries();
        let attempts = self.attempts.lock().expect("attempts").clone();
        for (uid, sent) in attempts {
            if acknowledged.contains_key(&uid) {
                continue;
            }
            let Some(place) = qido::locate(reader, &uid).await else { continue };
            let file = retrieve(reader, &place, &uid).await;
            let file = file.unwrap_or_else(|why| panic!("{when}: {uid} is visible and not readable: {why}"));
            assert_eq!(
                sha256_hex(part10::data_set(&file)),
                sent,
                "{when}: {uid} is visible, other than sent"
            );
        }
    }
}

fn send(
    peer: SocketAddr,
    first: &Synthetic,
    instances: usize,
    ledger: &Ledger,
    attempts: &Attempts,
) -> Result<(), AssociationError> {
    let proposal = Proposal::new(CR_IMAGE_STORAGE, &first.transfer_syntax_uid);
    let mut association = Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal))?;
    for instance in first.series(instances) {
        let data_set = instance.data_set();
        let digest = sha256_hex(&data_set);
        attempts.lock().expect("attempts").insert(instance.sop_instance_uid.clone(), digest);
        let status = association.store(&proposal, &instance.sop_instance_uid, &data_set)?;
        assert_eq!(status, 0, "{} refused", instance.sop_instance_uid);
        ledger.acknowledge_synthetic(&instance, &data_set);
    }
    association.release()
}
