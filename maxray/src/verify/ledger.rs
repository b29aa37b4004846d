//! From the outside: a list of what a sender was told (I1, I8), and whether the audit trail tells the same (I7).
//!
//! One JSON object a line: `sop_instance_uid`, `study_instance_uid`, `data_set_sha256` (hex), `status` (of the C-STORE
//! response, as a number; 0 for success), and whatever else the sender noted.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use anyhow::Context as _;
use archive::Archive;
use serde::Deserialize;

use super::{VerifyOptions, report::Report};

const LOST: &str = "an acknowledged instance is not there: stop the server, keep a copy of everything, and look for its \
    object with maxray reindex into a new database";

#[derive(Debug, Deserialize)]
struct Line {
    sop_instance_uid: String,
    study_instance_uid: String,
    data_set_sha256: String,
    status: u16,
}

impl Line {
    /// Success or a warning (PS3.4 B.2.3): the instance was stored.
    fn is_acknowledged(&self) -> bool {
        self.status == 0 || self.status & 0xF000 == 0xB000
    }
}

pub async fn check(archive: &Archive, options: &VerifyOptions, report: &mut Report) -> anyhow::Result<()> {
    let Some(path) = &options.ledger else {
        report.note("I1", "give --ledger FILE");
        report.note("I8", "give --ledger FILE");
        return Ok(());
    };
    let mut suspects = BTreeMap::new();
    for line in lines(path)? {
        let line = line?;
        let versions = archive.database().versions(&line.sop_instance_uid).await?;
        let same = versions.iter().find(|(_, sha256, _)| hex(sha256) == line.data_set_sha256.to_lowercase());
        match (line.is_acknowledged(), same) {
            (true, Some((id, _, _))) => {
                report.checked("I1", 1);
                report.checked("I7", 1);
                if !archive.database().is_store_audited(&line.study_instance_uid, *id).await? {
                    let what =
                        format!("instance {id}: acknowledged, and the audit trail does not tell of it");
                    report.violated("I7", what, super::TRAIL);
                }
            }
            (true, None) => {
                report.checked("I1", 1);
                let what = format!(
                    "SOP instance {}: acknowledged, and not there with its content",
                    line.sop_instance_uid
                );
                report.violated("I1", what, LOST);
            }
            (false, same) => {
                report.checked("I8", 1);
                if same.is_none() && !versions.is_empty() {
                    let found: Vec<String> = versions.iter().map(|(_, sha256, _)| hex(sha256)).collect();
                    suspects.insert(line.sop_instance_uid, found);
                }
            }
        }
    }
    check_suspects(path, suspects, report)
}

/// Content under a refused UID is what another line sent, or nobody did.
fn check_suspects(
    path: &Path,
    mut suspects: BTreeMap<String, Vec<String>>,
    report: &mut Report,
) -> anyhow::Result<()> {
    if suspects.is_empty() {
        return Ok(());
    }
    for line in lines(path)? {
        let line = line?;
        if let Some(found) = suspects.get_mut(&line.sop_instance_uid) {
            found.retain(|sha256| *sha256 != line.data_set_sha256.to_lowercase());
        }
    }
    for (uid, _) in suspects.into_iter().filter(|(_, found)| !found.is_empty()) {
        report.violated("I8", format!("SOP instance {uid}: holds what nobody in the ledger sent"), LOST);
    }
    Ok(())
}

/// A sender that died may have left half a line at the end: it is no promise of ours.
fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Line>>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut lines = BufReader::new(file).lines().enumerate().peekable();
    Ok(std::iter::from_fn(move || {
        let (number, text) = lines.next()?;
        let is_last = lines.peek().is_none();
        let parsed = text.map_err(anyhow::Error::from).and_then(|text| Ok(serde_json::from_str(&text)?));
        match parsed {
            Err(_) if is_last => None,
            parsed => Some(parsed.with_context(|| format!("line {} of the ledger", number + 1))),
        }
    }))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
