//! Lists of SQLite as one text. sqlx carries each row by itself, column by column, from the thread of a connection to whoever
//! asked, and both threads are woken for it: of a list of fifty rows that is half the work. JSON that the engine makes is
//! carried once. PostgreSQL sends its rows together anyway.

use serde::de::DeserializeOwned;

use crate::DatabaseError;

/// Fetches the rows of `$sql` by `$query`, to which `$bound` binds its parameters; `$columns` is as in [`gathered`].
macro_rules! fetch_list {
    ($database:expr, $sql:expr, $columns:expr, $query:ident => $bound:expr) => {
        match $database {
            $crate::engine::Database::Postgres(engine) => {
                let $query = sqlx::query_as(sqlx::AssertSqlSafe($sql));
                $bound.fetch_all(&engine.read).await?
            }
            $crate::engine::Database::Sqlite(engine) => {
                let $query =
                    sqlx::query_scalar(sqlx::AssertSqlSafe($crate::gathered::gathered(&$sql, $columns)));
                let text: String = $bound.fetch_one(&engine.read).await?;
                $crate::gathered::read(&text)?
            }
        }
    };
}

/// All rows of a SELECT of SQLite as one JSON text, an array of arrays of these columns.
pub(crate) fn array_of(columns: &str) -> String {
    format!("json_group_array(json_array({columns}))")
}

/// The statement that gives the rows of `sql` as one text; `columns` says how each of its columns is put into JSON, in the order
/// of the fields of what [`read`] makes of it. Blobs are not for JSON: `hex(id)`.
pub(crate) fn gathered(sql: &str, columns: &str) -> String {
    format!("SELECT {} FROM ({sql})", array_of(columns))
}

/// The rows of such a text.
///
/// # Errors
/// [`DatabaseError::Corrupt`] when a column holds what it must not.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, DatabaseError> {
    serde_json::from_str(text).map_err(|error| DatabaseError::Corrupt(format!("a list: {error}")))
}
