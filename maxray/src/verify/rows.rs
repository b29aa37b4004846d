//! From the rows: their objects (I2), their events (I5), the rules between rows (I6, I10), previews (I11).

use std::collections::{BTreeMap, HashMap};

use archive::{Archive, Depth, Difference};
use chrono::{DateTime, Utc};
use database::StoredInstance;
use futures_util::{StreamExt as _, stream};
use indicatif::ProgressBar;
use object_storage::ObjectKey;
use uuid::Uuid;

use super::{VerifyOptions, report::Report};

/// Rows of a page.
const PAGE_ROWS: u32 = 500;
/// Events of a page.
const PAGE_EVENTS: u32 = 2_000;
/// Findings of one kind that are fetched.
const FOUND_MAX: u32 = 1_000;

const RESTORE: &str = "restore the named objects from a backup of the object storage, then run maxray verify --deep; \
    until then the instances answer with an error and never with other bytes";
const REINDEX: &str = "rows disagree with each other or with their objects: stop the server, back the database up, run \
    maxray reindex --replace-index, then maxray verify --deep";

pub async fn check(
    archive: &Archive,
    options: &VerifyOptions,
    bar: &ProgressBar,
    report: &mut Report,
) -> anyhow::Result<()> {
    // What is being stored while we look is left for the next run.
    let until = archive.clock().now();
    check_instances(archive, options, until, bar, report).await?;
    check_rules(archive, report).await?;
    check_previews(archive, report).await
}

