//! C-ECHO, C-STORE and C-FIND in both directions, and forwarding to Orthanc.

use serde_json::json;
use tests::{ledger::retrieve, qido::locate, scu::padded, wait};

use super::*;

#[tokio::test]
async fn each_verifies_the_other() {
    let (platform, orthanc) = pair(Options::default()).await;
    orthanc.post("/modalities/maxray/echo", &json!({})).await;
    let (answered, text) = platform.operate(&["echo", "ORTHANC"]);
    assert!(answered && text.contains("ORTHANC at 127.0.0.1:"), "{text}");
    platform.ae(&["set", "ORTHANC", "--enabled", "false"]);
    // Nodes look at the registry now and then.
    wait::until("a refusal", async || {
        let (status, _) = orthanc.try_post("/modalities/maxray/echo", &json!({})).await;
        status.is_server_error().then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_orthanc_sends_is_kept_bit_for_bit() {
    let (platform, orthanc) = pair(Options::default()).await;
    let sent = fill(&orthanc).await;
    send_all(&orthanc, "maxray").await;
    let reader = platform.user("reader", "service").await;
    for (uid, file) in &sent {
        let place = locate(&reader, uid).await.unwrap_or_else(|| panic!("{uid} is not there"));
        let kept = retrieve(&reader, &place, uid).await.unwrap_or_else(|why| panic!("{uid}: {why}"));
        let (kept_head, head) = (part10::head(&kept), part10::head(file));
        let syntax = |head: Option<part10::Head>| head.expect("a Part 10 file").transfer_syntax_uid;
        assert_eq!(syntax(kept_head), syntax(head), "{uid}");
        assert!(part10::data_set(&kept) == part10::data_set(file), "{uid} is not what was sent");
    }
    // Once more, as Orthanc does when somebody presses the button twice.
    send_all(&orthanc, "maxray").await;
    assert_eq!(tests::qido::rows(&reader, "/instances").await.len(), sent.len());
}

#[tokio::test]
async fn orthanc_is_queried_and_sent_to() {
    let (platform, orthanc) = pair(Options::default()).await;
    let made = Synthetic { patient_name: "Doe^Jane".to_owned(), ..Synthetic::cr("P1", 64, 64) }.series(2);
    let folder = platform.scratch().join("send");
    std::fs::create_dir(&folder).expect("a folder");
    for (number, one) in made.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}.dcm")), one.part10()).expect("a file");
    }
    let (sent, text) = platform.operate(&["send", "ORTHANC", &folder.display().to_string()]);
    assert!(sent && text.contains("2 of 2 sent"), "{text}");
    let kept = by_instance(orthanc.files().await);
    for one in &made {
        let file = kept.get(&one.sop_instance_uid).expect("an instance");
        assert!(part10::data_set(file) == &*padded(&one.data_set()), "not what was sent");
    }
    let (study, series) = (&made[0].study_instance_uid, &made[0].series_instance_uid);
    let (of_study, of_series) = (format!("StudyInstanceUID={study}"), format!("SeriesInstanceUID={series}"));
    for (arguments, count, contains) in [
        (&["-k", "PatientName=DOE*"][..], 1, study),
        (&["-k", "PatientName=NOBODY*"], 0, &"0 found".to_owned()),
        (&["--level", "series", "-k", &of_study], 1, series),
        (&["--level", "instance", "-k", &of_study, "-k", &of_series], 2, &made[1].sop_instance_uid),
    ] {
        let (found, text) = platform.operate(&[&["query", "ORTHANC"], arguments].concat());
        assert!(
            found && text.contains(&format!("{count} found")) && text.contains(contains.as_str()),
            "{arguments:?}: {text}"
        );
    }
}

#[tokio::test]
async fn what_a_rule_sends_to_orthanc_waits_while_it_is_away() {
    let options = Options::default()
        .with("MAXRAY_PACS__FORWARDING__RETRY_FIRST_MS", "200")
        .with("MAXRAY_PACS__FORWARDING__RETRY_LONGEST_MS", "500");
    let (platform, mut orthanc) = pair(options).await;
    let (made, text) = platform.operate(&["forward", "add", "everything", "ORTHANC"]);
    assert!(made, "{text}");
    let queued = |state: &str| {
        let (_, text) = platform.operate(&["forward", "queue", "--state", state, "--limit", "1000"]);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let instances = Synthetic::cr("P1", 64, 64).series(6);
    store(&platform, &instances[..3]);
    wait::until("the first to arrive", async || (queued("sent").len() == 3).then_some(())).await;
    orthanc.stop().await;
    store(&platform, &instances[3..]);
    wait::until("a failed attempt", async || {
        queued("pending").iter().any(|line| line.contains("1 attempts")).then_some(())
    })
    .await;
    orthanc.start_again().await;
    wait::until("all to arrive", async || (queued("sent").len() == 6).then_some(())).await;
    let kept = by_instance(orthanc.files().await);
    assert_eq!(kept.len(), instances.len());
    for one in &instances {
        let file = kept.get(&one.sop_instance_uid).expect("an instance");
        assert!(part10::data_set(file) == &*padded(&one.data_set()), "not what was stored");
    }
}
