//! PS3.18 8.7.3.5, transfer syntaxes on the way out: every file in every syntax that is offered for it, compared with
//! pydicom attribute by attribute and sample by sample.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    fixtures::{self, Fixture},
    multipart, part10,
    platform::{Options, Platform},
    python, qido,
    session::Session,
};

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const JPEG: &str = "1.2.840.10008.1.2.4.50";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";
/// HTJ2K without it is the same to the byte.
const HTJ2K_RPCL: &str = "1.2.840.10008.1.2.4.202";
const RLE: &str = "1.2.840.10008.1.2.5";
const TARGETS: [&str; 7] = [EXPLICIT, IMPLICIT, RLE, JPEG_LS, JPEG_2000, HTJ2K_RPCL, JPEG];

/// Stored forms whose decoders may round differently by a little.
const LOSSY: &[&str] = &[
    JPEG,
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.111",
];

/// A file that was stored, and where it is.
struct Stored {
    fixture: Fixture,
    path: String,
    transfer_syntax_uid: String,
}

/// Archives that are filled: files that claim one SOP Instance UID need one each.
const ROUNDS_MAX: usize = 20;

#[tokio::test]
async fn every_file_in_every_transfer_syntax() {
    let mut tally = Tally::default();
    let mut left = fixtures::all();
    let mut rounds = 0;
    while !left.is_empty() {
        assert!(rounds < ROUNDS_MAX, "{} files are left: {:?}", left.len(), left[0].name);
        let platform = Platform::start(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")).await;
        let service = platform.user("service", "service").await;
        let scratch = platform.scratch().join("transcoded");
        std::fs::create_dir_all(&scratch).expect("a folder");
        let (stored, postponed) = store_all(&service, left).await;
        let requests = ask_for_all(&service, &stored, &scratch, &mut tally).await;
        tally.judge(&requests, &compare(&requests));
        left = postponed;
        rounds += 1;
    }
    println!("{} archives; {:?} files; {:?}", rounds, tally.made, tally.verdicts);
    assert!(tally.different.is_empty(), "{} differ: {:#?}", tally.different.len(), tally.different);
    let equal = tally.verdicts.get("equal").copied().unwrap_or(0);
    let all: usize = tally.verdicts.values().sum();
    assert!(equal * 10 >= all * 9, "only {equal} of {all} could be compared");
    for target in TARGETS {
        assert!(tally.made.get(target).is_some_and(|made| *made >= 5), "{target}: {:?}", tally.made);
    }
}

#[derive(Default)]
struct Tally {
    made: BTreeMap<&'static str, usize>,
    verdicts: BTreeMap<String, usize>,
    different: Vec<String>,
}

impl Tally {
    fn judge(&mut self, requests: &[Value], verdicts: &[Value]) {
        assert_eq!(verdicts.len(), requests.len(), "every file is judged");
        for found in verdicts {
            let verdict = found["verdict"].as_str().unwrap_or_default();
            *self.verdicts.entry(verdict.to_owned()).or_default() += 1;
            let line = format!("{}: {}", found["name"], found["text"]);
            match verdict {
                "different" => self.different.push(line),
                "unknown" => println!("unknown to pydicom: {line}"),
                _ => {}
            }
        }
    }
}

/// Asks for every file in every form, and writes down what came.
async fn ask_for_all(service: &Session, stored: &[Stored], scratch: &Path, tally: &mut Tally) -> Vec<Value> {
    let mut requests = Vec::new();
    for (number, file) in stored.iter().enumerate() {
        for target in TARGETS {
            let accept = format!("application/dicom; transfer-syntax={target}");
            let answer = service.get_as(&file.path, &accept).await;
            let name = format!("{} to {target}", file.fixture.name);
            if answer.status() == StatusCode::NOT_ACCEPTABLE {
                let problem: Value = answer.json().await.expect("a problem");
                assert!(problem["detail"].as_str().is_some_and(|text| text.len() > 20), "{name}: {problem}");
                continue;
            }
            assert_eq!(answer.status(), StatusCode::OK, "{name}");
            let bytes = answer.bytes().await.unwrap_or_else(|error| panic!("{name}: {error}"));
            let head = part10::head(&bytes).unwrap_or_else(|| panic!("{name}: no Part 10 file"));
            assert_eq!(head.transfer_syntax_uid, target, "{name}");
            *tally.made.entry(target).or_default() += 1;
            let after = scratch.join(format!("{number}-{target}.dcm"));
            std::fs::write(&after, &bytes).expect("written");
            let exact = target != JPEG && !LOSSY.contains(&file.transfer_syntax_uid.as_str());
            let levels = if target == JPEG { 4.0 } else { 1.0 };
            requests.push(json!({
                "name": name, "before": file.fixture.path, "after": after, "exact": exact, "levels": levels,
            }));
        }
    }
    requests
}

/// Stores every file that the archive takes. Those that another one with the same UID stands before are given back.
async fn store_all(service: &Session, fixtures: Vec<Fixture>) -> (Vec<Stored>, Vec<Fixture>) {
    let (mut stored, mut postponed) = (Vec::new(), Vec::new());
    for fixture in fixtures {
        let bytes = fixture.read();
        let Some(head) = part10::head(&bytes) else { continue };
        let request = service
            .request(Method::POST, "/dicomweb/studies")
            .header("Content-Type", multipart::content_type("kit"))
            .body(multipart::encode("kit", &[&bytes]));
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let uid = qido::text(&answer["00081199"]["Value"][0], "00081155");
        if uid.is_empty() {
            continue;
        }
        let place = qido::locate(service, &uid).await.expect("what was stored is found");
        let path = format!(
            "/dicomweb/studies/{}/series/{}/instances/{uid}",
            place.study_instance_uid, place.series_instance_uid
        );
        let kept = service.get_as(&path, "application/dicom; transfer-syntax=*").await;
        let kept = kept.bytes().await.expect("a body");
        if part10::data_set(&kept) == part10::data_set(&bytes) {
            stored.push(Stored { fixture, path, transfer_syntax_uid: head.transfer_syntax_uid });
        } else {
            postponed.push(fixture);
        }
    }
    (stored, postponed)
}

fn compare(requests: &[Value]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/compare_transcoded.py");
    let mut child = Command::new(python::interpreter())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut input = child.stdin.take().expect("a pipe");
    let mut lines = requests.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    lines.push('\n');
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("python ends");
    writer.join().expect("a writer").expect("python reads");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a verdict")).collect()
}
