//! Which machines may associate, and what for: `maxray ae`, the registry behind it, and what is told of refusals.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use database::AuditOutcome;
use model::{AeTitle, SopClassUid, SopInstanceUid, TransferSyntaxUid, event::Event};
use pacs::{
    call::{CallConfig, Callee},
    store_scu::{Proposal, ScuAssociation, ScuError, ScuTimeouts},
};
use tests::{
    part10,
    platform::{Options, Platform},
    scu::Dcmtk,
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
    tls::{Authority, Identity},
};

/// How soon the door hears of a change, with room for a busy machine.
const HEARD_WITHIN: Duration = Duration::from_secs(15);
const EXPLICIT: &str = model::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;

/// The registry holds for this machine too.
fn strict() -> Options {
    Options::default().with("MAXRAY_PACS__ACCEPT_ANY_CALLING_AE_TITLE_FROM_LOOPBACK", "false")
}

async fn associate(platform: &Platform, calling: &str) -> Result<ScuAssociation, ScuError> {
    let proposal = Proposal {
        sop_class_uid: SopClassUid::parse(CR_IMAGE_STORAGE).expect("a UID"),
        transfer_syntax_uids: vec![TransferSyntaxUid::parse(EXPLICIT).expect("a UID")],
        as_provider: false,
    };
    let title = |text| AeTitle::parse(text).expect("a title");
    let timeouts = ScuTimeouts::default();
    let callee = Callee::at(title("MAXRAY"), platform.dicom());
    ScuAssociation::connect(&CallConfig::default(), &callee, &title(calling), &[proposal], timeouts).await
}

