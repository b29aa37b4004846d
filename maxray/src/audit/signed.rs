//! The checkpoints of the database against themselves, and against the files beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use anyhow::Context;
use database::Database;
use uuid::Uuid;
use worker::audit_checkpoints::{Checkpoint, NotACheckpoint, read_witness};

use super::verify::{Finding, Report};

/// Checkpoints fetched at once.
const PAGE: u32 = 1_000;

/// Lines by node and number.
pub(super) type Numbered = BTreeMap<(Uuid, i64), String>;

/// Every checkpoint in the database.
pub(super) async fn stored_checkpoints(database: &Database) -> anyhow::Result<Numbered> {
    let (mut all, mut after) = (Numbered::new(), (Uuid::nil(), i64::MIN));
    loop {
        let page = database.checkpoints_after(after.0, after.1, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = (last.node_id, last.number);
        all.extend(page.into_iter().map(|stored| ((stored.node_id, stored.number), stored.line)));
    }
}

/// Signatures, numbers without a gap, each following from the one before.
pub(super) fn check_stored(all: &Numbered, own: Uuid, key: &str, report: &mut Report) {
    let mut before: Option<Checkpoint> = None;
    for ((node, number), line) in all {
        let name = format!("checkpoint {number} of node {node} in the database");
        let checkpoint = match check_line(line, own, key) {
            Ok(checkpoint) if (checkpoint.node_id, checkpoint.number) == (*node, *number) => checkpoint,
            Ok(_) => {
                report.findings.push(Finding::Checkpoint(format!("{name} is that of another place")));
                continue;
            }
            Err(why) => {
                report.findings.push(Finding::Checkpoint(format!("{name}: {why}")));
                before = None;
                continue;
            }
        };
        let previous = before.take().filter(|before| before.node_id == *node);
        let expected = previous.as_ref().map_or(1, |previous| previous.number + 1);
        if *number > expected {
            let text =
                format!("checkpoints {expected} to {} of node {node} are not in the database", number - 1);
            report.findings.push(Finding::CheckpointsMissing(text));
        } else if checkpoint.previous != previous.as_ref().map_or([0; 32], Checkpoint::digest) {
            report.findings.push(Finding::Checkpoint(format!("{name} does not follow from the one before")));
        }
        before = Some(checkpoint);
    }
}

fn check_line(line: &str, own: Uuid, key: &str) -> Result<Checkpoint, String> {
    let checkpoint = Checkpoint::parse(line).map_err(|error: NotACheckpoint| error.to_string())?;
    if checkpoint.node_id == own && checkpoint.key != key {
        return Err("signed with another key".to_owned());
    }
    Ok(checkpoint)
}

/// Compares a witness file with the database, and adds what only the file has.
pub(super) async fn compare_witness(
    database: &Database,
    all: &mut Numbered,
    path: &Path,
    key: &str,
    report: &mut Report,
) -> anyhow::Result<()> {
    let own = database.node_id();
    let lines = match read_witness(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A trail that was never signed needs no witness.
            if !all.is_empty() {
                report.findings.push(Finding::WitnessMissing(path.to_owned()));
            }
            return Ok(());
        }
        lines => lines.with_context(|| format!("{} cannot be read", path.display()))?,
    };
    let (mut seen, mut only_here) = (BTreeSet::new(), Vec::new());
    for (index, line) in lines.into_iter().enumerate() {
        let name = format!("{} line {}", path.display(), index + 1);
        let place = match check_line(&line, own, key) {
            Ok(checkpoint) => (checkpoint.node_id, checkpoint.number),
            Err(why) => {
                report.findings.push(Finding::Checkpoint(format!("{name}: {why}")));
                continue;
            }
        };
        seen.insert(place);
        match all.get(&place) {
            Some(stored) if *stored == line => {}
            Some(_) => {
                let text = format!("{name} (checkpoint {}) is another one in the database", place.1);
                report.findings.push(Finding::Checkpoint(text));
                // The file is harder to change: what it says is what the chain is held against.
                all.insert(place, line);
            }
            None => {
                only_here.push(place);
                all.insert(place, line);
            }
        }
    }
    if !only_here.is_empty() {
        // One that was stored and witnessed since the database was read is missing nowhere.
        let now = stored_checkpoints(database).await?;
        only_here.retain(|place| now.get(place) != all.get(place));
    }
    if let (Some((_, first)), Some((_, last))) = (only_here.first(), only_here.last()) {
        let text = format!(
            "checkpoints {first} to {last} are in {} and not in the database: it is older than they are",
            path.display()
        );
        report.findings.push(Finding::CheckpointsMissing(text));
    }
    // Nodes have files of their own. The last line may have been stored just now and not be witnessed yet.
    let own_lines = |number: i64| (own, number);
    let last =
        all.range(own_lines(i64::MIN)..=own_lines(i64::MAX)).next_back().map_or(0, |((_, last), _)| *last);
    let gone = all.keys().filter(|place| place.0 == own && place.1 < last && !seen.contains(place)).count();
    if gone > 0 {
        let text = format!("{gone} checkpoints of the database are not in {}", path.display());
        report.findings.push(Finding::CheckpointsMissing(text));
    }
    Ok(())
}
