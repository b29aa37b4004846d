//! The machine's fonts, for what the shipped ones do not have: looked through once, when a text first needs them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use paper::{Face, choose};

/// Folders inside each other.
const DEPTH_MAX: usize = 8;
/// Entries of folders that are looked at, fonts or not.
const ENTRIES_MAX: usize = 100_000;
/// Fonts that are looked at.
const FILES_MAX: usize = 10_000;
/// Longest font; those of all Han characters have 20 MB.
const FILE_LENGTH_MAX_BYTES: u64 = 64 << 20;

/// See the module.
pub struct Fonts {
    directories: Vec<PathBuf>,
    found: OnceLock<(Vec<PathBuf>, Vec<Face>)>,
    known: Mutex<Known>,
}

/// What came of those that were needed once.
#[derive(Default)]
struct Known {
    read: HashMap<usize, Arc<Vec<u8>>>,
    /// No PDF can be made with them.
    refused: BTreeSet<usize>,
}

impl Fonts {
    pub fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories, found: OnceLock::new(), known: Mutex::default() }
    }

    /// The fonts that a text needs beside the shipped ones. It reads files: not for async code.
    pub fn of(&self, text: &str) -> Vec<Arc<Vec<u8>>> {
        if !paper::needs_fonts(text) {
            return Vec::new();
        }
        let (paths, faces) = self.found.get_or_init(|| find(&self.directories));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Ends: each further round has one font less to choose from.
        loop {
            let chosen = choose(text, faces, &known.refused);
            if chosen.iter().all(|index| known.has(*index, &paths[*index], &faces[*index], text)) {
                return chosen.iter().filter_map(|index| known.read.get(index).cloned()).collect();
            }
        }
    }
}

impl Known {
    /// Whether a font is in memory and good, after a look at it when it is needed for the first time.
    fn has(&mut self, index: usize, path: &Path, face: &Face, text: &str) -> bool {
        if self.read.contains_key(&index) {
            return true;
        }
        let reason = match fs::read(path).map(Arc::new) {
            Ok(bytes) if paper::is_usable(&bytes, face, text) => {
                self.read.insert(index, bytes);
                return true;
            }
            Ok(_) => "no PDF can be made with it".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(path = %path.display(), %reason, "a font is passed over until the next start");
        self.refused.insert(index);
        false
    }
}

fn find(directories: &[PathBuf]) -> (Vec<PathBuf>, Vec<Face>) {
    let mut search = Search::new(ENTRIES_MAX);
    for directory in directories {
        search.look_into(directory, DEPTH_MAX);
    }
    if search.entries_left == 0 {
        tracing::warn!(
            entries_max = ENTRIES_MAX,
            "doctor_api.prescription.font_directories hold more than is looked at: name smaller ones"
        );
    }
    let mut files = search.files;
    // In the order of their names, not of the folder: the same fonts give the same paper.
    files.sort();
    files.dedup();
    let read = |path: PathBuf| Some((Face::read(&fs::read(&path).ok()?)?, path));
    let found: Vec<(Face, PathBuf)> = files.into_iter().filter_map(read).collect();
    tracing::info!(fonts = found.len(), "looked through the fonts of this machine");
    let (faces, paths) = found.into_iter().unzip();
    (paths, faces)
}

/// A walk through folders.
struct Search {
    files: Vec<PathBuf>,
    /// Folders by their true names: links lead in circles, and to one folder by many ways.
    visited: HashSet<PathBuf>,
    entries_left: usize,
}

impl Search {
    fn new(entries_max: usize) -> Self {
        Self { files: Vec::new(), visited: HashSet::new(), entries_left: entries_max }
    }

    fn look_into(&mut self, directory: &Path, depth: usize) {
        let Ok(directory) = fs::canonicalize(directory) else { return };
        let Ok(entries) = fs::read_dir(&directory) else { return };
        if !self.visited.insert(directory) {
            return;
        }
        for path in entries.flatten().map(|entry| entry.path()) {
            let Some(left) = self.entries_left.checked_sub(1) else { return };
            self.entries_left = left;
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() && depth > 0 {
                self.look_into(&path, depth - 1);
            } else if metadata.is_file()
                && metadata.len() <= FILE_LENGTH_MAX_BYTES
                && self.files.len() < FILES_MAX
                && is_font(&path)
            {
                self.files.push(path);
            }
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
        let look = |entries_max: usize| {
            let mut search = Search::new(entries_max);
            search.look_into(folder.path(), DEPTH_MAX);
            search.files
        };
        let files = look(ENTRIES_MAX);
        assert_eq!(files.len(), 2, "each once: {files:?}");
        assert!(files.iter().all(|path| is_font(path)));
        assert_eq!(look(1), Vec::<PathBuf>::new(), "no further than the first folder");
        let fonts = Fonts::new(vec![folder.path().to_owned(), "/nowhere".into()]);
        assert!(
            fonts.of("plain").is_empty() && fonts.found.get().is_none(),
            "nothing is needed, nothing is read"
        );
        assert!(fonts.of("حبة").is_empty() && fonts.found.get().is_some(), "what is no font is passed over");
    }

    /// Without its table `head` a font can be read, and not embedded.
    #[test]
    fn a_font_that_is_refused_gives_way_to_the_next_one() {
        let good = fs::read("/usr/share/fonts/truetype/noto/NotoSansArabic-Regular.ttf");
        let good = good.expect("Noto Sans Arabic: run ./test, or: apt-get install fonts-noto-core");
        let mut bad = good.clone();
        let tables = usize::from(u16::from_be_bytes([bad[4], bad[5]]));
        let mut entries = (0..tables).map(|number| 12 + 16 * number);
        let head = entries.find(|at| bad[*at..].starts_with(b"head")).expect("a table");
        bad[head + 3] = b'x';
        let folder = tempfile::tempdir().expect("a folder");
        // Of two fonts of one name the later one is preferred.
        fs::write(folder.path().join("a.ttf"), &good).expect("a file");
        fs::write(folder.path().join("b.ttf"), &bad).expect("a file");
        let fonts = Fonts::new(vec![folder.path().to_owned()]);
        for _ in 0..2 {
            let chosen = fonts.of("حبة");
            assert!(chosen.len() == 1 && *chosen[0] == good, "{} fonts", chosen.len());
        }
        let known = fonts.known.lock().expect("unpoisoned");
        assert_eq!((known.read.len(), known.refused.len()), (1, 1), "each was looked at once");
    }
}
