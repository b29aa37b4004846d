//! Which node this is: a UUID in a file of the data directory, made once.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use uuid::Uuid;

use crate::DatabaseError;

/// Name of the file.
const FILE: &str = "node.id";

/// Reads the identity, or makes it; durable when this returns.
pub(crate) fn node_id(directory: &Path) -> Result<Uuid, DatabaseError> {
    let path = directory.join(FILE);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found.map_err(|error| refused(&path, &error)),
    }
    make(directory, &path).and_then(|()| read(&path)).map_err(|error| refused(&path, &error))
}

fn read(path: &Path) -> io::Result<Uuid> {
    let text = fs::read_to_string(path)?;
    Uuid::try_parse(text.trim()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Two processes may start at once: the file appears whole, and the first one stands.
fn make(directory: &Path, path: &Path) -> io::Result<()> {
    let id = Uuid::now_v7();
    let temporary = directory.join(format!("{FILE}.{id}.new"));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::File::open(directory)?.sync_all()
}

fn refused(path: &Path, error: &io::Error) -> DatabaseError {
    DatabaseError::Refused(format!("{} cannot be read or made: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_stays() {
        let directory = tempfile::tempdir().expect("directory");
        let first = node_id(directory.path()).expect("made");
        assert_eq!(node_id(directory.path()).expect("read"), first);
        assert_eq!(fs::read_dir(directory.path()).expect("entries").count(), 1);
        fs::write(directory.path().join(FILE), "x").expect("written");
        assert!(node_id(directory.path()).is_err(), "never a new identity over a damaged one");
    }
}
