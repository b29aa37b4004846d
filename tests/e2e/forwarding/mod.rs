//! Rules that send on what is stored: to DCMTK and to another archive, over kills, refusals and destinations that are away.

mod nodes;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tests::{
    ledger::Ledger,
    operator::free_port,
    part10,
    platform::{Engine, Options, Platform},
    scu::{Dcmtk, Dialogue, Pdu, Reference, padded, store},
    synthetic::Synthetic,
    wait,
};

/// Attempts that follow each other within moments.
fn impatient(options: Options) -> Options {
    options
        .with("MAXRAY_PACS__FORWARDING__RETRY_FIRST_MS", "200")
        .with("MAXRAY_PACS__FORWARDING__RETRY_LONGEST_MS", "1000")
}

/// `maxray forward ...`, and what it prints.
fn forward(platform: &Platform, arguments: &[&str]) -> String {
    let (done, text) = platform.operate(&[&["forward"], arguments].concat());
    assert!(done, "maxray forward {arguments:?}: {text}");
    text
}

fn register(platform: &Platform, title: &str, peer: SocketAddr) {
    let port = peer.port().to_string();
    platform.register_ae(title, &["--call-host", "127.0.0.1", "--call-port", &port]);
}

/// A destination that answers the one C-STORE of each association with that status.
fn answering(status: &Arc<AtomicU16>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let status = Arc::clone(status);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut dialogue = Dialogue::accept(stream);
            let request = dialogue.message();
            dialogue.answer_store(&request, status.load(Ordering::Relaxed));
            assert_eq!(dialogue.pdu().kind, 5, "A-RELEASE-RQ");
            dialogue.write(&Pdu { kind: 6, body: vec![0; 4] }.encode());
        }
    });
    address
}

