//! The disk against a second, naive account of what must survive, and against programs that forget a sync.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use super::{
    Loss, PowerCutDisk,
    disk::{Disk, Inode, Kind, ROOT, directory},
};
use crate::random::Random;

/// One thing that happened to a name: what it stood for afterwards, and the directory whose sync commits that.
struct Renamed {
    name: (u64, OsString),
    to: Option<u64>,
    synced: u64,
    /// Whether such a sync came.
    committed: bool,
}

/// The naive account: a name is what its last committed change says; a file is what it was at its last sync.
#[derive(Default)]
struct Account {
    changes: Vec<Renamed>,
    contents: HashMap<u64, (Vec<u8>, Vec<u8>)>,
}

impl Account {
    fn change(&mut self, directory: u64, name: &OsString, to: Option<u64>, synced: u64) {
        let name = (directory, name.clone());
        self.changes.push(Renamed { name, to, synced, committed: false });
    }

    fn sync(&mut self, directory: u64) {
        for change in self.changes.iter_mut().filter(|change| change.synced == directory) {
            change.committed = true;
        }
    }

    fn names(&self) -> HashMap<(u64, OsString), u64> {
        let mut names = HashMap::new();
        for change in self.changes.iter().filter(|change| change.committed) {
            match change.to {
                Some(number) => names.insert(change.name.clone(), number),
                None => names.remove(&change.name),
            };
        }
        names
    }
}

fn file() -> Inode {
    Inode::new(Kind::File(super::content::Content::default()), 0o600, 0, 0)
}

/// A random step, told to both.
fn step(disk: &mut Disk, account: &mut Account, directories: &[u64], random: &mut Random) {
    let parent = directories[random.below(directories.len())];
    let name = OsString::from(format!("n{}", random.below(6)));
    let found = disk.lookup(parent, &name).ok().filter(|number| !directories.contains(number));
    match (random.below(10), found) {
        (0..3, None) => {
            if let Ok(number) = disk.create(parent, &name, file()) {
                account.change(parent, &name, Some(number), parent);
                account.contents.insert(number, Default::default());
            }
        }
        (0..4, Some(number)) => {
            let (at, bytes) = (random.below(3000), vec![random.below(250) as u8 + 1; random.below(2000) + 1]);
            disk.file(number).expect("a file").write(at, &bytes);
            let seen = &mut account.contents.get_mut(&number).expect("known").0;
            seen.resize(seen.len().max(at + bytes.len()), 0);
            seen[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        (4, Some(_)) => {
            disk.remove(parent, &name).expect("a file can go");
            account.change(parent, &name, None, parent);
        }
        (5 | 6, Some(number)) => {
            let to = directories[random.below(directories.len())];
            let new_name = OsString::from(format!("n{}", random.below(6)));
            let before = disk.lookup(to, &new_name).ok();
            let done = disk.rename((parent, &name), (to, &new_name), random.below(2) == 0);
            if done.is_ok() && before != Some(number) {
                account.change(to, &new_name, Some(number), to);
                account.change(parent, &name, None, to);
            }
        }
        (7, Some(number)) => {
            disk.sync(number).expect("a file syncs");
            let (seen, durable) = account.contents.get_mut(&number).expect("known");
            durable.clone_from(seen);
        }
        (8 | 9, _) => {
            disk.sync(parent).expect("a directory syncs");
            account.sync(parent);
        }
        _ => {}
    }
}

#[test]
fn a_cut_leaves_what_the_naive_account_says() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (mut disk, mut account) = (Disk::new(0, 0), Account::default());
        let mut directories = vec![ROOT];
        for name in ["a", "b"] {
            let made = disk.create(ROOT, name.as_ref(), Inode::new(directory(ROOT), 0o700, 0, 0));
            directories.push(made.expect("a directory"));
        }
        disk.settle();
        for _ in 0..120 {
            step(&mut disk, &mut account, &directories, &mut random);
        }
        let (left, _) = disk.cut(Loss::Unsynced, &mut random);
        let expected = account.names();
        for directory in &directories {
            let names = left.names(*directory).expect("it was settled");
            let names = names.iter().filter(|(_, number)| !directories.contains(*number));
            let found: HashMap<_, _> =
                names.map(|(name, number)| ((*directory, name.clone()), *number)).collect();
            let wanted: HashMap<_, _> = expected
                .iter()
                .filter(|((parent, _), _)| parent == directory)
                .map(|(name, number)| (name.clone(), *number))
                .collect();
            assert_eq!(found, wanted, "seed {seed}");
            for number in found.values() {
                let Kind::File(content) = &left.inode(*number).expect("named").kind else { panic!("a file") };
                let durable = &account.contents[number].1;
                assert_eq!(content.read(0, usize::MAX), durable, "seed {seed}, file {number}");
            }
        }
    }
}

