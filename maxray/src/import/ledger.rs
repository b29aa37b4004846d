//! Which files of a directory an earlier import stored. Losing lines of it costs time only: storing again is safe.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use model::uid::uid_from_uuid;
use uuid::Uuid;

use super::walk::Candidate;

/// Append-only list of stored files under the data directory.
pub struct Ledger {
    known: HashSet<String>,
    file: BufWriter<File>,
}

impl Ledger {
    /// Opens the list for a source directory; `again` forgets what it says.
    pub fn open(data_directory: &Path, source: &Path, again: bool) -> io::Result<Self> {
        let directory = data_directory.join("imports");
        fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{}.txt", name_of(source)));
        let known = match File::open(&path) {
            Ok(file) if !again => BufReader::new(file).lines().collect::<io::Result<_>>()?,
            _ => HashSet::new(),
        };
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { known, file: BufWriter::new(file) })
    }

    /// Whether the file, as it is now, was stored before.
    pub fn has(&self, file: &Candidate) -> bool {
        self.known.contains(&line_of(file))
    }

    /// Notes a stored file.
    pub fn add(&mut self, file: &Candidate) -> io::Result<()> {
        writeln!(self.file, "{}", line_of(file))?;
        self.file.flush()
    }

    /// Writes what is still buffered.
    pub fn close(mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Identity of a file: its path, length and time of change, without a line break.
fn line_of(file: &Candidate) -> String {
    let path = file.path.to_string_lossy().replace(['\n', '\r'], " ");
    format!("{} {} {path}", file.length_bytes, file.modified_ns)
}

/// A file name for the list, made from the source path (FNV-1a, 128 bits: no secret, only a name).
fn name_of(source: &Path) -> String {
    let offset = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let prime = 0x0000_0000_0100_0000_0000_0000_0000_013b_u128;
    let hash = source
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(offset, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(prime));
    uid_from_uuid(Uuid::from_u128(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_until_the_file_changes() {
        let data = tempfile::tempdir().expect("directory");
        let file = Candidate { path: "/a/b\nc".into(), length_bytes: 7, modified_ns: 9 };
        let mut ledger = Ledger::open(data.path(), Path::new("/a"), false).expect("ledger");
        assert!(!ledger.has(&file));
        ledger.add(&file).expect("noted");
        ledger.close().expect("closed");
        let ledger = Ledger::open(data.path(), Path::new("/a"), false).expect("ledger");
        assert!(ledger.has(&file));
        assert!(!ledger.has(&Candidate { length_bytes: 8, ..file.clone() }));
        assert!(!Ledger::open(data.path(), Path::new("/other"), false).expect("ledger").has(&file));
    }
}
