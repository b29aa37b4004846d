//! The disk as a model, without any kernel: inodes, names, and which of both a power cut leaves.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{OsStr, OsString},
    mem,
};

use rustix::io::Errno;

use super::{
    Loss, Lost,
    content::Content,
    journal::{Journal, NameChange},
};
use crate::random::Random;

/// Number of the root directory.
pub(super) const ROOT: u64 = 1;

/// Names of one directory.
pub(super) type Names = BTreeMap<OsString, u64>;

/// What an inode is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    File(Content),
    Directory { seen: Names, durable: Names, parent: u64 },
    Symlink(OsString),
}

/// Owner, mode and time are kept at once: no program relies on their being lost.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) links: u32,
    pub(super) modified: std::time::SystemTime,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Disk {
    inodes: HashMap<u64, Inode>,
    next: u64,
    journal: Journal,
}

impl Inode {
    pub(super) fn new(kind: Kind, mode: u32, uid: u32, gid: u32) -> Self {
        let links = if matches!(kind, Kind::Directory { .. }) { 2 } else { 0 };
        Self { kind, mode: (mode & 0o7777) as u16, uid, gid, links, modified: std::time::SystemTime::now() }
    }

    fn touch(&mut self) {
        self.modified = std::time::SystemTime::now();
    }
}

impl Disk {
    pub(super) fn new(uid: u32, gid: u32) -> Self {
        let root = Inode::new(directory(ROOT), 0o755, uid, gid);
        Self { inodes: HashMap::from([(ROOT, root)]), next: ROOT + 1, journal: Journal::default() }
    }

    pub(super) fn inode(&self, number: u64) -> Result<&Inode, Errno> {
        self.inodes.get(&number).ok_or(Errno::NOENT)
    }

