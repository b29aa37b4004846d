//! Changes of names that no directory sync has put on the platter yet, in the order they were made.

use std::ffi::{OsStr, OsString};

/// A name that now stands for an inode, or for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameChange {
    pub(super) directory: u64,
    pub(super) name: OsString,
    pub(super) to: Option<u64>,
}

impl NameChange {
    pub(super) fn new(directory: u64, name: &OsStr, to: Option<u64>) -> Self {
        Self { directory, name: name.to_owned(), to }
    }

    fn is_of_same_name(&self, other: &Self) -> bool {
        self.directory == other.directory && self.name == other.name
    }
}

#[derive(Debug)]
struct Step {
    /// The directory whose sync commits this step.
    synced: u64,
    changes: Vec<NameChange>,
}

/// The steps.
#[derive(Debug, Default)]
pub(super) struct Journal(Vec<Step>);

impl Journal {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, synced: u64, changes: Vec<NameChange>) {
        self.0.push(Step { synced, changes });
    }

    /// Takes out what a sync of `directory` commits. What an earlier step still says about one of its names is
    /// void: it must not come back over the later one.
    pub(super) fn committed_by(&mut self, directory: u64) -> Vec<NameChange> {
        let mut committed: Vec<NameChange> = Vec::new();
        for mut step in std::mem::take(&mut self.0).into_iter().rev() {
            let is_later = |change: &NameChange| !committed.iter().any(|late| late.is_of_same_name(change));
            step.changes.retain(is_later);
            if step.synced == directory {
                committed.extend(step.changes);
            } else if !step.changes.is_empty() {
                self.0.push(step);
            }
        }
        self.0.reverse();
        committed
    }

    /// The first steps: what a journal of a file system had written when the power went.
    pub(super) fn first(self, steps: usize) -> impl Iterator<Item = NameChange> {
        self.0.into_iter().take(steps).flat_map(|step| step.changes)
    }
}
