//! The machine's fonts, for what the shipped ones do not have: looked through once, when a text first needs them.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use paper::{Face, choose};

/// Folders inside each other; what links to itself ends here.
const DEPTH_MAX: usize = 8;
/// Fonts that are looked at.
const FILES_MAX: usize = 10_000;
/// Longest font; those of all Han characters have 20 MB.
const FILE_LENGTH_MAX_BYTES: u64 = 64 << 20;

/// See the module.
pub struct Fonts {
    directories: Vec<PathBuf>,
    found: OnceLock<(Vec<PathBuf>, Vec<Face>)>,
    /// Bytes of those that were needed once.
    read: Mutex<HashMap<usize, Arc<Vec<u8>>>>,
}

impl Fonts {
    pub fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories, found: OnceLock::new(), read: Mutex::default() }
    }

    /// The fonts that a text needs beside the shipped ones. It reads files: not for async code.
    pub fn of(&self, text: &str) -> Vec<Arc<Vec<u8>>> {
        if !paper::needs_fonts(text) {
            return Vec::new();
        }
        let (paths, faces) = self.found.get_or_init(|| find(&self.directories));
        let chosen = choose(text, faces).into_iter();
        chosen.filter_map(|index| self.bytes(index, paths.get(index)?)).collect()
    }

    fn bytes(&self, index: usize, path: &Path) -> Option<Arc<Vec<u8>>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = read.get(&index) {
            return Some(Arc::clone(bytes));
        }
        match fs::read(path) {
            Ok(bytes) => Some(Arc::clone(read.entry(index).or_insert(Arc::new(bytes)))),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a font cannot be read");
                None
            }
        }
    }
}

fn find(directories: &[PathBuf]) -> (Vec<PathBuf>, Vec<Face>) {
    let mut files = Vec::new();
    for directory in directories {
        collect(directory, DEPTH_MAX, &mut files);
    }
    // In the order of their names, not of the folder: the same fonts give the same paper.
    files.sort();
    files.dedup();
    let read = |path: PathBuf| Some((Face::read(&fs::read(&path).ok()?)?, path));
    let found: Vec<(Face, PathBuf)> = files.into_iter().filter_map(read).collect();
    tracing::info!(fonts = found.len(), "looked through the fonts of this machine");
    let (faces, paths) = found.into_iter().unzip();
    (paths, faces)
}

fn collect(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() && depth > 0 {
            collect(&path, depth - 1, files);
        } else if metadata.is_file()
            && metadata.len() <= FILE_LENGTH_MAX_BYTES
            && files.len() < FILES_MAX
            && is_font(&path)
        {
            files.push(path);
        }
    }
}

fn is_font(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| matches!(extension.as_str(), "ttf" | "otf" | "ttc" | "otc"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_are_looked_through_without_an_end_that_links_make() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("noto");
        fs::create_dir(&inner).expect("a folder");
        symlink(folder.path(), inner.join("again")).expect("a link");
        for name in ["b.TTF", "a.otf", "readme.txt"] {
            fs::write(inner.join(name), b"no font").expect("a file");
        }
        let mut files = Vec::new();
        collect(folder.path(), DEPTH_MAX, &mut files);
        assert!(files.len() >= 2 && files.len() <= 2 * DEPTH_MAX, "{files:?}");
        assert!(files.iter().all(|path| is_font(path)));
        let fonts = Fonts::new(vec![folder.path().to_owned(), "/nowhere".into()]);
        assert!(
            fonts.of("plain").is_empty() && fonts.found.get().is_none(),
            "nothing is needed, nothing is read"
        );
        assert!(fonts.of("حبة").is_empty() && fonts.found.get().is_some(), "what is no font is passed over");
    }
}
