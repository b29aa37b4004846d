//! `maxray import` and `maxray send` of what people have: a patient CD with its DICOMDIR, one file, a folder that cannot be read to its end.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use tests::{
    fixtures,
    platform::{Options, Platform},
    synthetic::Synthetic,
};

#[tokio::test]
async fn a_patient_cd_is_imported_and_sent() {
    let mut platform = Platform::prepare(Options::default());
    let cd = fixtures::folder().join("pydicom_dicomdir").display().to_string();
    let (done, text) = platform.operate(&["import", &cd]);
    let all = "stored 10, duplicates 0, conflicts 0, refused 0, unreadable 0, DICOMDIR 1, not DICOM 0,";
    assert!(done && text.contains(all), "{text}");
    let (done, text) = platform.operate(&["import", &cd]);
    assert!(done && text.contains("DICOMDIR 1,") && text.contains("earlier import 10"), "{text}");
    platform.restart().await;
    let there = format!("MAXRAY@{}", platform.dicom());
    let (done, text) = platform.operate(&["send", &there, &cd]);
    assert!(done && text.contains("10 of 10 sent") && text.contains("DICOMDIR 1"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_the_rest_is_stored() {
    let mut platform = Platform::prepare(Options::default());
    let folder = platform.scratch().canonicalize().expect("a path").join("found");
    fs::create_dir(&folder).expect("a folder");
    let one = folder.join("one.dcm");
    fs::write(&one, Synthetic::cr("P1", 8, 8).part10()).expect("a file");
    let names = out_of_reach(&folder);
    let (folder, one) = (folder.display().to_string(), one.display().to_string());

    let (done, text) = platform.operate(&["import", &folder]);
    assert!(!done && text.contains("stored 1,") && text.contains("unreadable 2,"), "{text}");
    assert!(names.iter().all(|name| text.contains(&format!("{name} cannot be read"))), "{text}");
    let (done, text) = platform.operate(&["import", &one]);
    assert!(done && text.contains("duplicates 1,"), "{text}");
    let (done, text) = platform.operate(&["import", &format!("{folder}/nowhere")]);
    assert!(!done && text.contains("nowhere cannot be read"), "{text}");

    platform.restart().await;
    let there = format!("MAXRAY@{}", platform.dicom());
    let (done, text) = platform.operate(&["send", &there, &folder]);
    assert!(!done && text.contains("1 of 2 sent") && text.contains("unreadable 2,"), "{text}");
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
}

/// Makes folders until their paths are as long as the kernel takes them (PATH_MAX), and a folder and a file beyond, which nobody opens
/// by their paths, root neither. Gives their names.
fn out_of_reach(root: &Path) -> [String; 2] {
    const PATH_LENGTH_MAX: usize = 4_095;
    let [step, folder, file] = ["step", "folder", "file"].map(|name| format!("{name:x<200}"));
    let (read, mine) = (OFlags::RDONLY | OFlags::DIRECTORY, Mode::RWXU);
    let mut here = openat(CWD, root, read, Mode::empty()).expect("a folder");
    let mut length = root.as_os_str().len();
    while length + 1 + step.len() <= PATH_LENGTH_MAX {
        mkdirat(&here, &step, mine).expect("a folder");
        here = openat(&here, &step, read, Mode::empty()).expect("the same folder");
        length += 1 + step.len();
    }
    mkdirat(&here, &folder, mine).expect("a folder");
    let beyond = openat(&here, &file, OFlags::CREATE | OFlags::WRONLY, Mode::RUSR | Mode::WUSR);
    File::from(beyond.expect("a file")).write_all(b"anything").expect("written");
    [folder, file]
}
