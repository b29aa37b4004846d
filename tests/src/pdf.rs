//! A PDF that the server gave: its text, its fonts, what its square code holds.

use std::{fs, path::Path, process::Command};

use reqwest::{StatusCode, header};

use crate::session::Session;

/// A PDF that the server gave, read by poppler and zbar.
#[derive(Debug)]
pub struct Pdf {
    folder: tempfile::TempDir,
    /// Its ETag.
    pub tag: String,
}

impl Pdf {
    /// The paper of the document at `path`.
    ///
    /// # Panics
    /// When it is none.
    pub async fn get(session: &Session, path: &str) -> Self {
        let answer = session.get(&format!("{path}/pdf")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let header = |name| answer.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header(header::CONTENT_TYPE), "application/pdf");
        assert_eq!(header(header::CACHE_CONTROL), "no-store");
        let tag = header(header::ETAG);
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("paper.pdf"), answer.bytes().await.expect("bytes")).expect("a file");
        Self { folder, tag }
    }

    /// As it came.
    ///
    /// # Panics
    /// When the file is gone.
    pub fn bytes(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("paper.pdf")).expect("the PDF")
    }

    /// Its words, as they stand on the pages.
    pub fn text(&self) -> String {
        run(self.folder.path(), "pdftotext", "poppler-utils", &["-layout", "paper.pdf", "-"])
    }

    /// How many it has.
    pub fn pages(&self) -> usize {
        self.text().matches('\u{c}').count()
    }

    /// Every font, with whether it is embedded.
    pub fn fonts(&self) -> Vec<(String, bool)> {
        let table = run(self.folder.path(), "pdffonts", "poppler-utils", &["paper.pdf"]);
        let rows = table.lines().skip(2).map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.map(|row| (row[0].to_owned(), row[row.len() - 5] == "yes")).collect()
    }

    /// What the square code on the first page holds, read from the picture of it.
    ///
    /// # Panics
    /// When there is no page, or no code on it.
    pub fn code(&self) -> String {
        let folder = self.folder.path();
        run(
            folder,
            "pdftoppm",
            "poppler-utils",
            &["-r", "100", "-f", "1", "-l", "1", "-png", "paper.pdf", "page"],
        );
        let pages = fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.file_name());
        let page = pages.filter_map(|name| name.into_string().ok()).find(|name| name.starts_with("page-"));
        let page = page.expect("a picture of the page");
        run(folder, "zbarimg", "zbar-tools", &["--quiet", "--raw", "--nodbus", &page]).trim().to_owned()
    }
}

/// What a program of a Debian package says.
///
/// # Panics
/// When it is not installed, or fails.
pub fn run(folder: &Path, program: &str, package: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; apt-get install {package}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The text with one blank for any white space, and without marks of direction.
pub fn flat(text: &str) -> String {
    let seen = text.chars().filter(|one| !matches!(one, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'));
    seen.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
