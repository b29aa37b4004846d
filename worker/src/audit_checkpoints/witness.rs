//! The file of checkpoints beside the database: one line each, only ever added to.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use fail_point::Point;
use uuid::Uuid;

use super::AuditConfig;

/// Name of the file in the data directory.
pub const WITNESS_FILE: &str = "audit-checkpoints.jsonl";
/// Longest line that is read: a checkpoint of some thousand nodes.
const LINE_MAX_BYTES: u64 = 1 << 20;

/// The file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read or written: {error}", path = .path.display())]
pub struct WitnessError {
    path: PathBuf,
    error: io::Error,
}

/// The second copy that the settings ask for. Nodes may share the directory.
pub fn witness_copy(config: &AuditConfig, node_id: Uuid) -> Option<PathBuf> {
    (!config.witness_directory.is_empty())
        .then(|| Path::new(&config.witness_directory).join(format!("audit-checkpoints-{node_id}.jsonl")))
}

/// Every line of a witness file; a last one without its end was never finished and is left out.
pub fn read_witness(path: &Path) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut reader = BufReader::new(File::open(path)?);
    loop {
        let mut line = String::new();
        reader.by_ref().take(LINE_MAX_BYTES).read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Ok(lines);
        }
        line.pop();
        lines.push(line);
    }
}

/// Adds a line; it is on the disk when this returns.
pub(super) async fn append(path: &Path, line: &str) -> Result<(), WitnessError> {
    let line = format!("{line}\n");
    blocking(path, move |path| {
        let mut file = open(path)?;
        file.seek(SeekFrom::End(0))?;
        // A test may want the line cut in the middle; otherwise the first part is empty.
        let half = if fail_point::is_armed(Point::K40CheckpointHalfWritten) { line.len() / 2 } else { 0 };
        let (first, rest) = line.as_bytes().split_at(half);
        file.write_all(first)?;
        fail_point::pass(Point::K40CheckpointHalfWritten);
        file.write_all(rest)?;
        file.sync_data()
    })
    .await
}

/// Makes the file when there is none, cuts off a line that a crash left half written, and gives the last line.
pub(super) async fn repair(path: &Path) -> Result<Option<String>, WitnessError> {
    blocking(path, |path| {
        let mut file = open(path)?;
        let length = file.metadata()?.len();
        let start = length.saturating_sub(2 * LINE_MAX_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < tail.len() {
            file.set_len(start + whole as u64)?;
        }
        file.sync_all()?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        let last = tail[..whole].split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        Ok(last.map(|line| String::from_utf8_lossy(line).into_owned()))
    })
    .await
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, WitnessError> {
    let path = path.to_owned();
    let failed = |path: PathBuf| move |error| WitnessError { path, error };
    let named = path.clone();
    tokio::task::spawn_blocking(move || work(&path))
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(failed(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_half_written_line_is_cut() {
        // threats.md K40
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join(WITNESS_FILE);
        assert_eq!(repair(&path).await.expect("made"), None);
        append(&path, "one").await.expect("written");
        append(&path, "two").await.expect("written");
        std::fs::write(&path, "one\ntwo\nthr").expect("half a line");
        assert_eq!(read_witness(&path).expect("lines"), ["one", "two"]);
        assert_eq!(repair(&path).await.expect("mended").as_deref(), Some("two"));
        append(&path, "three").await.expect("written");
        assert_eq!(read_witness(&path).expect("lines"), ["one", "two", "three"]);
    }
}
