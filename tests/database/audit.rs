//! The chain of the audit trail: whatever is done to a row is found. threats.md row 69.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use database::{AuditFilter, AuditFinding, AuditFindingKind, AuditOutcome, AuditRecord, AuditRow, Database};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::support::{Home, START, actor, at, instance};

on_both_engines!(
    every_change_of_a_row_is_found,
    what_is_gone_or_put_in_is_found,
    a_chain_that_was_written_anew_is_not_what_was_signed,
    nodes_and_processes_keep_their_chains,
    a_clock_that_went_back_is_recorded,
    records_are_found_by_what_they_say,
);

/// As `docs/audit.md` describes it, made without the program's own encoder.
fn hash_of(previous: &[u8], row: &AuditRow) -> Vec<u8> {
    let record = &row.record;
    let uuid = |id: Option<Uuid>| id.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let text = |text: &str| text.as_bytes().to_vec();
    let fields = [
        text("MaxRay audit 1"),
        previous.to_vec(),
        row.sequence.to_be_bytes().to_vec(),
        uuid(Some(row.chain_id)),
        row.chain_sequence.to_be_bytes().to_vec(),
        uuid(Some(record.id)),
        row.at.timestamp_micros().to_be_bytes().to_vec(),
        uuid(record.actor.user_id),
        uuid(record.actor.session_id),
        text(&record.actor.role),
        text(&record.actor.calling_ae),
        text(&record.actor.certificate),
        text(&record.actor.source_address),
        text(&record.actor.request_id),
        text(&record.action),
        text(record.outcome.as_str()),
        text(&record.study_instance_uid),
        uuid(record.consultation_id),
        uuid(record.patient),
        text(&record.subject),
        text(&record.rule),
        text(&record.detail),
    ];
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(&u32::try_from(field.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(&field);
    }
    digest(&SHA256, &bytes).as_ref().to_vec()
}

/// Twelve records of different kinds, in one chain.
async fn trail(home: &Home) -> Vec<AuditRow> {
    for number in 1..=6 {
        home.put(instance("1.2", number)).await;
    }
    for number in 0..6u128 {
        let record = AuditRecord::refused(&actor(), "read_study")
            .of_study("1.2")
            .of_consultation(Uuid::from_u128(number))
            .about(number)
            .by_rule("own studies")
            .saying("no");
        home.database.audit(record).await.expect("recorded");
    }
    let rows = home.database.audit_page(0, 99).await.expect("trail");
    assert_eq!(rows.len(), 12);
    rows
}

async fn verify(database: &Database, until: i64) -> Vec<AuditFinding> {
    verify_signed(database, until, &BTreeMap::new()).await
}

async fn verify_signed(
    database: &Database,
    until: i64,
    signed: &BTreeMap<i64, [u8; 32]>,
) -> Vec<AuditFinding> {
    database.verify_audit(database.node_id(), 1, until, signed, |_| ()).await.expect("verified")
}

async fn every_change_of_a_row_is_found(home: Home) {
    let rows = trail(&home).await;
    assert_eq!(verify(&home.database, 12).await, []);
    let mut previous = vec![0; 32];
    for (row, number) in rows.iter().zip(1..) {
        assert_eq!(row.chain_sequence, number);
        previous = hash_of(&previous, row);
        assert_eq!(row.hash.as_slice(), previous, "record {number}");
        assert!(row.record.patient.is_some(), "whose study it is was looked up");
    }
    let texts = [
        "role",
        "calling_ae",
        "certificate",
        "source_address",
        "request_id",
        "action",
        "outcome",
        "study_instance_uid",
        "subject",
        "rule",
        "detail",
    ];
    let mut changes: Vec<String> = texts.iter().map(|column| format!("{column} = {column} || 'x'")).collect();
    let ids = ["id = chain_id", "user_id = id", "session_id = id", "consultation_id = id", "patient = id"];
    changes.extend(ids.map(str::to_owned));
    changes.extend([
        "sequence = sequence + 1000000".to_owned(),
        "at = '2026-01-01 00:00:00.123457+00:00'".to_owned(),
        "hash = (SELECT hash FROM audit WHERE chain_sequence = 1)".to_owned(),
        "detail = ''".to_owned(),
        "consultation_id = NULL".to_owned(),
    ]);
    home.sql("CREATE TABLE saved AS SELECT * FROM audit").await;
    for change in changes {
        home.sql(&format!("UPDATE audit SET {change} WHERE chain_sequence = 9")).await;
        let found = verify(&home.database, 12).await;
        assert_eq!(found.len(), 1 + usize::from(change.starts_with("hash")), "{change}: {found:?}");
        assert_eq!((found[0].chain_sequence, found[0].kind), (9, AuditFindingKind::Altered), "{change}");
        home.sql("DELETE FROM audit").await;
        home.sql("INSERT INTO audit SELECT * FROM saved").await;
    }
    assert_eq!(verify(&home.database, 12).await, []);
}

/// What is done, and where what is found: number and kind.
type Case = (&'static [&'static str], &'static [(i64, AuditFindingKind)]);

async fn what_is_gone_or_put_in_is_found(home: Home) {
    use AuditFindingKind::{Added, Altered, Missing};
    trail(&home).await;
    home.sql("CREATE TABLE saved AS SELECT * FROM audit").await;
    let cases: [Case; 8] = [
        (&["DELETE FROM audit WHERE chain_sequence = 5"], &[(5, Missing { until: 5 })]),
        (&["DELETE FROM audit WHERE chain_sequence IN (1, 2)"], &[(1, Missing { until: 2 })]),
        (&["DELETE FROM audit WHERE chain_sequence > 10"], &[(11, Missing { until: 12 })]),
        (&["DELETE FROM audit"], &[(1, Missing { until: 12 })]),
        (
            &[
                "DELETE FROM audit WHERE chain_sequence = 5",
                "UPDATE audit SET chain_sequence = 5 WHERE chain_sequence = 6",
            ],
            &[(5, Altered), (6, Missing { until: 6 })],
        ),
        (
            &[
                "UPDATE audit SET chain_sequence = 99 WHERE chain_sequence = 5",
                "UPDATE audit SET chain_sequence = 5 WHERE chain_sequence = 6",
                "UPDATE audit SET chain_sequence = 6 WHERE chain_sequence = 99",
            ],
            &[(5, Altered), (6, Altered), (7, Altered)],
        ),
        (
            &["UPDATE audit SET chain_sequence = 0 WHERE chain_sequence = 5"],
            &[(0, Added), (5, Missing { until: 5 })],
        ),
        (&["UPDATE audit SET chain_id = id WHERE chain_sequence = 5"], &[(5, Missing { until: 5 })]),
    ];
    for (changes, expected) in cases {
        for change in changes {
            home.sql(change).await;
        }
        let found = verify(&home.database, 12).await;
        let found: Vec<_> = found.iter().map(|finding| (finding.chain_sequence, finding.kind)).collect();
        assert_eq!(found, expected, "{changes:?}");
        home.sql("DELETE FROM audit").await;
        home.sql("INSERT INTO audit SELECT * FROM saved").await;
    }
    if matches!(home.database, Database::Sqlite(_)) {
        // SQLite takes any value in any column.
        home.sql("UPDATE audit SET at = 'yesterday' WHERE chain_sequence = 9").await;
        let found = verify(&home.database, 12).await;
        assert_eq!((found.len(), found[0].kind), (1, AuditFindingKind::Unreadable));
    }
}

async fn a_chain_that_was_written_anew_is_not_what_was_signed(home: Home) {
    let rows = trail(&home).await;
    let signed: BTreeMap<i64, [u8; 32]> = [(4, rows[3].hash), (10, rows[9].hash)].into();
    assert_eq!(verify_signed(&home.database, 12, &signed).await, []);
    // Somebody who can write to the database hides one action, and computes every hash from there on again.
    let mut previous = rows[5].hash.to_vec();
    for row in &rows[6..] {
        let mut row = row.clone();
        if row.chain_sequence == 7 {
            "yes".clone_into(&mut row.record.detail);
        }
        previous = hash_of(&previous, &row);
        let digits = model::text::hex(&previous);
        let hash = match home.database {
            Database::Sqlite(_) => format!("X'{digits}'"),
            Database::Postgres(_) => format!("decode('{digits}', 'hex')"),
        };
        let (detail, number) = (&row.record.detail, row.chain_sequence);
        home.sql(&format!(
            "UPDATE audit SET detail = '{detail}', hash = {hash} WHERE chain_sequence = {number}"
        ))
        .await;
    }
    assert_eq!(verify(&home.database, 12).await, [], "the chain alone does not tell");
    let found = verify_signed(&home.database, 12, &signed).await;
    assert_eq!((found.len(), found[0].chain_sequence, found[0].kind), (1, 10, AuditFindingKind::NotAsSigned));
}

async fn nodes_and_processes_keep_their_chains(home: Home) {
    let same_node = home.reopen().await;
    let elsewhere = tempfile::tempdir().expect("directory");
    let databases = if matches!(home.database, Database::Postgres(_)) {
        let other_node =
            Database::open(&home.config, elsewhere.path(), home.clock()).await.expect("another node");
        assert_ne!(other_node.node_id(), home.database.node_id());
        vec![home.database.clone(), same_node, other_node]
    } else {
        vec![home.database.clone(), same_node]
    };
    assert_eq!(databases[0].node_id(), databases[1].node_id());
    let writes = (0..240).map(|number| {
        let database = databases[number % databases.len()].clone();
        async move {
            if number % 3 == 0 {
                let instance = instance("1.2", i32::try_from(number).expect("small"));
                database.store_instance(instance).await.expect("stored");
            } else {
                database.audit(AuditRecord::success(&actor(), "read_study")).await.expect("recorded");
            }
        }
    });
    join_all(writes).await;
    let heads = home.database.audit_heads().await.expect("heads");
    assert_eq!(heads.iter().map(|head| head.sequence).sum::<i64>(), 240);
    for head in heads {
        let none = BTreeMap::new();
        let verified = home.database.verify_audit(head.chain_id, 1, head.sequence, &none, |_| ()).await;
        assert_eq!(verified.expect("verified"), []);
    }
}

async fn a_clock_that_went_back_is_recorded(home: Home) {
    // threats.md row 67
    let record = || AuditRecord::success(&actor(), "read_study");
    home.database.audit(record()).await.expect("recorded");
    home.sleep_seconds(-3_600);
    home.database.audit(record()).await.expect("recorded");
    home.database.audit(record()).await.expect("recorded");
    let rows = home.database.audit_page(0, 9).await.expect("trail");
    let actions: Vec<&str> = rows.iter().map(|row| row.record.action.as_str()).collect();
    assert_eq!(actions, ["read_study", "step_clock", "read_study", "read_study"]);
    assert_eq!(rows[1].record.detail, "the clock went back 3600 s");
    assert_eq!(verify(&home.database, 4).await, []);
}

async fn records_are_found_by_what_they_say(home: Home) {
    let rows = trail(&home).await;
    home.sleep_seconds(60);
    let mut other = actor();
    other.user_id = Some(Uuid::from_u128(5));
    "198.51.100.9".clone_into(&mut other.source_address);
    home.database.audit(AuditRecord::success(&other, "create_session")).await.expect("recorded");
    let filter = |change: fn(&mut AuditFilter)| {
        let mut filter = AuditFilter { limit: 99, ..AuditFilter::default() };
        change(&mut filter);
        filter
    };
    let count = async |filter: AuditFilter| home.database.audit_search(&filter).await.expect("found").len();
    assert_eq!(count(filter(|_| ())).await, 13);
    assert_eq!(count(filter(|filter| filter.from = Some(at(START + 60)))).await, 1);
    assert_eq!(count(filter(|filter| filter.until = Some(at(START + 60)))).await, 12);
    assert_eq!(count(filter(|filter| filter.user_id = Some(Uuid::from_u128(5)))).await, 1);
    assert_eq!(count(filter(|filter| filter.action = Some("store_instance".into()))).await, 6);
    assert_eq!(count(filter(|filter| filter.outcome = Some(AuditOutcome::Refused))).await, 6);
    assert_eq!(count(filter(|filter| filter.study_instance_uid = Some("1.2".into()))).await, 12);
    assert_eq!(count(filter(|filter| filter.consultation_id = Some(Uuid::from_u128(3)))).await, 1);
    assert_eq!(count(filter(|filter| filter.calling_ae = Some("CR1".into()))).await, 6);
    assert_eq!(count(filter(|filter| filter.source_address = Some("198.51.100.9".into()))).await, 1);
    let patient = AuditFilter {
        patients: rows[0].record.patient.into_iter().collect(),
        limit: 5,
        ..AuditFilter::default()
    };
    let page = home.database.audit_search(&patient).await.expect("found");
    assert_eq!(page.iter().map(|row| row.chain_sequence).collect::<Vec<_>>(), [12, 11, 10, 9, 8]);
    let next = AuditFilter { before: Some(page[4].sequence), limit: 99, ..patient };
    assert_eq!(count(next.clone()).await, 7);
    let both = vec![Uuid::from_u128(77), next.patients[0]];
    assert_eq!(count(AuditFilter { patients: both, ..next.clone() }).await, 7);
    let scope = model::access::Scope::internal();
    let found = home.database.patients_in_reach(&scope, "4711", None).await.expect("patients");
    assert_eq!(found, next.patients);
    assert!(home.database.patients_in_reach(&scope, "4712", None).await.expect("patients").is_empty());
}
