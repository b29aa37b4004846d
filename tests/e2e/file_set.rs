//! PS3.18 8.7.3, `application/zip`: a study as a file-set that Python's zipfile unpacks and pydicom reads by its DICOMDIR.

use reqwest::{Method, StatusCode};
use tests::{
    fixtures, multipart,
    platform::{Options, Platform},
    python,
    synthetic::Synthetic,
};

/// What an independent reader finds: files, records, the studies and series of the directory, and each file by its UID.
const CHECK: &str = r#"
import sys, zipfile
from pathlib import Path
from pydicom import dcmread
from pydicom.fileset import FileSet
archive, folder = zipfile.ZipFile(sys.argv[1]), Path(sys.argv[2])
assert archive.testzip() is None, "a file is damaged"
archive.extractall(folder)
fs = FileSet(dcmread(folder / "DICOMDIR"))
found = list(fs)
for instance in fs:
    ds = instance.load()
    assert ds.SOPInstanceUID == instance.SOPInstanceUID, instance.path
    assert ds.file_meta.TransferSyntaxUID == instance.ReferencedTransferSyntaxUIDInFile, instance.path
    assert str(ds.PatientName) == str(instance.PatientName), instance.path
print(len(archive.namelist()), len(found), len(fs.find_values("StudyInstanceUID")), len(fs.find_values("SeriesInstanceUID")))
"#;

#[tokio::test]
async fn a_study_as_a_file_set() {
    let platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let compressed = fixtures::file("pydicom/JPEG2000.dcm").read();
    let one = Synthetic::cr("ZIP-1", 64, 48);
    let (mut two, mut three) = (Synthetic::cr("ZIP-1", 64, 48), Synthetic::cr("ZIP-1", 32, 32));
    for other in [&mut two, &mut three] {
        other.study_instance_uid.clone_from(&one.study_instance_uid);
    }
    three.series_instance_uid.clone_from(&one.series_instance_uid);
    let files = [one.part10(), two.part10(), three.part10(), compressed];
    for file in &files {
        let request = service
            .request(Method::POST, "/dicomweb/studies")
            .header("Content-Type", multipart::content_type("kit"))
            .body(multipart::encode("kit", &[file]));
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK);
    }
    let head = tests::part10::head(&files[3]).expect("Part 10");
    let place = tests::qido::locate(&service, &head.sop_instance_uid).await.expect("stored");
    let study = format!("/dicomweb/studies/{}", one.study_instance_uid);
    let other = format!("/dicomweb/studies/{}", place.study_instance_uid);
    for (number, path, accept, expected) in [
        (1, study.clone(), "application/zip", "4 3 1 2"),
        (
            2,
            format!("{study}/series/{}", one.series_instance_uid),
            "application/zip; transfer-syntax=*",
            "3 2 1 1",
        ),
        (3, study, "application/zip; transfer-syntax=1.2.840.10008.1.2.4.80", "4 3 1 2"),
        (4, other.clone(), "application/zip; transfer-syntax=*", "2 1 1 1"),
        (5, other, "application/zip", "2 1 1 1"),
    ] {
        let answer = service.get_as(&path, accept).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path} {accept}");
        assert_eq!(answer.headers()["content-type"], "application/zip");
        let scratch = platform.scratch().join(format!("set-{number}"));
        std::fs::create_dir_all(&scratch).expect("a folder");
        let file = scratch.join("study.zip");
        std::fs::write(&file, answer.bytes().await.expect("a body")).expect("written");
        let arguments = [file.display().to_string(), scratch.join("files").display().to_string()];
        let found = python::run_text(CHECK, &arguments.each_ref().map(String::as_str));
        assert_eq!(found.trim(), expected, "{path} {accept}");
    }
}
