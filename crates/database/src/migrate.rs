//! Marked place: the schema, one text for both engines, with two words rewritten for one of them.

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
    (5, "sessions", include_str!("../../../migrations/0005_sessions.sql")),
];

/// The migrations as `dialect` understands them. sqlx runs each in a transaction, once, under a lock.
pub(crate) fn migrator(dialect: Dialect) -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, name, text)| {
        let text = AssertSqlSafe(spell(text, dialect)).into_sql_str();
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, text, false)
    });
    Migrator::with_migrations(migrations.collect())
}

fn spell(text: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Postgres => text.replace(" TEXT", " TEXT COLLATE \"C\""),
        Dialect::Sqlite => text.replace(" BIGINT PRIMARY KEY", " INTEGER PRIMARY KEY AUTOINCREMENT"),
    }
}
