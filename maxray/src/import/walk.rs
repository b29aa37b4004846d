//! The files below a directory, and which of them look like DICOM.

use std::{
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use dicom_dictionary_std::uids::MEDIA_STORAGE_DIRECTORY_STORAGE;
use dicom_header::FileMetaReader;

/// Length of the preamble and the four letters after it (PS3.10 7.1).
const PREAMBLE_LENGTH_BYTES: usize = 128;
/// The file meta group of a directory of a medium ends long before.
const HEAD_BYTES: usize = 16 * 1024;

/// A file that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub path: PathBuf,
    pub length_bytes: u64,
    pub modified_ns: u128,
}

/// A folder or a file that could not be read, and why.
#[derive(Debug)]
pub struct Unreadable {
    pub path: PathBuf,
    pub error: io::Error,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be read: {}", self.path.display(), self.error)
    }
}

/// What lies at a path and below it.
#[derive(Debug, Default)]
pub struct Found {
    /// In a stable order.
    pub files: Vec<Candidate>,
    /// What is in these folders is not known, and these files are gone or out of reach.
    pub unreadable: Vec<Unreadable>,
}

/// Every regular file below `root`, or `root` itself when it is one; symbolic links below it are not followed. What cannot be
/// read does not keep the rest from being found.
pub fn files_below(root: &Path) -> Found {
    let mut found = Found::default();
    let mut directories = Vec::new();
    let looked_at = fs::metadata(root);
    found.take(root.to_owned(), looked_at, &mut directories);
    while let Some(directory) = directories.pop() {
        if let Err(error) = found.look_into(&directory, &mut directories) {
            found.unreadable.push(Unreadable { path: directory, error });
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Found {
    fn look_into(&mut self, directory: &Path, directories: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = entry.metadata();
            self.take(entry.path(), metadata, directories);
        }
        Ok(())
    }

    fn take(&mut self, path: PathBuf, metadata: io::Result<Metadata>, directories: &mut Vec<PathBuf>) {
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => {
                self.unreadable.push(Unreadable { path, error });
                return;
            }
        };
        if metadata.is_dir() {
            directories.push(path);
        } else if metadata.is_file() {
            // A file system without times gives none: the length has to do.
            let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
            let modified_ns = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            self.files.push(Candidate { path, length_bytes: metadata.len(), modified_ns });
        }
    }
}

/// A DICM mark after the preamble, or a data set that begins with group 0002 or 0008 in either byte order.
pub fn looks_like_dicom(head: &[u8]) -> bool {
    let marked = head.get(PREAMBLE_LENGTH_BYTES..PREAMBLE_LENGTH_BYTES + 4) == Some(b"DICM");
    marked || matches!(head.get(..4), Some([2 | 8, 0, _, 0] | [0, 2 | 8, 0, _]))
}

/// Whether a file that begins so is the directory of a medium (DICOMDIR, PS3.10 8.6): it lists instances and is none.
pub fn is_media_directory(head: &[u8]) -> bool {
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    let read = FileMetaReader::new().push(head).ok().flatten();
    let sop_class_uid = read.and_then(|read| read.meta.media_storage_sop_class_uid);
    sop_class_uid.is_some_and(|uid| uid.as_str() == MEDIA_STORAGE_DIRECTORY_STORAGE)
}

/// The same of a file that was not opened yet.
///
/// # Errors
/// When it cannot be read.
pub fn is_media_directory_at(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(is_media_directory(&head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(found: &Found) -> Vec<&Path> {
        found.files.iter().map(|file| file.path.as_path()).collect()
    }

    #[test]
    fn finds_files_in_order_and_knows_dicom() {
        let root = tempfile::tempdir().expect("directory");
        fs::create_dir(root.path().join("b")).expect("directory");
        fs::write(root.path().join("b/2"), "x").expect("file");
        fs::write(root.path().join("a"), "x").expect("file");
        let found = files_below(root.path());
        assert_eq!(paths(&found), [root.path().join("a"), root.path().join("b/2")]);
        assert!(found.unreadable.is_empty());
        let one = root.path().join("a");
        assert_eq!(paths(&files_below(&one)), [one]);
        let mut part10 = vec![0; 128];
        part10.extend_from_slice(b"DICM");
        assert!(looks_like_dicom(&part10));
        assert!(looks_like_dicom(&[8, 0, 5, 0, 10, 0, 0, 0]));
        assert!(!looks_like_dicom(b"%PDF-1.7") && !looks_like_dicom(b""));
    }

    /// A folder that is gone when its turn comes, as one that nobody may read.
    #[test]
    fn what_cannot_be_read_is_named() {
        let root = tempfile::tempdir().expect("directory");
        let gone = root.path().join("gone");
        let found = files_below(&gone);
        assert!(found.files.is_empty());
        assert_eq!(found.unreadable.len(), 1);
        assert!(found.unreadable[0].to_string().contains("gone cannot be read"), "{}", found.unreadable[0]);
        let mut found = Found::default();
        let error = found.look_into(&gone, &mut Vec::new()).expect_err("it is not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        found.take(gone.clone(), Err(error), &mut Vec::new());
        assert_eq!(found.unreadable[0].path, gone);
    }
}