    pub(super) fn inode_mut(&mut self, number: u64) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(&number).ok_or(Errno::NOENT)
    }

    pub(super) fn file(&mut self, number: u64) -> Result<&mut Content, Errno> {
        let inode = self.inode_mut(number)?;
        inode.touch();
        match &mut inode.kind {
            Kind::File(content) => Ok(content),
            _ => Err(Errno::ISDIR),
        }
    }

    pub(super) fn names(&self, directory: u64) -> Result<&Names, Errno> {
        match &self.inode(directory)?.kind {
            Kind::Directory { seen, .. } => Ok(seen),
            _ => Err(Errno::NOTDIR),
        }
    }

    pub(super) fn lookup(&self, directory: u64, name: &OsStr) -> Result<u64, Errno> {
        self.names(directory)?.get(name).copied().ok_or(Errno::NOENT)
    }

    /// A new inode under a new name.
    pub(super) fn create(&mut self, directory: u64, name: &OsStr, inode: Inode) -> Result<u64, Errno> {
        let number = self.next;
        self.inodes.insert(number, inode);
        self.next += 1;
        self.link(directory, name, number)?;
        Ok(number)
    }

    /// One more name.
    pub(super) fn link(&mut self, directory: u64, name: &OsStr, number: u64) -> Result<(), Errno> {
        if self.names(directory)?.contains_key(name) {
            return Err(Errno::EXIST);
        }
        self.rename_in_journal(directory, vec![NameChange::new(directory, name, Some(number))])
    }

    pub(super) fn remove(&mut self, directory: u64, name: &OsStr) -> Result<(), Errno> {
        let number = self.lookup(directory, name)?;
        if matches!(&self.inode(number)?.kind, Kind::Directory { seen, .. } if !seen.is_empty()) {
            return Err(Errno::NOTEMPTY);
        }
        self.rename_in_journal(directory, vec![NameChange::new(directory, name, None)])
    }

    /// A name in another place, in one step. A directory may change its name, not its parent.
    pub(super) fn rename(
        &mut self,
        (from, name): (u64, &OsStr),
        (to, new_name): (u64, &OsStr),
        replace: bool,
    ) -> Result<(), Errno> {
        let number = self.lookup(from, name)?;
        if from != to && matches!(self.inode(number)?.kind, Kind::Directory { .. }) {
            return Err(Errno::XDEV);
        }
        if let Ok(other) = self.lookup(to, new_name) {
            if !replace {
                return Err(Errno::EXIST);
            }
            if other == number {
                return Ok(());
            }
            if matches!(&self.inode(other)?.kind, Kind::Directory { seen, .. } if !seen.is_empty()) {
                return Err(Errno::NOTEMPTY);
            }
        }
        let changes = vec![NameChange::new(to, new_name, Some(number)), NameChange::new(from, name, None)];
        self.rename_in_journal(to, changes)
    }

    /// fsync of a file or a directory.
    pub(super) fn sync(&mut self, number: u64) -> Result<(), Errno> {
        if let Kind::File(content) = &mut self.inode_mut(number)?.kind {
            content.sync();
            return Ok(());
        }
        for change in self.journal.committed_by(number) {
            self.make_durable(change);
        }
        Ok(())
    }

    /// As if everything had been synced long ago.
    pub(super) fn settle(&mut self) {
        self.journal = Journal::default();
        for inode in self.inodes.values_mut() {
            match &mut inode.kind {
                Kind::File(content) => content.sync(),
                Kind::Directory { seen, durable, .. } => durable.clone_from(seen),
                Kind::Symlink(_) => {}
            }
        }
    }

    /// What is there when the power comes back, and what went with it.
    pub(super) fn cut(mut self, loss: Loss, random: &mut Random) -> (Self, Lost) {
        let pending = self.journal.len();
        let survivors = if loss == Loss::Torn { random.below(pending + 1) } else { 0 };
        for change in mem::take(&mut self.journal).first(survivors) {
            self.make_durable(change);
        }
        let mut lost = Lost { names: pending - survivors, files: 0 };
        let mut left = Self { inodes: HashMap::new(), next: self.next, journal: Journal::default() };
        let mut waiting = vec![ROOT];
        while let Some(number) = waiting.pop() {
            if let Some(known) = left.inodes.get_mut(&number) {
                known.links += 1;
                continue;
            }
            let Some(mut inode) = self.inodes.remove(&number) else { continue };
            match &mut inode.kind {
                Kind::File(content) => {
                    lost.files += usize::from(content.has_unsynced());
                    *content = mem::take(content).cut(loss, random);
                    inode.links = 1;
                }
                Kind::Directory { seen, durable, .. } => {
                    waiting.extend(durable.values());
                    seen.clone_from(durable);
                }
                Kind::Symlink(_) => inode.links = 1,
            }
            left.inodes.insert(number, inode);
        }
        (left, lost)
    }

    /// Changes names now, and on the platter once `synced` is synced. No journal of a file system commits half of a
    /// rename, so that both of its halves wait for the same sync: that of the directory of the new name.
    fn rename_in_journal(&mut self, synced: u64, changes: Vec<NameChange>) -> Result<(), Errno> {
        for change in &changes {
            let before = self.seen(change.directory)?.get(&change.name).copied();
            if let Some(inode) = change.to.and_then(|number| self.inodes.get_mut(&number)) {
                inode.links += u32::from(!matches!(inode.kind, Kind::Directory { .. }));
            }
            if let Some(inode) = before.and_then(|number| self.inodes.get_mut(&number)) {
                inode.links -= u32::from(!matches!(inode.kind, Kind::Directory { .. }));
            }
            let seen = self.seen(change.directory)?;
            match change.to {
                Some(number) => seen.insert(change.name.clone(), number),
                None => seen.remove(&change.name),
            };
        }
        self.journal.push(synced, changes);
        Ok(())
    }

    fn seen(&mut self, directory: u64) -> Result<&mut Names, Errno> {
        let inode = self.inode_mut(directory)?;
        inode.touch();
        match &mut inode.kind {
            Kind::Directory { seen, .. } => Ok(seen),
            _ => Err(Errno::NOTDIR),
        }
    }

    fn make_durable(&mut self, change: NameChange) {
        if let Some(Inode { kind: Kind::Directory { durable, .. }, .. }) =
            self.inodes.get_mut(&change.directory)
        {
            match change.to {
                Some(number) => durable.insert(change.name, number),
                None => durable.remove(&change.name),
            };
        }
    }
}

/// An empty directory.
pub(super) fn directory(parent: u64) -> Kind {
    Kind::Directory { seen: Names::new(), durable: Names::new(), parent }
}
