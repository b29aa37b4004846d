//! Marked place: the schema, one text for both engines, with two words rewritten for one of them, and blocks for one.

use std::borrow::Cow;

use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{Migration, MigrationType},
};

use crate::statement::Dialect;

/// Every migration: number, name, text. Only ever added to; the checksum of one that ran is kept and compared.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "archive", include_str!("../../../migrations/0001_archive.sql")),
    (2, "clinic", include_str!("../../../migrations/0002_clinic.sql")),
    (3, "keys", include_str!("../../../migrations/0003_keys.sql")),
    (4, "audit_chain", include_str!("../../../migrations/0004_audit_chain.sql")),
    (5, "sessions", include_str!("../../../migrations/0005_sessions.sql")),
    (6, "grants", include_str!("../../../migrations/0006_grants.sql")),
    (7, "ae", include_str!("../../../migrations/0007_ae.sql")),
    (8, "objects", include_str!("../../../migrations/0008_objects.sql")),
    (9, "name_words", include_str!("../../../migrations/0009_name_words.sql")),
    (10, "appointments", include_str!("../../../migrations/0010_appointments.sql")),
    (11, "prescriptions", include_str!("../../../migrations/0011_prescriptions.sql")),
    (12, "deletion", include_str!("../../../migrations/0012_deletion.sql")),
    (13, "deleted_xray_metadata", include_str!("../../../migrations/0013_deleted_xray_metadata.sql")),
    (14, "issuers_in_slots", include_str!("../../../migrations/0014_issuers_in_slots.sql")),
    (15, "commitment", include_str!("../../../migrations/0015_commitment.sql")),
    (16, "worklist", include_str!("../../../migrations/0016_worklist.sql")),
    (17, "performed_step", include_str!("../../../migrations/0017_performed_step.sql")),
    (18, "notifications", include_str!("../../../migrations/0018_notifications.sql")),
    (19, "lease", include_str!("../../../migrations/0019_lease.sql")),
    (20, "quiet_study", include_str!("../../../migrations/0020_quiet_study.sql")),
    (21, "sequence_base", include_str!("../../../migrations/0021_sequence_base.sql")),
    (22, "fingerprint", include_str!("../../../migrations/0022_fingerprint.sql")),
    (23, "reports", include_str!("../../../migrations/0023_reports.sql")),
    (24, "forwarding", include_str!("../../../migrations/0024_forwarding.sql")),
    (25, "availability", include_str!("../../../migrations/0025_availability.sql")),
    (26, "outbox_forgotten", include_str!("../../../migrations/0026_outbox_forgotten.sql")),
    (27, "slot_look_up", include_str!("../../../migrations/0027_slot_look_up.sql")),
    (28, "audit_head", include_str!("../../../migrations/0028_audit_head.sql")),
    (29, "claimed_forms", include_str!("../../../migrations/0029_claimed_forms.sql")),
    (30, "remembered_forward", include_str!("../../../migrations/0030_remembered_forward.sql")),
    (31, "schema_floor", include_str!("../../../migrations/0031_schema_floor.sql")),
    (32, "patient_name_trigrams", include_str!("../../../migrations/0032_patient_name_trigrams.sql")),
    (33, "remembered_patient", include_str!("../../../migrations/0033_remembered_patient.sql")),
    (34, "store_beat", include_str!("../../../migrations/0034_store_beat.sql")),
];

/// The migrations as `dialect` understands them, in order; `schema.rs` runs them.
pub(crate) fn migrations(dialect: Dialect) -> Vec<Migration> {
    let migration = |(version, name, text): &(i64, &'static str, &str)| {
        let text = AssertSqlSafe(spell(text, dialect)).into_sql_str();
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, text, false)
    };
    MIGRATIONS.iter().map(migration).collect()
}

fn spell(text: &str, dialect: Dialect) -> String {
    let text = match dialect {
        Dialect::Postgres => without_blocks_of("sqlite", text),
        Dialect::Sqlite => without_blocks_of("postgres", text),
    };
    match dialect {
        Dialect::Postgres => text.replace(" TEXT", " TEXT COLLATE \"C\""),
        Dialect::Sqlite => text.replace(" BIGINT PRIMARY KEY", " INTEGER PRIMARY KEY AUTOINCREMENT"),
    }
}