async fn check_instances(
    archive: &Archive,
    options: &VerifyOptions,
    until: DateTime<Utc>,
    bar: &ProgressBar,
    report: &mut Report,
) -> anyhow::Result<()> {
    let depth = if options.deep { Depth::Whole } else { Depth::Ends };
    let parallel = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let mut events = Events::since(archive.database().forgotten_events().await?.happened_before);
    let mut after = None;
    loop {
        let page = archive.database().all_instances(after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let ids: Vec<Uuid> = page.iter().map(|instance| instance.id).collect();
        let headers = archive.database().headers(&ids).await?;
        let headers: HashMap<Uuid, _> =
            headers.into_iter().map(|header| (header.instance_id, header)).collect();
        for instance in page.iter().filter(|instance| instance.stored_at <= until) {
            events.expect(instance.id, instance.stored_at);
        }
        let newest = page.iter().map(|instance| instance.stored_at).max().unwrap_or(until);
        events.read_until(archive, newest.min(until)).await?;
        let headers = &headers;
        let checks = stream::iter(&page).map(|instance| async move {
            (instance, archive.check_instance(instance, headers.get(&instance.id), depth).await)
        });
        let results: Vec<_> = checks.buffer_unordered(parallel).collect().await;
        for (instance, result) in results {
            report.checked("I2", 1);
            bar.inc(1);
            if let Some(difference) = result?
                && is_still_so(archive, instance).await?
            {
                let plan = if is_of_the_object(difference) { RESTORE } else { REINDEX };
                report.violated("I2", format!("instance {}: {difference}", instance.id), plan);
            }
        }
    }
    if !options.deep {
        report.note("I2", "ends of the objects only; --deep opens and hashes all of each");
    }
    events.read_until(archive, until).await?;
    events.report(archive, report).await
}

fn is_of_the_object(difference: Difference) -> bool {
    match difference {
        Difference::Missing | Difference::Altered(_) | Difference::KeyMissing | Difference::OtherBytes => {
            true
        }
        Difference::RowDiffers(_) | Difference::HeaderDiffers(_) | Difference::NoHeader => false,
    }
}

/// An instance may have been erased, or got another object, while we looked.
async fn is_still_so(archive: &Archive, instance: &StoredInstance) -> anyhow::Result<bool> {
    let before = Uuid::from_u128(instance.id.as_u128().saturating_sub(1));
    let now = archive.database().all_instances(Some(before), 1).await?;
    Ok(now.first().is_some_and(|now| now.id == instance.id && now.object_key == instance.object_key))
}

/// Rows and events in nearly the same order: what has met is forgotten, so memory holds only how far they are apart.
struct Events {
    /// Events before then are forgotten: rows before then need none.
    since: DateTime<Utc>,
    /// One for a row that waits for its event, minus one for an event that waits for its row.
    unmet: HashMap<Uuid, i64>,
    cursor: i64,
    rows: u64,
    is_over: bool,
}

impl Events {
    fn since(since: DateTime<Utc>) -> Self {
        Self { since, unmet: HashMap::new(), cursor: 0, rows: 0, is_over: false }
    }

    fn expect(&mut self, id: Uuid, stored_at: DateTime<Utc>) {
        if stored_at < self.since {
            return;
        }
        self.rows += 1;
        self.add(id, 1);
    }

    fn add(&mut self, id: Uuid, change: i64) {
        let count = self.unmet.entry(id).or_default();
        *count += change;
        if *count == 0 {
            self.unmet.remove(&id);
        }
    }

    async fn read_until(&mut self, archive: &Archive, until: DateTime<Utc>) -> anyhow::Result<()> {
        while !self.is_over {
            let page = archive.database().stored_events(self.cursor, PAGE_EVENTS).await?;
            let Some((last, events)) = page else {
                self.is_over = true;
                break;
            };
            self.cursor = last;
            let is_beyond = events.last().is_some_and(|event| event.at > until);
            let since = self.since;
            for event in events.into_iter().filter(|event| event.at >= since) {
                self.add(event.xray_id, -1);
            }
            if is_beyond {
                break;
            }
        }
        Ok(())
    }

    async fn report(self, archive: &Archive, report: &mut Report) -> anyhow::Result<()> {
        report.checked("I5", self.rows);
        // More may have been forgotten while we looked.
        let since = archive.database().forgotten_events().await?.happened_before;
        let mut without_row = 0_u64;
        for (id, count) in self.unmet {
            let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
            let page = archive.database().all_instances(Some(before), 1).await?;
            let found = page.first().filter(|instance| instance.id == id);
            match (found.map(|instance| instance.stored_at), count) {
                (Some(stored_at), 1..) if stored_at < since => {}
                (Some(_), 1..) => {
                    report.violated("I5", format!("instance {id}: no event tells of it"), REINDEX);
                }
                // Stored after the rows were read.
                (Some(_), -1) => {}
                (Some(_), _) => {
                    report.violated("I5", format!("instance {id}: told of {} times", 1 - count), REINDEX);
                }
                (None, _) => without_row += 1,
            }
        }
        if without_row > 0 {
            report.note("I5", format!("{without_row} events of instances that were erased since"));
        }
        Ok(())
    }
}

async fn check_rules(archive: &Archive, report: &mut Report) -> anyhow::Result<()> {
    let database = archive.database();
    let counts = database.counts().await?;
    report.checked("I6", counts.instances + counts.conflicts);
    for uid in database.uids_without_one_current(FOUND_MAX).await? {
        report.violated("I6", format!("SOP instance {uid}: not exactly one version is current"), REINDEX);
    }
    for sentence in database.check_engine().await? {
        let plan = "the database file is damaged: stop the server, keep a copy, run maxray reindex into a new database";
        report.violated("I6", sentence, plan);
    }
    report.checked("I10", 0);
    for link in database.links_between_patients(FOUND_MAX).await? {
        let what = format!(
            "consultation {}: study {} is of another patient",
            link.consultation_id, link.study_instance_uid
        );
        report.violated("I10", what, "unlink the study from the consultation");
    }
    check_trail(archive, report).await?;
    report.note(
        "I9",
        "the database itself keeps bookings apart; GET /prescriptions/{id}/verify and /reports/{id}/verify look at a signature",
    );
    report.note("I12", "only a search for known names over disk, logs and metrics can tell: the tests do it");
    report.note("I14", "maxray reindex makes it; --deep compares each header with what its object gives");
    Ok(())
}

/// The chains by themselves; what was signed of them is for `maxray audit verify`.
async fn check_trail(archive: &Archive, report: &mut Report) -> anyhow::Result<()> {
    let database = archive.database();
    for head in database.audit_heads().await? {
        report.checked("I7", head.sequence.unsigned_abs());
        let found = database.verify_audit(head.chain_id, 1, head.sequence, &BTreeMap::new(), |_| ()).await?;
        for finding in found {
            report.violated("I7", finding.to_string(), super::TRAIL);
        }
    }
    report.note("I7", "chains only; maxray audit verify compares them with what was signed");
    Ok(())
}

/// A lost preview is made again when somebody asks for it, so it is told but not wrong.
async fn check_previews(archive: &Archive, report: &mut Report) -> anyhow::Result<()> {
    let mut after = None;
    let mut gone = 0_u64;
    loop {
        let page = archive.database().all_previews(after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.instance);
        report.checked("I11", page.len() as u64);
        for preview in page {
            for key in [preview.preview_key, preview.thumbnail_key] {
                gone += u64::from(archive.storage().find(ObjectKey::from_uuid(key)).await.is_err());
            }
        }
    }
    report.checked("I11", 0);
    if gone > 0 {
        report.note("I11", format!("{gone} pictures are gone or damaged and will be made again"));
    }
    Ok(())
}
