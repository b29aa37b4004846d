//! The files below a directory, and which of them look like DICOM.

use std::{fs, io, path::Path, path::PathBuf, time::UNIX_EPOCH};

/// Length of the preamble and the four letters after it (PS3.10 7.1).
const PREAMBLE_LENGTH_BYTES: usize = 128;

/// A file that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub path: PathBuf,
    pub length_bytes: u64,
    pub modified_ns: u128,
}

/// Every regular file below `root`, in a stable order; symbolic links are not followed.
pub fn files_below(root: &Path) -> io::Result<Vec<Candidate>> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if metadata.is_file() {
                let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                files.push(Candidate {
                    path: entry.path(),
                    length_bytes: metadata.len(),
                    modified_ns: modified.as_nanos(),
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// A DICM mark after the preamble, or a data set that begins with group 0002 or 0008 in either byte order.
pub fn looks_like_dicom(head: &[u8]) -> bool {
    let marked = head.get(PREAMBLE_LENGTH_BYTES..PREAMBLE_LENGTH_BYTES + 4) == Some(b"DICM");
    marked || matches!(head.get(..4), Some([2 | 8, 0, _, 0] | [0, 2 | 8, 0, _]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_files_in_order_and_knows_dicom() {
        let root = tempfile::tempdir().expect("directory");
        fs::create_dir(root.path().join("b")).expect("directory");
        fs::write(root.path().join("b/2"), "x").expect("file");
        fs::write(root.path().join("a"), "x").expect("file");
        let names: Vec<_> =
            files_below(root.path()).expect("walk").into_iter().map(|file| file.path).collect();
        assert_eq!(names, [root.path().join("a"), root.path().join("b/2")]);
        let mut part10 = vec![0; 128];
        part10.extend_from_slice(b"DICM");
        assert!(looks_like_dicom(&part10));
        assert!(looks_like_dicom(&[8, 0, 5, 0, 10, 0, 0, 0]));
        assert!(!looks_like_dicom(b"%PDF-1.7") && !looks_like_dicom(b""));
    }
}
