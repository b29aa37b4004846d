//! C-FIND at every level and C-MOVE: Orthanc as a workstation that asks, and as a destination of others.

use std::io::Read as _;

use model::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
use serde_json::{Value, json};
use tests::{
    scu::{Dcmtk, padded},
    wait,
};

use super::*;

/// One C-FIND by Orthanc: where it keeps it, and its answers.
async fn find(orthanc: &Orthanc, level: &str, keys: &Value) -> (String, Vec<Value>) {
    let query = json!({ "Level": level, "Query": keys });
    let said = orthanc.post("/modalities/maxray/query", &query).await;
    let path = said["Path"].as_str().expect("a path").to_owned();
    let mut answers = Vec::new();
    for number in orthanc.get(&format!("{path}/answers")).await.as_array().expect("a list") {
        let number = number.as_str().expect("a number");
        answers.push(orthanc.get(&format!("{path}/answers/{number}/content?simplify")).await);
    }
    (path, answers)
}

fn texts(answers: &[Value], keyword: &str) -> Vec<String> {
    let mut texts: Vec<String> =
        answers.iter().map(|one| one[keyword].as_str().unwrap_or("?").to_owned()).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn orthanc_finds_at_every_level() {
    let (platform, orthanc) = pair(Options::default()).await;
    let first = Synthetic::cr("P1", 8, 8).series(3);
    let other_series = Synthetic { series_instance_uid: tests::synthetic::new_uid(), ..first[2].next() };
    let other_day = Synthetic { study_date: "20260301".to_owned(), ..Synthetic::dx("P2", 8, 8) };
    store(&platform, &[first.clone(), vec![other_series.clone(), other_day.clone()]].concat());
    let (study, series) = (&first[0].study_instance_uid, &first[0].series_instance_uid);

    let (_, found) = find(&orthanc, "Patient", &json!({ "PatientName": "synth*", "PatientID": "" })).await;
    assert_eq!(texts(&found, "PatientID"), ["P1", "P2"]);
    let keys = json!({ "StudyDate": "20260201-", "PatientName": "", "ModalitiesInStudy": "" });
    let (_, found) = find(&orthanc, "Study", &keys).await;
    assert_eq!(texts(&found, "StudyInstanceUID"), [other_day.study_instance_uid.as_str()]);
    assert_eq!(
        (&found[0]["PatientName"], &found[0]["ModalitiesInStudy"]),
        (&json!("Synthetic^P2"), &json!("DX"))
    );
    let keys = json!({ "AccessionNumber": "AP1", "NumberOfStudyRelatedInstances": "" });
    let (_, found) = find(&orthanc, "Study", &keys).await;
    assert_eq!(
        (texts(&found, "StudyInstanceUID"), texts(&found, "NumberOfStudyRelatedInstances")),
        (vec![study.clone()], vec!["4".to_owned()])
    );
    let (_, found) = find(&orthanc, "Series", &json!({ "StudyInstanceUID": study, "Modality": "" })).await;
    let mut expected = vec![series.clone(), other_series.series_instance_uid.clone()];
    expected.sort();
    assert_eq!(texts(&found, "SeriesInstanceUID"), expected);
    let keys = json!({ "StudyInstanceUID": study, "SeriesInstanceUID": series });
    let (_, found) = find(&orthanc, "Instance", &keys).await;
    let mut expected: Vec<String> = first.iter().map(|one| one.sop_instance_uid.clone()).collect();
    expected.sort();
    assert_eq!(texts(&found, "SOPInstanceUID"), expected);
    let (_, found) = find(&orthanc, "Study", &json!({ "PatientID": "NOBODY" })).await;
    assert!(found.is_empty(), "{found:?}");
    // Without the unique key of the level above it is no query (PS3.4 C.4.1.2.1), and who is not let in gets none.
    let series_of_all = json!({ "Level": "Series", "Query": {} });
    let (status, said) = orthanc.try_post("/modalities/maxray/query", &series_of_all).await;
    assert!(status.is_server_error() && said["Details"].to_string().contains("0xA900"), "{status} {said}");
    // Nodes look at the registry now and then.
    platform.ae(&["set", "ORTHANC", "--operation", "echo"]);
    let query = json!({ "Level": "Study", "Query": {} });
    wait::until("a refusal", async || {
        let (status, said) = orthanc.try_post("/modalities/maxray/query", &query).await;
        (status.is_server_error() && said["Details"].to_string().contains("0x0124")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn orthanc_retrieves_what_it_sent() {
    let (_platform, orthanc) = pair(Options::default()).await;
    let sent = fill(&orthanc).await;
    send_all(&orthanc, "maxray").await;
    orthanc.clear().await;
    let (path, found) = find(&orthanc, "Study", &json!({ "PatientName": "" })).await;
    // First one study, then all of them.
    let one = json!({ "TargetAet": "ORTHANC" });
    orthanc.post(&format!("{path}/answers/0/retrieve"), &one).await;
    let first = orthanc.files().await.len();
    assert!(first > 0 && first < sent.len() && found.len() > 1, "{first} of {} studies", found.len());
    orthanc.post(&format!("{path}/retrieve"), &one).await;
    let received = by_instance(orthanc.files().await);
    assert_eq!(received.len(), sent.len());
    for (uid, file) in &sent {
        assert_same(uid, file, &received[uid]);
    }
    orthanc.know("elsewhere", "ELSEWHERE", orthanc.dicom()).await;
    let unknown = orthanc.try_post(&format!("{path}/retrieve"), &json!({ "TargetAet": "ELSEWHERE" })).await;
    assert!(unknown.1["Details"].to_string().contains("0xA801"), "{unknown:?}");
}

/// What is deflated is compared inflated: Orthanc 1.10 deflates it again, into a file as long as it would be without.
fn assert_same(uid: &str, sent: &[u8], received: &[u8]) {
    let (before, after) = (part10::head(sent).expect("a file"), part10::head(received).expect("a file"));
    assert_eq!(after.transfer_syntax_uid, before.transfer_syntax_uid, "{uid}");
    let is_deflated = before.transfer_syntax_uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
    let content = |file| {
        let data_set = part10::data_set(file);
        if is_deflated { inflated(data_set) } else { data_set.to_vec() }
    };
    assert!(content(received) == content(sent), "{uid} is not what was sent");
}

fn inflated(data_set: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = flate2::read::DeflateDecoder::new(data_set).read_to_end(&mut bytes);
    read.expect("a deflated data set");
    bytes
}

#[tokio::test]
async fn orthanc_is_a_destination_of_others() {
    let (platform, orthanc) = pair(Options::default()).await;
    platform.register_ae("MOVESCU", EVERYTHING);
    let instances = Synthetic::cr("P1", 64, 64).series(5);
    store(&platform, &instances);
    let key = format!("0020,000d={}", instances[0].study_instance_uid);
    let keys = ["-S", "-k", "0008,0052=STUDY", "-k", &key];
    let moved = Dcmtk::movescu(platform.dicom(), "ORTHANC", &keys);
    assert!(moved.success && moved.text.contains("Success"), "{}", moved.text);
    let kept = by_instance(orthanc.files().await);
    assert_eq!(kept.len(), instances.len());
    for one in &instances {
        let file = kept.get(&one.sop_instance_uid).expect("an instance");
        assert!(part10::data_set(file) == &*padded(&one.data_set()), "not what was stored");
    }
}
