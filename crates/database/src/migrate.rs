//! Marked place: the schema, one text for both engines, with two words rewritten for one of them, and blocks for one.

use std::borrow::Cow;

use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
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
];

/// The migrations as `dialect` understands them, to be run in order: each one brings the schema one step further,
/// and the last one also refuses a schema that a later version has made. sqlx runs each step in a transaction, once,
/// under a lock.
pub(crate) fn migrators(dialect: Dialect) -> impl Iterator<Item = Migrator> {
    (1..=MIGRATIONS.len()).map(move |steps| {
        let migrations = MIGRATIONS[..steps].iter().map(|(version, name, text)| {
            let text = AssertSqlSafe(spell(text, dialect)).into_sql_str();
            Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, text, false)
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.set_ignore_missing(steps < MIGRATIONS.len());
        migrator
    })
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
}
