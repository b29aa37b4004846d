//! Other application entities called by TLS (PS3.15 B.12): by the command line, by C-MOVE and by rules that send on. They
//! prove that they are the ones who were meant, and we that we are we.

use std::{net::SocketAddr, process::Command};

use serde_json::json;
use tempfile::TempDir;
use tests::{
    operator::free_port,
    part10,
    platform::{Options, Platform, binary},
    scu::{Dcmtk, Reference, padded, send_files, store},
    synthetic::Synthetic,
    tls::{Authority, Identity},
    wait,
};

use crate::commitment;

/// A site with an authority that its machines' certificates are from.
struct Site {
    folder: TempDir,
    authority: Authority,
    platform: Platform,
}

impl Site {
    /// `trusting` names the file of the authorities that MaxRay takes.
    async fn start(trusting: impl FnOnce(&Authority, &Authority) -> String) -> (Self, Authority) {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new(folder.path(), "site");
        let stranger = Authority::new(folder.path(), "stranger");
        let ours = authority.issue("maxray.example", |_| {});
        let options = Options::default()
            .with("MAXRAY_PACS__CALL__TLS__CA_FILE", &trusting(&authority, &stranger))
            .with("MAXRAY_PACS__CALL__TLS__CERTIFICATE_FILE", &ours.certificate.display().to_string())
            .with("MAXRAY_PACS__CALL__TLS__KEY_FILE", &ours.key.display().to_string());
        let platform = Platform::start(options).await;
        (Self { folder, authority, platform }, stranger)
    }

    /// DCMTK's storescp, which takes nobody without a certificate of the site.
    fn receiver(&self, name: &str, identity: &Identity) -> Reference {
        Reference::start_tls(&self.folder.path().join(name), &self.authority, identity)
    }

    fn register(&self, title: &str, peer: SocketAddr, arguments: &[&str]) {
        let port = peer.port().to_string();
        let words = ["--call-host", "127.0.0.1", "--call-port", &port, "--call-tls", "true"];
        self.platform.register_ae(title, &[&words, arguments].concat());
    }
}

fn data_sets(files: &[Vec<u8>]) -> Vec<Vec<u8>> {
    files.iter().map(|file| part10::data_set(file).to_vec()).collect()
}

#[tokio::test]
async fn by_the_command_line_by_a_move_and_by_a_rule() {
    let (site, _) = Site::start(|authority, _| authority.file().display().to_string()).await;
    let receiver = site.receiver("good", &site.authority.issue("127.0.0.1", |_| {}));
    let target = format!("STORESCP@{}", receiver.address());
    let (called, text) = site.platform.operate(&["echo", &target]);
    assert!(!called, "it takes nobody in the clear: {text}");
    let (called, text) = site.platform.operate(&["echo", "--tls", &target]);
    assert!(called, "{text}");

    let sent = Synthetic::cr("BY_TLS", 64, 64);
    let file = site.platform.scratch().join("by_tls.dcm");
    std::fs::write(&file, sent.part10()).expect("a file");
    let (done, text) = site.platform.operate(&["send", "--tls", &target, &file.display().to_string()]);
    assert!(done, "{text}");
    let expected = padded(&sent.data_set()).into_owned();
    assert!(data_sets(&receiver.take()) == [expected.clone()], "sent otherwise than it lies in the file");

    // Before anybody associates: what the registry says is good for some seconds.
    site.register("CENTRAL", receiver.address(), &[]);
    site.platform.register_ae("MOVESCU", &["--operation", "move"]);
    let (told, text) = site.platform.operate(&["ae", "show", "CENTRAL"]);
    assert!(told && text.contains("by TLS"), "{text}");
    let (called, text) = site.platform.operate(&["echo", "CENTRAL"]);
    assert!(called, "{text}");
    assert_eq!(send_files(site.platform.dicom(), &[sent.part10()]).expect("an association"), [0]);
    let key = format!("0020,000d={}", sent.study_instance_uid);
    let moved =
        Dcmtk::movescu(site.platform.dicom(), "CENTRAL", &["-S", "-k", "0008,0052=STUDY", "-k", &key]);
    assert!(moved.success && moved.text.contains("Success"), "{}", moved.text);
    assert!(data_sets(&receiver.take()) == [expected], "moved otherwise than it was sent");

    let (done, text) = site.platform.operate(&["forward", "add", "all", "CENTRAL"]);
    assert!(done, "{text}");
    let next = Synthetic::cr("BY_RULE", 64, 64);
    assert_eq!(send_files(site.platform.dicom(), &[next.part10()]).expect("an association"), [0]);
    let arrived =
        wait::until("the instance", async || Some(receiver.take()).filter(|files| !files.is_empty()));
    assert!(data_sets(&arrived.await) == [padded(&next.data_set()).into_owned()]);
}