async fn is_unknown(platform: &Platform, calling: &str) -> bool {
    match associate(platform, calling).await {
        Err(ScuError::Rejected { result: 1, source_: 1, reason: 3 }) => true,
        Ok(association) => {
            association.release().await.expect("released");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

async fn eventually(platform: &Platform, calling: &str, unknown: bool) {
    let deadline = Instant::now() + HEARD_WITHIN;
    while is_unknown(platform, calling).await != unknown {
        assert!(
            Instant::now() < deadline,
            "{calling} is still {}",
            if unknown { "let in" } else { "unknown" }
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

// threats.md rows 1, 2
#[tokio::test]
async fn only_registered_machines_from_their_address_are_let_in() {
    let platform = Platform::start(strict()).await;
    assert!(is_unknown(&platform, "CR1").await);
    platform.ae(&["add", "CR1", "127.0.0.0/8"]);
    platform.ae(&["add", "CR2", "127.0.0.2", "192.0.2.0/24"]);
    eventually(&platform, "CR1", false).await;
    assert!(is_unknown(&platform, "CR2").await, "it is registered for another address");
    assert!(is_unknown(&platform, "CR3").await);
    platform.ae(&["set", "CR1", "--enabled", "false"]);
    eventually(&platform, "CR1", true).await;
    platform.ae(&["set", "CR1", "--enabled", "true"]);
    eventually(&platform, "CR1", false).await;
    let (_, listed) = platform.operate(&["ae", "list"]);
    assert!(listed.contains("CR1\t127.0.0.0/8\techo store") && listed.contains("192.0.2.0/24"), "{listed}");
    platform.ae(&["remove", "CR1"]);
    eventually(&platform, "CR1", true).await;
    assert!(!platform.operate(&["ae", "show", "CR1"]).0);
    assert!(
        !platform.operate(&["ae", "add", "CR2", "192.0.2.1"]).0,
        "there is one registration for each title"
    );
    assert!(!platform.operate(&["ae", "add", "CR4", "modality.example"]).0, "names are no addresses");

    // Each refusal is in the audit trail, and the third raised one alert.
    let database = platform.database().await;
    let trail = database.audit_page(0, 1000).await.expect("the trail");
    let of = |outcome, detail: &str| {
        let fits = |record: &&database::AuditRecord| {
            record.action == "associate" && record.outcome == outcome && record.detail.contains(detail)
        };
        trail.iter().map(|row| &row.record).filter(fits).count()
    };
    assert!(of(AuditOutcome::Refused, "calling_ae_title_not_registered") >= 3);
    assert!(of(AuditOutcome::Refused, "address_not_registered") >= 1);
    assert!(of(AuditOutcome::Refused, "registration_disabled") >= 1);
    assert!(of(AuditOutcome::Success, "") >= 2);
    let events = database.outbox_after(0, 1000).await.expect("the outbox");
    let alerts = events.iter().filter(|one| matches!(one.event, Event::SecurityAlerted { .. })).count();
    assert_eq!(alerts, 1);
    database.close().await;
}

// threats.md row 5
#[tokio::test]
async fn a_machine_does_what_it_is_registered_for() {
    let platform = Platform::start(strict()).await;
    platform.ae(&["add", "ECHO", "127.0.0.1", "--operation", "echo"]);
    platform.ae(&["add", "CT", "127.0.0.1", "--sop-class", "1.2.840.10008.5.1.4.1.1.2"]);
    let instance = Synthetic::cr("RIGHTS", 64, 64);
    let file = instance.part10();
    let head = part10::head(&file).expect("a file");
    let data_set = part10::data_set(&file);
    let class = SopClassUid::parse(CR_IMAGE_STORAGE).expect("a UID");
    let syntax = TransferSyntaxUid::parse(EXPLICIT).expect("a UID");
    let uid = SopInstanceUid::parse(&head.sop_instance_uid).expect("a UID");

    let mut echo = associate(&platform, "ECHO").await.expect("let in");
    assert_eq!(echo.echo().await.expect("answered"), 0);
    let stored = echo.store(&class, &uid, &syntax, data_set).await.expect("answered");
    assert_eq!(stored.status, 0x0124);
    assert_eq!(echo.echo().await.expect("answered"), 0, "the association goes on");
    echo.release().await.expect("released");
    assert!(platform.stored_objects().is_empty());

    let ct = associate(&platform, "CT").await.expect("let in");
    assert!(!ct.accepts(&class, &syntax), "another class than it is registered for");
    ct.release().await.expect("released");

    platform.ae(&["set", "ECHO", "--operation", "echo", "--operation", "store", "--associations-max", "1"]);
    let deadline = Instant::now() + HEARD_WITHIN;
    loop {
        let mut echo = associate(&platform, "ECHO").await.expect("let in");
        let stored = echo.store(&class, &uid, &syntax, data_set).await.expect("answered");
        if stored.status == 0 {
            let second = associate(&platform, "ECHO").await;
            assert!(matches!(second, Err(ScuError::Rejected { result: 2, .. })), "one at once");
            echo.release().await.expect("released");
            break;
        }
        echo.release().await.expect("released");
        assert!(Instant::now() < deadline, "{:#06x}", stored.status);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let database = platform.database().await;
    let trail = database.audit_page(0, 1000).await.expect("the trail");
    let refused =
        |row: &&database::AuditRow| row.record.action == "use_operation" && row.record.detail == "store";
    assert!(trail.iter().filter(refused).count() >= 1);
    database.close().await;
}

// threats.md row 2
#[tokio::test]
async fn the_certificate_has_to_be_that_of_the_title() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "site");
    let ours = authority.issue("127.0.0.1", |_| {});
    let options = strict().with_tls(&authority, &ours).with_client_certificates(&authority);
    let platform = Platform::start(options).await;
    let [first, second, third] =
        ["cr1.example", "cr2.example", "cr3.example"].map(|name| authority.issue(name, |_| {}));
    platform.ae(&["add", "CR1", "127.0.0.1", "--certificate", &first.certificate.display().to_string()]);
    platform.ae(&["add", "CR2", "127.0.0.1", "--certificate", "dns:cr2.example"]);
    platform.ae(&["add", "CR3", "127.0.0.1"]);
    let (_, shown) = platform.operate(&["ae", "show", "CR1"]);
    assert!(shown.contains(&first.fingerprint), "{shown}");

    let path = platform.scratch().join("certificate.dcm");
    std::fs::write(&path, Synthetic::cr("CERTIFICATE", 64, 64).part10()).expect("a file");
    let send = |title: &str, identity: &Identity| {
        let text = |path: &PathBuf| path.display().to_string();
        let (key, certificate, root) =
            (text(&identity.key), text(&identity.certificate), text(&authority.file()));
        let arguments = ["-aet", title, "+tls", &key, &certificate, "+cf", &root];
        Dcmtk::storescu(platform.dicom(), &arguments, std::slice::from_ref(&path))
    };
    for (title, identity, is_let_in) in [
        ("CR1", &first, true),
        ("CR2", &second, true),
        ("CR1", &second, false),
        ("CR2", &first, false),
        ("CR2", &third, false),
        // It has none registered, and the door demands one.
        ("CR3", &third, false),
        ("CR4", &first, false),
    ] {
        let sent = send(title, identity);
        assert_eq!(sent.store_status() == Some(0), is_let_in, "{title}: {}", sent.text);
        assert!(is_let_in || sent.text.contains("Calling AE Title Not Recognized"), "{title}: {}", sent.text);
    }
}