/// Lines of the queue in a state.
fn queue(platform: &Platform, state: &str) -> Vec<String> {
    let text = forward(platform, &["queue", "--state", state, "--limit", "1000"]);
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_a_rule_asks_for_arrives_bit_for_bit() {
    let platform = Platform::start(impatient(Options::default())).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Reference::start(folder.path());
    register(&platform, "CENTRAL", receiver.address());
    let before = Synthetic::cr("P0", 64, 64);
    store(&platform, &[before]);
    forward(&platform, &["add", "crs", "CENTRAL", "--where", "Modality=CR,DX", "--where", "PatientID=P*"]);
    forward(&platform, &["add", "twice", "CENTRAL", "--where", "Modality=CR", "--priority", "high"]);
    forward(&platform, &["add", "other-machine", "CENTRAL", "--from", "CR_ROOM_9"]);
    forward(&platform, &["add", "off", "CENTRAL"]);
    forward(&platform, &["set", "off", "--enabled", "false"]);
    let wanted = [Synthetic::cr("P1", 64, 64), Synthetic::dx("P2", 64, 64)];
    let others = [
        Synthetic { modality: "OT".to_owned(), ..Synthetic::cr("P3", 64, 64) },
        Synthetic { modality: "DX".to_owned(), ..Synthetic::cr("Q4", 64, 64) },
    ];
    store(&platform, &wanted);
    store(&platform, &others);
    let ninth = Synthetic { modality: "OT".to_owned(), ..Synthetic::cr("R5", 64, 64) };
    let file = folder.path().with_extension("dcm");
    std::fs::write(&file, ninth.part10()).expect("a file");
    let stored = Dcmtk::storescu(platform.dicom(), &["-aet", "CR_ROOM_9"], std::slice::from_ref(&file));
    assert!(stored.success, "{}", stored.text);
    std::fs::remove_file(&file).expect("a file of ours");
    let sent = wait::until("three instances", async || {
        Some(queue(&platform, "sent")).filter(|lines| lines.len() == 3)
    });
    sent.await;
    let mut received: Vec<Vec<u8>> =
        receiver.take().iter().map(|file| part10::data_set(file).to_vec()).collect();
    let expected = wanted.iter().chain([&ninth]).map(|one| padded(&one.data_set()).into_owned());
    let mut expected: Vec<Vec<u8>> = expected.collect();
    received.sort();
    expected.sort();
    assert!(received == expected, "{} instances came, or others", received.len());
    assert_eq!((queue(&platform, "pending").len(), queue(&platform, "dead").len()), (0, 0));
    let told = platform.audit_records("forward_instances").await;
    assert!(told.len() == 3 && told.iter().all(|one| one.detail == "to CENTRAL, 1 instances"), "{told:?}");
}

#[tokio::test]
async fn a_rule_that_is_disabled_ends_what_is_under_way() {
    let platform = Platform::start(impatient(Options::default())).await;
    let folder = tempfile::tempdir().expect("a folder");
    // A second for each instance.
    let receiver = Reference::start_busy(folder.path());
    register(&platform, "CENTRAL", receiver.address());
    forward(&platform, &["add", "everything", "CENTRAL"]);
    store(&platform, &Synthetic::cr("P1", 8, 8).series(40));
    wait::until("all of them", async || {
        let (sent, pending) = (queue(&platform, "sent").len(), queue(&platform, "pending").len());
        (sent > 0 && sent + pending == 40).then_some(())
    })
    .await;
    forward(&platform, &["set", "everything", "--enabled", "false"]);
    // Rules are looked at every ten seconds while instances are under way; that takes one a second.
    let mut seen = 0;
    let sent = wait::until("an end of it", async || {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let before = std::mem::replace(&mut seen, queue(&platform, "sent").len());
        (before == seen).then_some(seen)
    });
    let sent = sent.await;
    assert!(sent < 40, "it went on");
    assert_eq!(queue(&platform, "pending").len(), 40 - sent);
    forward(&platform, &["set", "everything", "--enabled", "true"]);
    wait::until("more", async || (queue(&platform, "sent").len() > sent).then_some(())).await;
}

#[tokio::test]
async fn two_archives_are_one_when_both_have_been_away_on_sqlite() {
    two_archives_are_one(Engine::Sqlite).await;
}

#[tokio::test]
async fn two_archives_are_one_when_both_have_been_away_on_postgres() {
    two_archives_are_one(Engine::Postgres).await;
}

async fn two_archives_are_one(engine: Engine) {
    let port = free_port();
    let mut site = Platform::start(impatient(Options::on(engine))).await;
    register(&site, "CENTRAL", SocketAddr::from(([127, 0, 0, 1], port)));
    forward(&site, &["add", "everything", "CENTRAL"]);
    let instances: Vec<Synthetic> =
        (0..20).map(|number| Synthetic::cr(&format!("P{number}"), 512, 512)).collect();
    let ledger = Ledger::default();
    for instance in &instances {
        ledger.acknowledge_synthetic(instance, &instance.data_set());
    }
    store(&site, &instances[..10]);
    // Nobody is there yet.
    wait::until("a failed attempt", async || {
        queue(&site, "pending").iter().any(|line| line.contains(": ")).then_some(())
    })
    .await;
    let mut central = Platform::start(impatient(Options::on(engine))).await;
    // What it gets it sends back: everything is there already, and that is the end of it. Only then is it where it is looked for.
    register(&central, "SITE", site.dicom());
    forward(&central, &["add", "back", "SITE"]);
    central.stop().await;
    central.set("MAXRAY_PACS__LISTEN", &format!("127.0.0.1:{port}"));
    central.restart().await;
    store(&site, &instances[10..]);
    wait::until("the first to arrive", async || queue(&site, "sent").first().map(|_| ())).await;
    site.kill();
    site.restart().await;
    central.ae(&["set", "SITE", "--call-port", &site.dicom().port().to_string()]);
    // What was under way at the kill is taken again when its lease is over.
    wait::until("everything at the centre", async || {
        Some(queue(&site, "sent")).filter(|lines| lines.len() == instances.len())
    })
    .await;
    let reader = central.user("reader", "service").await;
    ledger.check(&reader, "at the centre").await;
    assert_eq!(tests::qido::rows(&reader, "/instances").await.len(), instances.len());
    wait::until("everything back", async || {
        Some(queue(&central, "sent")).filter(|lines| lines.len() == instances.len())
    })
    .await;
    let reader = site.user("reader", "service").await;
    assert_eq!(tests::qido::rows(&reader, "/instances").await.len(), instances.len());
    assert_eq!(queue(&site, "sent").len(), instances.len(), "nothing goes round");
}

#[tokio::test]
async fn what_is_refused_is_given_up_and_sent_again_when_somebody_asks() {
    let site = Platform::start(impatient(Options::default())).await;
    let status = Arc::new(AtomicU16::new(0xC000));
    let central = answering(&status);
    forward(&site, &["add", "everything", "CENTRAL"]);
    store(&site, &[Synthetic::cr("P1", 64, 64)]);
    let waiting = wait::until("an attempt without a destination", async || {
        queue(&site, "pending").pop().filter(|line| line.contains("is not registered with a host and a port"))
    });
    waiting.await;
    register(&site, "CENTRAL", central);
    let dead = wait::until("the end of attempts", async || queue(&site, "dead").pop()).await;
    assert!(dead.contains("it was refused with status 0xC000"), "{dead}");
    status.store(0, Ordering::Relaxed);
    assert_eq!(forward(&site, &["retry"]).trim(), "1 instances are sent again");
    wait::until("the instance", async || queue(&site, "sent").pop()).await;
    // What was there before a rule is not sent by it.
    forward(&site, &["add", "late", "CENTRAL"]);
    // A rule that goes takes what it queued with it.
    forward(&site, &["remove", "everything"]);
    assert_eq!(forward(&site, &["queue"]), "");
}

/// What says something of the destination and nothing of the instance is no refusal, however often it comes.
#[tokio::test]
async fn what_a_destination_does_not_take_now_is_sent_when_it_does() {
    let site = Platform::start(impatient(Options::default())).await;
    let central = Platform::start(Options::default()).await;
    // It may verify and nothing else.
    central.register_ae("MAXRAY", &["--operation", "echo"]);
    register(&site, "CENTRAL", central.dicom());
    forward(&site, &["add", "everything", "CENTRAL"]);
    store(&site, &[Synthetic::cr("P1", 64, 64)]);
    let attempts = |line: &str| {
        let number = line.split(", ").find_map(|part| part.strip_suffix(" attempts"));
        number.and_then(|number| number.parse::<u32>().ok()).unwrap_or_default()
    };
    let waiting = wait::until("more attempts than there may be refusals", async || {
        queue(&site, "pending").pop().filter(|line| attempts(line) > 4)
    });
    let waiting = waiting.await;
    assert!(waiting.contains("it was refused with status 0x0124"), "{waiting}");
    central.ae(&["set", "MAXRAY", "--operation", "echo", "--operation", "store"]);
    wait::until("the instance", async || queue(&site, "sent").pop()).await;
    let reader = central.user("reader", "service").await;
    assert_eq!(tests::qido::rows(&reader, "/instances").await.len(), 1);
}

/// The index is made again from the objects: nothing of it is stored for the first time, and what waits goes on to wait.
#[tokio::test]
async fn what_comes_back_from_the_objects_is_not_sent_on_again() {
    let mut platform = Platform::start(impatient(Options::default())).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Reference::start(folder.path());
    register(&platform, "CENTRAL", receiver.address());
    forward(&platform, &["add", "everything", "CENTRAL"]);
    forward(&platform, &["add", "elsewhere", "NOBODY", "--where", "PatientID=P1"]);
    store(&platform, &[Synthetic::cr("P1", 64, 64)]);
    wait::until("the instance", async || (queue(&platform, "sent").len() == 1).then_some(())).await;
    assert!(platform.stop().await.success());
    let (done, said) = platform.operate(&["reindex", "--replace-index"]);
    assert!(done && said.contains("indexed 1 instances"), "{said}");
    platform.restart().await;
    let second = Synthetic::cr("P2", 64, 64);
    store(&platform, std::slice::from_ref(&second));
    // The other one would come before it.
    let sent = wait::until("the second", async || {
        Some(queue(&platform, "sent"))
            .filter(|lines| lines.iter().any(|line| line.contains(&second.sop_instance_uid)))
    });
    assert_eq!(sent.await.len(), 1, "what was there before was sent on again");
    assert_eq!(receiver.take().len(), 2);
    let waiting = queue(&platform, "pending");
    assert!(waiting.len() == 1 && waiting[0].contains("NOBODY"), "{waiting:?}");
}

#[tokio::test]
async fn who_does_not_answer_is_asked_for_all_that_waits_together() {
    let options = Options::default().with("MAXRAY_PACS__FORWARDING__RETRY_FIRST_MS", "600000");
    let platform = Platform::start(options).await;
    // It takes connections and ends them.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    register(&platform, "CENTRAL", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    forward(&platform, &["add", "everything", "CENTRAL"]);
    // More than three associations take.
    store(&platform, &Synthetic::cr("P1", 8, 8).series(160));
    wait::until("attempts that failed", async || {
        Some(queue(&platform, "pending")).filter(|lines| lines.iter().any(|line| line.contains("1 attempts")))
    })
    .await;
    // Some more looks at what is due.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (asked, waiting) = (asked.load(Ordering::Relaxed), queue(&platform, "pending"));
    assert!((1..=3).contains(&asked), "{asked} connections");
    let untouched = waiting.iter().filter(|line| line.contains(", 0 attempts,")).count();
    assert!(waiting.len() == 160 && untouched >= 100, "{untouched} of {} were not tried", waiting.len());
}

#[tokio::test]
async fn rules_that_cannot_be_are_refused_with_what_would_be_right() {
    let platform = Platform::start(Options::default()).await;
    for (arguments, said) in [
        (&["add", "x", "CENTRAL", "--where", "Modalty=CR"][..], "Modalty is no attribute that is matched on"),
        (&["add", "x", "CENTRAL", "--where", "StudyDate=yesterday"], "StudyDate expected a date YYYYMMDD"),
        (&["add", "x", "CENTRAL", "--where", "CR"], "expected KEYWORD=VALUE"),
        (&["add", "x", "A\\B"], "invalid value"),
        (&["add", "x", "CENTRAL", "--priority", "urgent"], "low, medium, high"),
        (&["remove", "x"], "there is no rule x"),
    ] {
        let output = platform.command(&[&["forward"], arguments].concat()).output().expect("maxray runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(said), "{arguments:?}: {text}");
    }
    assert!(
        forward(&platform, &["add", "x", "CENTRAL"]).contains("maxray ae add CENTRAL ADDRESS --call-host")
    );
    let again = platform.command(&["forward", "add", "x", "CENTRAL"]).output().expect("maxray runs");
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is a rule of this name: x"));
}
