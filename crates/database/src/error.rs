//! What can go wrong with the database, told apart by what the caller can do about it.

use std::fmt;

/// Why a statement was not carried out. The texts hold no patient data.
#[derive(thiserror::Error)]
pub enum DatabaseError {
    /// No connection, no room, or the server is going away; trying later may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Too slow, or locked by others for too long; trying again may help.
    #[error("the database is busy")]
    Busy,
    /// What the call names is not there, or not in reach.
    #[error("not found")]
    NotFound,
    /// The row changed since it was read, or a unique value is taken; the text says what.
    #[error("conflict: {0}")]
    Conflict(String),
    /// A row that MaxRay could not have written, or a header that does not unpack.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// The server or file does not keep the durability promise, or the settings make no sense.
    #[error("the database was refused: {0}")]
    Refused(String),
    /// Schema migration failed.
    #[error("the schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Anything else.
    #[error("database error")]
    Sqlx(#[source] sqlx::Error),
}

/// As the text: what an engine adds for debugging may quote the values of a row.
impl fmt::Debug for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlx(source) => write!(f, "{self}: {source}"),
            Self::Migrate(source) => write!(f, "{self}: {source}"),
            _ => write!(f, "{self}"),
        }
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match error {
            Error::RowNotFound => Self::NotFound,
            Error::PoolTimedOut => Self::Busy,
            Error::Io(error) => Self::Unavailable(error.kind().to_string()),
            Error::Tls(_) => Self::Unavailable("TLS failed".to_owned()),
            Error::PoolClosed | Error::WorkerCrashed => Self::Unavailable("closed".to_owned()),
            Error::ColumnDecode { index, .. } => Self::Corrupt(format!("column {index}")),
            Error::Database(error) => from_engine(error),
            other => Self::Sqlx(other),
        }
    }
}

/// SQLSTATE (five characters) of PostgreSQL, or SQLite's extended result code in decimal.
fn from_engine(error: Box<dyn sqlx::error::DatabaseError>) -> DatabaseError {
    let code = error.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
    if code.len() == 5 {
        return match code.as_str() {
            "57014" | "55P03" | "40001" | "40P01" => DatabaseError::Busy,
            "25006" => DatabaseError::Unavailable("read-only server".to_owned()),
            _ if code.starts_with("53") || code.starts_with("57P") || code.starts_with("08") => {
                DatabaseError::Unavailable(format!("SQLSTATE {code}"))
            }
            _ => DatabaseError::Sqlx(sqlx::Error::Database(error)),
        };
    }
    match code.parse::<u32>().map(|extended| extended & 0xff) {
        Ok(5 | 6) => DatabaseError::Busy,
        Ok(primary @ (8 | 10 | 13 | 14)) => DatabaseError::Unavailable(format!("SQLite result {primary}")),
        Ok(11 | 26) => DatabaseError::Corrupt("the SQLite file is damaged".to_owned()),
        _ => DatabaseError::Sqlx(sqlx::Error::Database(error)),
    }
}

impl DatabaseError {
    /// The program ends, and what would do the work is gone.
    pub(crate) fn closing() -> Self {
        Self::Unavailable("closing".to_owned())
    }

    /// The same for another of those who shared a transaction.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Unavailable(why) => Self::Unavailable(why.clone()),
            Self::Busy => Self::Busy,
            other => Self::Corrupt(other.to_string()),
        }
    }

    /// Whether the statement lost a race that running the transaction again decides.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Sqlx(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Whether a row that the statement refers to is missing.
    pub(crate) fn is_foreign_key_violation(&self) -> bool {
        matches!(self, Self::Sqlx(sqlx::Error::Database(error)) if error.is_foreign_key_violation())
    }
}