/// Leaves out what stands between `-- ONLY engine` and `-- END`.
fn without_blocks_of(engine: &str, text: &str) -> String {
    let begin = format!("-- ONLY {engine}\n");
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, block)) = rest.split_once(&begin) {
        kept.push_str(before);
        rest = block.split_once("-- END\n").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use sqlx::migrate::Migrator;

    use super::*;

    #[test]
    fn a_block_is_for_its_engine() {
        let text = "a;\n-- ONLY sqlite\nb;\n-- END\n-- ONLY postgres\nc TEXT;\n-- END\nd;\n";
        assert_eq!(spell(text, Dialect::Sqlite), "a;\n-- ONLY sqlite\nb;\n-- END\nd;\n");
        assert_eq!(
            spell(text, Dialect::Postgres),
            "a;\n-- ONLY postgres\nc TEXT COLLATE \"C\";\n-- END\nd;\n"
        );
    }

    /// A file that nobody listed would never be run.
    #[test]
    fn every_file_is_listed_by_its_number_and_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let entries = std::fs::read_dir(folder).expect("migrations").map(|entry| entry.expect("an entry"));
        let mut files: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        files.sort();
        let listed: Vec<_> =
            MIGRATIONS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, listed);
        assert!(MIGRATIONS.iter().zip(1_i64..).all(|((version, ..), number)| *version == number));
    }

    /// A node of the release before runs on the schema of this one, and reads and writes what it knows. So a step adds; one that takes
    /// away says from which step on nobody asks for that any more.
    #[test]
    fn a_step_that_takes_away_raises_the_floor() {
        const TAKES_AWAY: [&str; 5] =
            ["DROP TABLE", "DROP COLUMN", "RENAME ", "ALTER COLUMN", "DROP FUNCTION"];
        let floor = MIGRATIONS.iter().position(|(_, name, _)| *name == "schema_floor").expect("a floor");
        let mut wrong = Vec::new();
        for (version, _, text) in &MIGRATIONS[floor + 1..] {
            let lines = text.lines().map(|line| line.split("--").next().unwrap_or_default().to_uppercase());
            let text: String = lines.map(|line| line + "\n").collect();
            let takes_away = TAKES_AWAY.iter().any(|word| text.contains(word));
            if takes_away && !text.contains("UPDATE SCHEMA_FLOOR SET STEP") {
                wrong.push(format!("step {version} takes something away"));
            }
            // Whoever does not know the column leaves it out.
            let asks_for_a_value = |statement: &&str| {
                statement.contains("ADD COLUMN")
                    && statement.contains("NOT NULL")
                    && !statement.contains("DEFAULT")
            };
            wrong.extend(text.split(';').filter(asks_for_a_value).map(|one| format!("step {version}:{one}")));
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// A database that a version of before migration 14 wrote: bookings stay taken, two that now exclude each other too.
    #[tokio::test]
    async fn bookings_of_before_keep_their_times() {
        let options = sqlx_sqlite::SqlitePoolOptions::new().max_connections(1);
        let pool = options.connect("sqlite::memory:").await.expect("SQLite");
        let migrator = Migrator::with_migrations(migrations(Dialect::Sqlite));
        migrator.run_to(13, &pool).await.expect("migrated");
        let doctor = |id| {
            format!(
                "INSERT INTO doctor VALUES ({id}, '', '', '', 'UTC', '', '', TRUE, 1, '', '', '', '', '', '');\n"
            )
        };
        let booking = |id: u8, doctor: &str, issuer: &str, starts: &str, ends: &str| {
            format!(
                "INSERT INTO consultation (id, doctor_id, patient_id, issuer_of_patient_id, patient_name, status, \
                 scheduled_at, reason, version, created_at, updated_at) \
                 VALUES (x'0{id}', {doctor}, 'P1', '{issuer}', '', 'booked', '{starts}', '', 1, '', '');\n\
                 INSERT INTO slot VALUES (x'1{id}', {doctor}, '{issuer}\\P1', '{starts}', '{ends}', x'0{id}', NULL, NULL);\n"
            )
        };
        let old = [
            doctor("x'0a'"),
            doctor("x'0b'"),
            booking(1, "x'0a'", "HOSP", "10:00", "10:30"),
            booking(2, "x'0b'", "", "10:15", "10:45"),
            booking(3, "x'0a'", "", "11:00", "11:30"),
            "INSERT INTO slot VALUES (x'14', x'0b', NULL, '12:00', '12:30', NULL, x'05', '12:05');\n\
             INSERT INTO idempotency VALUES (x'01', x'02', 'key', x'03', '', NULL, '', NULL, '', NULL);"
                .to_owned(),
        ];
        sqlx::raw_sql(AssertSqlSafe(old.concat()).into_sql_str())
            .execute(&pool)
            .await
            .expect("what was there");
        migrator.run(&pool).await.expect("migrated");
        let slots: Vec<(Option<String>, Option<String>)> =
            sqlx::query_as("SELECT patient_key, issuer_of_patient_id FROM slot ORDER BY id")
                .fetch_all(&pool)
                .await
                .expect("slots");
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            slots,
            [(text("P1"), text("HOSP")), (None, text("")), (text("P1"), text("")), (None, None)]
        );
    }

    /// Consultations that were booked before there were reminders get those that are still to come.
    #[tokio::test]
    async fn bookings_of_before_get_reminders() {
        let options = sqlx_sqlite::SqlitePoolOptions::new().max_connections(1);
        let pool = options.connect("sqlite::memory:").await.expect("SQLite");
        let migrator = Migrator::with_migrations(migrations(Dialect::Sqlite));
        migrator.run_to(14, &pool).await.expect("migrated");
        let old = "INSERT INTO doctor VALUES (x'0a', '', '', '', 'UTC', '', '', TRUE, 1, '', '', '', '', '', '{}');
            INSERT INTO consultation (id, doctor_id, patient_id, issuer_of_patient_id, patient_name, status, \
                scheduled_at, reason, version, created_at, updated_at)
            SELECT column1, x'0a', 'P1', '', '', column2, strftime('%Y-%m-%dT%H:%M:%S', 'now', column3) || '+00:00', \
                '', 1, '', ''
            FROM (VALUES (x'01', 'booked', '30 hours'), (x'02', 'booked', '2 hours'), (x'03', 'cancelled', '2 hours'), \
                (x'04', 'booked', '-2 hours'));";
        sqlx::raw_sql(old).execute(&pool).await.expect("what was there");
        migrator.run(&pool).await.expect("migrated");
        let planned: Vec<(Vec<u8>, i32, bool)> = sqlx::query_as(
            "SELECT r.consultation_id, r.minutes_before, CAST(ROUND((julianday(c.scheduled_at) - julianday(r.due_at)) \
             * 1440) AS INTEGER) = r.minutes_before FROM reminder r JOIN consultation c ON c.id = r.consultation_id \
             ORDER BY r.consultation_id, r.minutes_before",
        )
        .fetch_all(&pool)
        .await
        .expect("reminders");
        let expected = [(1_u8, 10), (1, 60), (1, 1_440), (2, 10), (2, 60)];
        assert_eq!(planned, expected.map(|(id, minutes)| (vec![id], minutes, true)));
    }
}
