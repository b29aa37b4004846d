//! Feeds the kept inputs of one target to it without libFuzzer: every crate with targets includes this in its tests.

use std::path::Path;

/// Runs `target` on each file of its corpus and on what an attacker sends first: nothing, and a little of everything.
pub fn replay(corpus: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("fuzz/corpus").join(corpus))
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| panic!("there is no fuzz/corpus/{corpus}"));
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus can be read") {
        let path = entry.expect("the corpus can be listed").path();
        let input = std::fs::read(&path).expect("an input can be read");
        eprintln!("{}", path.display());
        target(&input);
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
    target(&[]);
    for byte in 0..=255 {
        target(&[byte]);
        target(&[byte; 300]);
    }
}
