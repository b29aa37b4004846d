//! Files to send: `tests/fixtures`, and the larger set of `MAXRAY_TEST_DATA` when it is there.

use std::path::{Path, PathBuf};

use crate::env;

/// A DICOM file with what its manifest says of it.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// Where it lies.
    pub path: PathBuf,
    /// Path in the manifest: the name for messages.
    pub name: String,
    /// SHA-256 of the whole file, lower-case hexadecimal.
    pub sha256: String,
    /// Transfer Syntax UID; empty when it has none.
    pub transfer_syntax_uid: String,
    /// SOP Class UID; empty when it has none.
    pub sop_class_uid: String,
}

impl Fixture {
    /// The bytes.
    ///
    /// # Panics
    /// When the file is gone.
    pub fn read(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }
}

/// `tests/fixtures`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The fixture of this name in `tests/fixtures`.
///
/// # Panics
/// When the manifest does not list it.
pub fn file(name: &str) -> Fixture {
    own()
        .into_iter()
        .find(|fixture| fixture.name == name)
        .unwrap_or_else(|| panic!("tests/fixtures/MANIFEST.csv has no {name}"))
}

/// Every file of `tests/fixtures`.
pub fn own() -> Vec<Fixture> {
    manifest(&folder())
}

/// Every file of `tests/fixtures` and of `MAXRAY_TEST_DATA`, each content once.
pub fn all() -> Vec<Fixture> {
    let mut files = own();
    if let Some(folder) = env::path(env::DATA) {
        let known: std::collections::HashSet<String> = files.iter().map(|file| file.sha256.clone()).collect();
        files.extend(manifest(&folder).into_iter().filter(|file| !known.contains(&file.sha256)));
    }
    files
}

fn manifest(folder: &Path) -> Vec<Fixture> {
    let path = folder.join("MANIFEST.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut rows = text.lines().filter(|line| !line.is_empty()).map(fields);
    let titles = rows.next().unwrap_or_default();
    let column = |title: &str| {
        titles
            .iter()
            .position(|name| name == title)
            .unwrap_or_else(|| panic!("{}: no {title}", path.display()))
    };
    let (name, sha256) = (column("file"), column("sha256"));
    let (sop_class, transfer_syntax) = (column("sop_class"), column("transfer_syntax"));
    rows.map(|row| Fixture {
        path: folder.join(&row[name]),
        name: row[name].clone(),
        sha256: row[sha256].clone(),
        transfer_syntax_uid: row[transfer_syntax].clone(),
        sop_class_uid: row[sop_class].clone(),
    })
    .collect()
}

/// RFC 4180, one line.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let last = fields.last_mut().expect("never empty");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                last.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => last.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_quoted_fields() {
        assert_eq!(fields("a,\"b \"\"c\"\", d\",,e"), ["a", "b \"c\", d", "", "e"]);
    }

    #[test]
    fn every_fixture_is_there_and_is_what_the_manifest_says() {
        let files = own();
        assert!(!files.is_empty());
        for file in files {
            assert_eq!(crate::digest::sha256_hex(&file.read()), file.sha256, "{}", file.name);
        }
    }
}
