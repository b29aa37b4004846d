//! pynetdicom's programs, as somebody runs them who tries a server out: echoscu, storescu, findscu, getscu, movescu.

use serde_json::Value;
use tests::{operator::free_port, python};

use super::*;

/// Asks by C-FIND as the AE `PYNET`: what came of each query, as `find_check.py` says it.
pub(super) fn find(platform: &Platform, queries: &Value) -> Vec<Value> {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/find_check.py");
    let port = platform.dicom().port().to_string();
    let said = python::run(&script, &[&port, "PYNET", &queries.to_string()]);
    let answers: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(Some(answers.len()), queries.as_array().map(Vec::len), "{said}");
    answers
}

/// Runs one; what it said. Their exit status says nothing of what was answered.
fn program(platform: &Platform, arguments: &[&str]) -> String {
    let port = platform.dicom().port().to_string();
    let peer = ["-v", "-aet", "PYNET", "-aec", "MAXRAY", "127.0.0.1", &port];
    // Paths come last.
    let (before, paths): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|one| !one.starts_with('/'));
    let (ended, text) = python::pynetdicom(&[&before[..], &peer, &paths].concat());
    assert!(ended, "{arguments:?}: {text}");
    text
}

#[tokio::test]
async fn every_program_of_pynetdicom_is_served() {
    let everything = [FINDS, RETRIEVES, &["--operation", "store", "--operation", "worklist"]].concat();
    let platform = platform(Options::default(), &[("PYNET", &everything)]).await;
    // Before the first association: the server looks at its registry only every two seconds.
    let port = free_port().to_string();
    platform.register_ae("STORESCP", &["--call-host", "127.0.0.1", "--call-port", &port]);

    let text = program(&platform, &["echoscu", "--repeat", "3"]);
    assert_eq!(text.matches("Received Echo Response (Status: 0x0000").count(), 3, "{text}");

    let made = [Synthetic::cr("P1", 32, 32), Synthetic::cr("P2", 32, 32)];
    let folder = platform.scratch().join("send");
    std::fs::create_dir(&folder).expect("a folder");
    for one in &made {
        std::fs::write(folder.join(&one.patient_id), one.part10()).expect("a file");
    }
    let text = program(&platform, &["storescu", "-cx", &folder.display().to_string()]);
    assert_eq!(text.matches("Received Store Response (Status: 0x0000").count(), 2, "{text}");

    let study = format!("StudyInstanceUID={}", made[0].study_instance_uid);
    for (model, level, key, answers) in [
        ("-P", "PATIENT", "PatientID=P*", 2),
        ("-S", "STUDY", "PatientName=SYNTHETIC^P2", 1),
        ("-S", "SERIES", &*study, 1),
        ("-O", "STUDY", "PatientID=P1", 1),
    ] {
        let level = format!("QueryRetrieveLevel={level}");
        let text = program(&platform, &["findscu", model, "-k", &level, "-k", key]);
        assert_eq!(text.matches("0xFF00 (Pending)").count(), answers, "{model} {level} {key}: {text}");
        assert!(text.contains("Find SCP Result: 0x0000"), "{text}");
    }
    let text = program(&platform, &["findscu", "-W", "-k", "PatientID="]);
    assert!(text.contains("Find SCP Result: 0x0000"), "{text}");

    let (got, moved) = (platform.scratch().join("got"), platform.scratch().join("moved"));
    let keys = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", &study];
    // `=`, or it were a path.
    let into = |folder: &std::path::Path| format!("--output-directory={}", folder.display());
    let text = program(&platform, &[&["getscu", &into(&got)], &keys[..]].concat());
    assert!(text.contains("Get SCP Result: 0x0000") && text.contains("Completed: 1"), "{text}");
    let listens = ["--store", "--store-port", &port, "--store-aet", "STORESCP", "-aem", "STORESCP"];
    let text = program(&platform, &[&["movescu", &into(&moved)], &listens[..], &keys].concat());
    assert!(text.contains("Move SCP Result: 0x0000") && text.contains("Completed: 1"), "{text}");
    for folder in [got, moved] {
        let files = data_sets(files_in(&folder));
        assert_eq!(files.len(), 1, "{}", folder.display());
        let data_set = made[0].data_set();
        assert!(
            files.get(&made[0].sop_instance_uid) == Some(&data_set),
            "{}: not what was sent",
            folder.display()
        );
    }
}