#[tokio::test]
async fn what_was_committed_to_is_told_by_tls() {
    let (site, _) = Site::start(|authority, _| authority.file().display().to_string()).await;
    let port = free_port();
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    site.register("MODALITY", here, &["--operation", "store", "--operation", "commit"]);
    let instance = Synthetic::cr("COMMITTED", 64, 64);
    store(&site.platform, std::slice::from_ref(&instance));
    let identity = site.authority.issue("127.0.0.1", |_| {});
    let files = [&identity.key, &identity.certificate, &site.authority.file()];
    let [key, certificate, authority] = files.map(|path| path.display().to_string());
    let (port, server) = (port.to_string(), site.platform.dicom().port().to_string());
    let references = commitment::reference(&instance);
    let tls = ["--tls", &key, &certificate, &authority];
    let ask = ["MODALITY", &port, "60", &server, "1.2.3.4", &references];
    let said = commitment::pynetdicom(&[&tls[..], &ask].concat());
    assert_eq!(said[0], json!({ "status": 0 }));
    assert_eq!(said[1]["committed"], json!([instance.sop_instance_uid]), "{said:?}");
}

// threats.md row 2: who answers at the address is not yet the one who was meant.
#[tokio::test]
async fn who_is_not_meant_gets_nothing() {
    let (site, stranger) = Site::start(|authority, _| authority.file().display().to_string()).await;
    let sent = Synthetic::cr("SECRET", 64, 64);
    let file = site.platform.scratch().join("secret.dcm");
    std::fs::write(&file, sent.part10()).expect("a file");
    let file = file.display().to_string();
    let elsewhere = site.authority.issue("elsewhere.example", |_| {});
    let wrong = [
        ("host", site.receiver("host", &elsewhere)),
        ("authority", site.receiver("authority", &stranger.issue("127.0.0.1", |_| {}))),
    ];
    for (why, receiver) in &wrong {
        let target = format!("STORESCP@{}", receiver.address());
        let (done, text) = site.platform.operate(&["send", "--tls", &target, &file]);
        assert!(!done && text.contains("TLS handshake"), "another {why}: {text}");
        assert!(receiver.take().is_empty());
    }

    let [(_, at_another_host), (_, of_a_stranger)] = &wrong;
    site.register("BY_NAME", at_another_host.address(), &["--certificate", "dns:elsewhere.example"]);
    let (done, text) = site.platform.operate(&["send", "BY_NAME", &file]);
    assert!(done, "registered by the name that it shows: {text}");
    assert_eq!(at_another_host.take().len(), 1);

    let another = stranger.issue("127.0.0.1", |_| {});
    site.register("BY_KEY", of_a_stranger.address(), &["--certificate", &another.fingerprint]);
    let (done, text) = site.platform.operate(&["send", "BY_KEY", &file]);
    assert!(!done && text.contains("which is not the registered one"), "another key: {text}");
    assert!(of_a_stranger.take().is_empty());
}

#[tokio::test]
async fn a_registered_key_needs_no_authority() {
    let (site, stranger) = Site::start(|_, _| String::new()).await;
    let identity = stranger.issue("anything.example", |_| {});
    let receiver = site.receiver("pinned", &identity);
    site.register("BY_KEY", receiver.address(), &["--certificate", &identity.fingerprint]);
    let (called, text) = site.platform.operate(&["echo", "BY_KEY"]);
    assert!(called, "{text}");
    let (called, text) =
        site.platform.operate(&["echo", "--tls", &format!("STORESCP@{}", receiver.address())]);
    assert!(!called && text.contains("pacs.call.tls.ca_file must be set"), "{text}");
}

#[test]
fn files_that_are_no_use_stop_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    for (setting, said) in [
        ("CA_FILE", "pacs.call.tls.ca_file = \"/nowhere/file.pem\" cannot be used"),
        ("CERTIFICATE_FILE", "pacs.call.tls.certificate_file = \"/nowhere/file.pem\" cannot be used"),
        ("KEY_FILE", "pacs.call.tls.certificate_file must be set"),
    ] {
        let output = Command::new(binary())
            .arg("serve")
            .current_dir(&folder)
            .env("MAXRAY_DATA_DIRECTORY", folder.path().join("data"))
            .env("MAXRAY_HTTP__LISTEN", "127.0.0.1:0")
            .env("MAXRAY_PACS__LISTEN", "127.0.0.1:0")
            .env(format!("MAXRAY_PACS__CALL__TLS__{setting}"), "/nowhere/file.pem")
            .output()
            .expect("maxray runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && text.contains(said), "{setting}: {text}");
    }
}