/// Whatever else a torn cut keeps, it keeps what was synced.
#[test]
fn a_torn_cut_keeps_every_synced_name_that_nothing_changed_since() {
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let (mut disk, mut account) = (Disk::new(0, 0), Account::default());
        for _ in 0..60 {
            step(&mut disk, &mut account, &[ROOT], &mut random);
        }
        let pending: Vec<_> =
            account.changes.iter().filter(|change| !change.committed).map(|change| &change.name).collect();
        let (left, _) = disk.cut(Loss::Torn, &mut random);
        for (name, number) in account.names().iter().filter(|(name, _)| !pending.contains(name)) {
            assert_eq!(left.lookup(ROOT, &name.1), Ok(*number), "seed {seed}");
        }
    }
}

fn cut(disk: &mut PowerCutDisk) {
    disk.cut();
    disk.release();
    disk.restore(Loss::Unsynced, &mut Random::new(1));
}

fn sync_folder(path: &Path) {
    File::open(path).expect("a folder").sync_all().expect("it syncs");
}

#[test]
fn a_program_that_forgets_a_sync_loses_what_it_wrote() {
    let mut disk = PowerCutDisk::mount();
    let at = |name: &str| disk.path().join(name);
    fs::create_dir(at("folder")).expect("a folder");
    sync_folder(disk.path());
    let paths = ["careful", "no-file-sync", "no-folder-sync", "renamed", "overwritten"]
        .map(|name| at(&format!("folder/{name}")));
    let [careful, no_file_sync, no_folder_sync, renamed, overwritten] = &paths;
    for path in [careful, renamed, overwritten] {
        let mut file = File::create(path).expect("a file");
        file.write_all(b"kept").expect("written");
        file.sync_data().expect("synced");
    }
    fs::write(no_file_sync, "lost").expect("written");
    sync_folder(&at("folder"));
    let mut file = File::create(no_folder_sync).expect("a file");
    file.write_all(b"lost").expect("written");
    file.sync_all().expect("synced");
    // Held open it would keep the disk from being unmounted, for which this very thread waits.
    drop(file);
    fs::rename(renamed, at("folder/elsewhere")).expect("renamed");
    File::options().write(true).open(overwritten).expect("a file").write_all(b"LOST").expect("written");
    assert_eq!(fs::read(overwritten).expect("seen"), b"LOST");
    let elsewhere = at("folder/elsewhere");

    cut(&mut disk);
    assert_eq!(fs::read(careful).expect("there"), b"kept");
    assert_eq!(fs::read(no_file_sync).expect("its name was synced"), b"");
    assert!(!no_folder_sync.exists(), "a synced file whose name was not");
    assert!(renamed.exists() && !elsewhere.exists(), "an unsynced rename");
    assert_eq!(fs::read(overwritten).expect("there"), b"kept");
}

/// What SQLite and the object writer need of a file system.
#[test]
fn o_direct_o_dsync_exclusive_names_and_lengths_work() {
    let mut disk = PowerCutDisk::mount();
    let path = disk.path().join("direct");
    let direct = File::options()
        .create_new(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::DIRECT.bits().cast_signed())
        .open(&path);
    let storage = vec![7_u8; 3 * 4096];
    let aligned = &storage[storage.as_ptr().align_offset(4096)..][..8192];
    direct.expect("O_DIRECT").write_all_at(aligned, 0).expect("written");
    File::options().write(true).open(&path).expect("open").set_len(8000).expect("cut");
    File::open(&path).expect("open").sync_data().expect("synced");

    let sure = disk.path().join("sure");
    let flags = rustix::fs::OFlags::DSYNC.bits().cast_signed();
    let mut file =
        File::options().create_new(true).write(true).custom_flags(flags).open(&sure).expect("O_DSYNC");
    file.write_all(b"at once").expect("written");
    let taken = rustix::fs::renameat_with(
        rustix::fs::CWD,
        &sure,
        rustix::fs::CWD,
        &path,
        rustix::fs::RenameFlags::NOREPLACE,
    );
    assert_eq!(taken, Err(rustix::io::Errno::EXIST));
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 100).expect("allocated");
    assert_eq!(file.metadata().expect("metadata").len(), 100);
    sync_folder(disk.path());
    drop(file);

    cut(&mut disk);
    let mut direct = Vec::new();
    File::open(&path).expect("there").read_to_end(&mut direct).expect("read");
    assert_eq!(direct, [7; 8000]);
    assert_eq!(fs::read(&sure).expect("there"), b"at once", "and the allocation was not synced");
}

/// From the cut on nothing is acknowledged: a sync that began too late fails instead of returning.
#[test]
fn no_sync_returns_after_the_cut() {
    let mut disk = PowerCutDisk::mount();
    let path = disk.path().join("file");
    let mut file = File::create(&path).expect("a file");
    sync_folder(disk.path());
    disk.cut();
    let late = std::thread::spawn(move || file.write_all(b"late").and_then(|()| file.sync_all()));
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!late.is_finished(), "a write returned without power");
    disk.release();
    late.join().expect("no panic").expect_err("it was too late");
    disk.restore(Loss::Torn, &mut Random::new(1));
    assert_eq!(fs::read(&path).expect("its name was synced"), b"");
}
