//! `maxray audit verify`: recomputes every chain and compares it with what was signed.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use database::{AuditFinding, AuditFindingKind, Database};
use futures_util::{StreamExt as _, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use model::clock::Clock;
use uuid::Uuid;
use worker::audit_checkpoints::{Checkpoint, SigningKey, WITNESS_FILE, witness_copy};

use super::{
    Verdict, VerifyOptions,
    signed::{Numbered, check_stored, compare_witness, stored_checkpoints},
};
use crate::{home, settings::Settings};

/// Records that one task checks: chains are checked in such pieces at the same time.
const RANGE_RECORDS: i64 = 50_000;
/// Findings that are printed; all are counted.
const PRINTED_MAX: usize = 50;

/// What is wrong beside the chains themselves.
#[derive(Debug)]
pub enum Finding {
    /// In a chain.
    Chain(AuditFinding),
    /// A checkpoint in the database or a witness file was changed.
    Checkpoint(String),
    /// Checkpoints that one place has are gone from another.
    CheckpointsMissing(String),
    /// A file of checkpoints is not there.
    WitnessMissing(PathBuf),
}

impl Finding {
    fn code(&self) -> u8 {
        match self {
            Self::Chain(AuditFinding { kind: AuditFindingKind::Missing { .. }, .. })
            | Self::CheckpointsMissing(_) => 3,
            Self::Chain(_) | Self::Checkpoint(_) => 2,
            Self::WitnessMissing(_) => 4,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(finding) => write!(f, "{finding}"),
            Self::Checkpoint(text) | Self::CheckpointsMissing(text) => f.write_str(text),
            Self::WitnessMissing(path) => write!(f, "{}: no such file of checkpoints", path.display()),
        }
    }
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Chains, one a node.
    pub chains: usize,
    /// Checkpoints compared.
    pub checkpoints: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Runs the command.
pub async fn run(settings: Settings, options: VerifyOptions) -> anyhow::Result<()> {
    let directory = home::existing_to_read(&settings).await?;
    let database = home::open_database(&settings, &directory, &Clock::system()).await?;
    let witnesses = options.witness.clone().map_or_else(
        || {
            let copy = witness_copy(&settings.audit, database.node_id());
            [Some(directory.join(WITNESS_FILE)), copy].into_iter().flatten().collect()
        },
        |file| vec![file],
    );
    let key = match &options.key {
        Some(key) => key.clone(),
        None => BASE64.encode(SigningKey::open(&directory)?.public()),
    };
    let started = Instant::now();
    let report = verify(&database, &witnesses, &key, options.from, options.to).await?;
    database.close().await;
    for finding in report.findings.iter().take(PRINTED_MAX) {
        println!("{finding}");
    }
    if report.findings.len() > PRINTED_MAX {
        println!("... and {} more", report.findings.len() - PRINTED_MAX);
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} records in {} chains, {} checkpoints, {seconds:.1} s",
        report.records, report.chains, report.checkpoints
    );
    // What was altered weighs more than what is gone, and that more than a missing witness.
    match report.findings.iter().map(Finding::code).min() {
        None => {
            println!("The audit trail is as it was written.");
            Ok(())
        }
        Some(code) => {
            let text = format!("the audit trail has {} findings", report.findings.len());
            Err(Verdict { code, text }.into())
        }
    }
}

/// Checks the whole trail, or the records `from..=to` of every chain. `key` must have signed what this node signed.
pub async fn verify(
    database: &Database,
    witnesses: &[PathBuf],
    key: &str,
    from: Option<i64>,
    to: Option<i64>,
) -> anyhow::Result<Report> {
    let mut report = Report::default();
    // First the heads, then what was signed: records may come in meanwhile, and checkpoints of them.
    let mut checkpoints = stored_checkpoints(database).await?;
    let heads = database.audit_heads().await?;
    check_stored(&checkpoints, database.node_id(), key, &mut report);
    for witness in witnesses {
        compare_witness(database, &mut checkpoints, witness, key, &mut report).await?;
    }
    report.checkpoints = checkpoints.len();
    let signed = signed_heads(&checkpoints, &mut report);
    let mut chains: BTreeMap<Uuid, i64> = heads.iter().map(|head| (head.chain_id, head.sequence)).collect();
    for (chain, signed) in &signed {
        let last = signed.last_key_value().map_or(0, |(sequence, _)| *sequence);
        let head = chains.entry(*chain).or_default();
        *head = last.max(*head);
    }
    report.chains = chains.len();
    let (found, records) = verify_chains(database, &chains, signed, from, to).await?;
    report.records = records;
    report.findings.extend(found.into_iter().map(Finding::Chain));
    Ok(report)
}

type SignedHeads = BTreeMap<Uuid, BTreeMap<i64, [u8; 32]>>;

/// What was signed of each chain. A record that was signed twice with two hashes stood in two chains: one of them was
/// put in the other's place. The first is what the chain is held against.
fn signed_heads(checkpoints: &Numbered, report: &mut Report) -> SignedHeads {
    let mut signed = SignedHeads::new();
    for ((node, number), line) in checkpoints {
        for head in Checkpoint::parse(line).map(|checkpoint| checkpoint.heads).unwrap_or_default() {
            let first = *signed.entry(head.chain_id).or_default().entry(head.sequence).or_insert(head.hash);
            if first != head.hash {
                report.findings.push(Finding::Checkpoint(format!(
                    "checkpoint {number} of node {node} has another record {} of chain {} than one before: the chain \
                     was forked",
                    head.sequence, head.chain_id
                )));
            }
        }
    }
    signed
}

async fn verify_chains(
    database: &Database,
    chains: &BTreeMap<Uuid, i64>,
    signed: SignedHeads,
    from: Option<i64>,
    to: Option<i64>,
) -> anyhow::Result<(Vec<AuditFinding>, u64)> {
    let mut ranges = Vec::new();
    for (chain, head) in chains {
        let last = to.unwrap_or(i64::MAX).min(*head);
        let mut first = from.unwrap_or(1).max(1);
        while first <= last {
            let until = last.min(first + RANGE_RECORDS - 1);
            ranges.push((*chain, first, until));
            first = until + 1;
        }
    }
    let total: i64 = ranges.iter().map(|(_, first, until)| until - first + 1).sum();
    let bar = ProgressBar::new(total.unsigned_abs());
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {human_pos}/{human_len} records, {per_sec}, {eta}",
    )?);
    let signed = Arc::new(signed);
    let tasks = std::thread::available_parallelism().map_or(2, usize::from);
    let found: Vec<Vec<AuditFinding>> = futures_util::stream::iter(ranges)
        .map(|(chain, first, until)| {
            let (database, signed, bar) = (database.clone(), Arc::clone(&signed), bar.clone());
            tokio::spawn(async move {
                let none = BTreeMap::new();
                let signed = signed.get(&chain).unwrap_or(&none);
                database.verify_audit(chain, first, until, signed, |read| bar.inc(read)).await
            })
        })
        .buffered(tasks)
        .map(|joined| joined.map_err(anyhow::Error::from).and_then(|found| found.map_err(Into::into)))
        .try_collect()
        .await?;
    let records = bar.position();
    bar.finish_and_clear();
    Ok((found.into_iter().flatten().collect(), records))
}
