//! Finds the files that the rules read.

use std::{fs, path::Path};

use crate::lexer::{Lexed, lex};

/// Folders that hold nothing of ours.
const SKIPPED: &[&str] =
    &["target", ".git", "node_modules", "dist", "corpus", "artifacts", "maxray-data", "__pycache__"];
/// Endings of text files beside Rust.
const TEXT: &[&str] = &["rs", "md", "toml", "sh", "py", "sql", "yml", "yaml", "ts", "tsx", "html", "css"];
/// Text files without an ending.
const TEXT_NAMES: &[&str] = &["test", "run", "Dockerfile"];

/// A Rust file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path from the root, with slashes.
    pub path: String,
    /// As written.
    pub text: String,
    /// Its parts.
    pub lexed: Lexed,
    /// Lines before the trailing test module.
    pub product_lines: usize,
}

impl Source {
    /// Takes a file's text apart.
    pub fn new(path: &str, text: &str) -> Self {
        let lexed = lex(text);
        let product_lines = product_lines(&lexed.code);
        Self { path: path.to_owned(), text: text.to_owned(), lexed, product_lines }
    }

    /// The product's own code: not tests, fuzz targets or benchmarks, which have other measures.
    pub fn is_product(&self) -> bool {
        !["tests/", "fuzz/", "bench/"].iter().any(|folder| self.path.starts_with(folder))
    }

    /// Lines of code before the trailing test module, with comments and literals blanked.
    pub fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lexed.code.lines().take(self.product_lines).enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Lines up to `#[cfg(test)] mod ...` when that module is the last thing in the file.
fn product_lines(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let last = lines.iter().rposition(|line| line.trim_end() == "#[cfg(test)]");
    match last {
        Some(at) if ends_the_file(&lines[at + 1..]) => at,
        _ => lines.len(),
    }
}

fn ends_the_file(lines: &[&str]) -> bool {
    let mut lines = lines.iter().skip_while(|line| line.starts_with("#["));
    let Some(first) = lines.next().filter(|line| line.starts_with("mod ")) else { return false };
    first.ends_with(';') && lines.clone().all(|line| line.trim().is_empty())
        || first.ends_with('{') && lines.filter(|line| **line == "}").count() == 1
}

/// Every Rust file of the workspace.
pub fn rust_files(root: &Path) -> Vec<Source> {
    let rust = text_files(root)
        .into_iter()
        .filter(|path| Path::new(path).extension().is_some_and(|ending| ending == "rs"));
    rust.map(|path| {
        let text = fs::read_to_string(root.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Source::new(&path, &text)
    })
    .collect()
}

/// Every text file of the workspace, paths from the root.
pub fn text_files(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
                continue;
            }
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if TEXT.contains(&ending) || TEXT_NAMES.contains(&name.as_str()) {
                let relative = path.strip_prefix(root).expect("found below the root");
                files.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_test_module_does_not_count() {
        let source =
            Source::new("a.rs", "//! A.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
        assert_eq!(source.product_lines, 3);
        let source = Source::new("a.rs", "//! A.\nfn a() {}\n#[cfg(test)]\nmod tests;\n");
        assert_eq!(source.product_lines, 2);
    }

    #[test]
    fn a_test_module_in_the_middle_hides_nothing() {
        let source = Source::new("a.rs", "//! A.\n#[cfg(test)]\nmod tests {\n}\nfn a() {\n}\n");
        assert_eq!(source.product_lines, 6);
        let source = Source::new("a.rs", "//! A.\n#[cfg(test)]\nfn helper() {}\nfn a() {}\n");
        assert_eq!(source.product_lines, 4);
    }
}
