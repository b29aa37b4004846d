//! `maxray audit export`: the trail in the forms that other systems take, one record after the other.

mod dicom_xml;
mod event;
mod fhir;

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use database::{AuditActor, AuditRecord, AuditRow, Database};
use model::{clock::Clock, text::hex};
use serde_json::json;

use crate::{home, settings::Settings};

/// Records fetched at once.
const PAGE: u32 = 1_000;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// FHIR R4 AuditEvent in the shapes of IHE BALP, one resource a line
    Fhir,
    /// Audit messages of PS3.15 A.5, one a line, as a syslog feed takes them
    DicomXml,
    /// Every field as it is kept, one JSON object a line
    Jsonl,
}

/// Options of `audit export`.
#[derive(Debug, Args)]
pub struct ExportOptions {
    /// Form of the records
    #[arg(long, value_enum)]
    pub format: Format,
    /// Only what happened at this time or later (RFC 3339, as 2026-11-01T00:00:00Z)
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
    /// Only what happened before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<DateTime<Utc>>,
    /// Only what stands after this position in the trail: where an earlier export ended
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub after: i64,
    /// File to write, readable by its owner alone [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Runs the command. That the trail left the house is recorded first.
pub async fn run(settings: Settings, options: ExportOptions) -> anyhow::Result<()> {
    let directory = home::existing(&settings).await?;
    let database = home::open_database(&settings, &directory, &Clock::system()).await?;
    let actor = AuditActor { role: "operator".to_owned(), ..AuditActor::default() };
    let format =
        options.format.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    database.audit(AuditRecord::success(&actor, "export_audit").saying(format)).await?;
    let mut output: Box<dyn Write + Send> = match &options.output {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(path) => {
            let mut create = OpenOptions::new();
            let file = create.write(true).create(true).truncate(true).mode(0o600).open(path);
            Box::new(BufWriter::new(file.with_context(|| format!("{} cannot be written", path.display()))?))
        }
    };
    let (written, last) = export(&database, &options, &mut output).await?;
    output.flush()?;
    database.close().await;
    eprintln!("{written} records; the next export may begin with --after {last}");
    Ok(())
}

/// Writes the records; gives how many, and the position of the last one.
async fn export(
    database: &Database,
    options: &ExportOptions,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<(u64, i64)> {
    let (mut written, mut after) = (0, options.after);
    loop {
        let page = database.audit_page(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok((written, after)) };
        after = last.sequence;
        for row in &page {
            let wanted = options.since.is_none_or(|since| row.at >= since)
                && options.until.is_none_or(|until| row.at < until);
            if wanted {
                writeln!(output, "{}", line(options.format, row))?;
                written += 1;
            }
        }
    }
}

fn line(format: Format, row: &AuditRow) -> String {
    match format {
        Format::Fhir => fhir::audit_event(row).to_string(),
        Format::DicomXml => dicom_xml::audit_message(row),
        Format::Jsonl => plain(row).to_string(),
    }
}

/// Every field under its own name.
fn plain(row: &AuditRow) -> serde_json::Value {
    let record = &row.record;
    json!({
        "sequence": row.sequence,
        "chain_id": row.chain_id,
        "chain_sequence": row.chain_sequence,
        "id": record.id,
        "at": row.at,
        "user_id": record.actor.user_id,
        "session_id": record.actor.session_id,
        "role": record.actor.role,
        "calling_ae": record.actor.calling_ae,
        "certificate": record.actor.certificate,
        "source_address": record.actor.source_address,
        "request_id": record.actor.request_id,
        "action": record.action,
        "outcome": record.outcome.as_str(),
        "study_instance_uid": record.study_instance_uid,
        "consultation_id": record.consultation_id,
        "patient": record.patient,
        "subject": record.subject,
        "rule": record.rule,
        "detail": record.detail,
        "hash": hex(&row.hash),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record with something in every field, and what XML and JSON must escape.
    pub fn row(action: &str) -> AuditRow {
        let id = uuid::Uuid::from_u128;
        let actor = AuditActor {
            user_id: Some(id(1)),
            session_id: Some(id(2)),
            role: "doctor".to_owned(),
            calling_ae: "CR<1>".to_owned(),
            certificate: "ab".repeat(32),
            source_address: "192.0.2.7".to_owned(),
            request_id: "r&1".to_owned(),
            claim: None,
        };
        let record = AuditRecord::success(&actor, action)
            .of_study("1.2.3")
            .of_patient(id(3))
            .of_consultation(id(4))
            .about("\"frames\" 1,2")
            .by_rule("own studies")
            .saying("a\u{1}b");
        let at = DateTime::from_timestamp(1_800_000_000, 5_000).expect("time");
        AuditRow { sequence: 9, chain_id: id(8), chain_sequence: 7, at, record, hash: [1; 32] }
    }

    #[test]
    fn every_field_is_exported() {
        let line = line(Format::Jsonl, &row("read_study"));
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let fields = read.as_object().expect("an object");
        assert_eq!(fields.len(), 21);
        assert!(fields.values().all(|value| !value.is_null()), "{line}");
    }
}
