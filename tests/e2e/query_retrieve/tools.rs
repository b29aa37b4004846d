//! `maxray echo`, `maxray send`, `maxray query`, and DCMTK's findscu and termscu against the same server.

use tests::scu::Dcmtk;

use super::*;

#[tokio::test]
async fn this_program_is_a_client_too() {
    let platform = platform(Options::default(), &[("CLIENT", FINDS)]).await;
    let port = platform.dicom().port().to_string();
    platform.register_ae("MAXRAY", &["--call-host", "127.0.0.1", "--call-port", &port]);
    let there = format!("MAXRAY@127.0.0.1:{port}");
    for target in ["MAXRAY", &there] {
        let (answered, text) = platform.operate(&["echo", target]);
        assert!(answered && text.contains("answers"), "{text}");
    }
    let folder = platform.scratch().join("send");
    std::fs::create_dir_all(folder.join("deeper")).expect("a folder");
    let made = Synthetic::cr("P1", 8, 8).series(2);
    std::fs::write(folder.join("one.dcm"), made[0].part10()).expect("a file");
    std::fs::write(folder.join("deeper/two.dcm"), made[1].part10()).expect("a file");
    let directory = folder.display().to_string();
    let (sent, text) = platform.operate(&["send", &there, &directory, "--calling", "SENDER"]);
    assert!(sent && text.contains("2 of 2 sent"), "{text}");
    std::fs::write(folder.join("no.dcm"), "not DICOM").expect("a file");
    let (sent, text) = platform.operate(&["send", &there, &directory]);
    assert!(!sent && text.contains("2 of 3 sent") && text.contains("no.dcm"), "{text}");

    let query = |arguments: &[&str]| {
        platform.operate(&[&["query", &there, "--calling", "CLIENT"], arguments].concat())
    };
    let (found, text) = query(&["-k", "PatientName=synth*", "-k", "00080050"]);
    assert!(
        found && text.contains("1 found") && text.contains("AP1") && text.contains("Synthetic^P1"),
        "{text}"
    );
    let study = format!("StudyInstanceUID={}", made[0].study_instance_uid);
    let series = format!("SeriesInstanceUID={}", made[0].series_instance_uid);
    let (found, text) = query(&["--level", "instance", "-k", &study, "-k", &series, "--json"]);
    assert!(found && text.contains("2 found") && text.contains(&made[1].sop_instance_uid), "{text}");
    let (found, text) = query(&["--level", "instance", "-k", &study, "-k", &series, "--limit", "1"]);
    assert!(found && text.contains("1 found"), "{text}");
    let (found, text) = query(&["--level", "series"]);
    assert!(!found && text.contains("0xa900"), "{text}");
    for wrong in [&["query", "MAXRAY", "-k", "Nonsense"][..], &["echo", "STRANGER"], &["echo", "X@127.0.0.1"]]
    {
        assert!(!platform.operate(wrong).0, "{wrong:?}");
    }
    let (found, text) = platform.operate(&["query", &there, "--calling", "NOBODY"]);
    assert!(!found && text.contains("0x0124"), "{text}");
}

#[tokio::test]
async fn dcmtk_queries_and_does_not_end_the_server() {
    let platform = platform(Options::default(), &[("FINDSCU", FINDS)]).await;
    store(&platform, &[Synthetic::cr("P1", 8, 8), Synthetic::cr("P2", 8, 8), Synthetic::dx("P3", 8, 8)]);
    let keys = ["-S", "-k", "0008,0052=STUDY", "-k", "0010,0010", "-k", "0008,0061=CR", "-k", "0020,1208"];
    let found = Dcmtk::findscu(platform.dicom(), &keys);
    assert!(found.success, "{}", found.text);
    assert_eq!(found.text.matches("(Pending)").count(), 2, "{}", found.text);
    assert!(found.text.contains("[Synthetic^P2") && !found.text.contains("P3"), "{}", found.text);
    for model in ["-P", "-O"] {
        let keys = [model, "-k", "0008,0052=PATIENT", "-k", "0010,0020=P3", "-k", "0010,0010"];
        let found = Dcmtk::findscu(platform.dicom(), &keys);
        assert!(found.success && found.text.matches("(Pending)").count() == 1, "{}", found.text);
    }
    let cancelled = Dcmtk::findscu(platform.dicom(), &[&["--cancel", "1"], &keys[..]].concat());
    assert!(cancelled.success, "{}", cancelled.text);
    // A private SOP class of DCMTK that asks a server to end.
    let port = platform.dicom().port().to_string();
    let output = std::process::Command::new("termscu").args(["127.0.0.1", &port]).output();
    output.expect("termscu: run ./test, it installs DCMTK");
    assert!(Dcmtk::echoscu(platform.dicom()).success);
}
