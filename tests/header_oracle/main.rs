//! PS3.18 Annex F: the header reader against pydicom, tag by tag, over every file of the test data.
//!
//! The interpreter comes from `MAXRAY_TEST_PYTHON`, the files from `MAXRAY_TEST_DATA`, else from `../shared/data/dicom`
//! beside the repository, else from `tests/fixtures`.

mod compare;
mod differences;
mod ours;
mod pydicom;

use std::path::{Path, PathBuf};

use compare::Difference;
use ours::Ours;

#[test]
fn reads_what_pydicom_reads() {
    let directory = data_directory();
    let files = files_below(&directory);
    assert!(!files.is_empty(), "no files below {}", directory.display());
    let answers = pydicom::read_all(&files);
    let (mut compared, mut refused, mut problems) = (0, 0, Vec::new());
    for (file, answer) in files.iter().zip(&answers) {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = std::fs::read(file).expect("readable file");
        match ours::read(&bytes) {
            Ours::Read(read) => {
                compared += 1;
                let found = compare::compare(&read, &bytes, answer);
                problems.extend(found.into_iter().filter(|difference| !is_justified(&name, difference)).map(
                    |difference| {
                        format!("{}: {difference}", file.strip_prefix(&directory).unwrap_or(file).display())
                    },
                ));
            }
            Ours::Refused(error) => {
                refused += 1;
                eprintln!("refused {name}: {error}");
                if !differences::REFUSED
                    .iter()
                    .any(|(file, reason, _)| *file == name && error.contains(reason))
                {
                    problems.push(format!("{name}: refused: {error}"));
                }
            }
        }
    }
    eprintln!("{compared} files compared, {refused} refused");
    assert!(problems.is_empty(), "{} differences:\n{}", problems.len(), problems.join("\n"));
}

fn is_justified(name: &str, difference: &Difference) -> bool {
    differences::JUSTIFIED.iter().any(|justified| {
        assert!(!justified.reason.is_empty());
        justified.covers(name, difference)
    })
}

#[expect(clippy::disallowed_methods, reason = "where the test data are is not the server's configuration")]
fn data_directory() -> PathBuf {
    if let Ok(directory) = std::env::var("MAXRAY_TEST_DATA") {
        return PathBuf::from(directory);
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = repository.join("../shared/data/dicom");
    if shared.is_dir() { shared } else { repository.join("tests/fixtures") }
}

/// All files below `directory` that are not tables or texts, sorted.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("readable directory") {
            let path = entry.expect("readable entry").path();
            let is_text = path.extension().is_some_and(|extension| {
                ["csv", "md", "txt", "json", "toml"].iter().any(|text| extension == *text)
            });
            if path.is_dir() {
                directories.push(path);
            } else if !is_text {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
