//! Patients' names by what is within them. Where PostgreSQL has an index of their trigrams, it leads to the patients whose names hold what a
//! pattern with a wildcard in front asks for. Of very many patients a page is sooner full from the newest study on, so they are counted
//! before, no further than that.

use sqlx::AssertSqlSafe;

use super::{
    Attribute, Condition, Matching, SearchQuery,
    condition::{names_few, push_each},
    page::bind_all,
    sql::{Bind, Sql},
};
use crate::{
    Database, DatabaseError,
    scope::{Reach, ReachBind},
    text::{clean, index_fold_person_name},
};

/// The index of migration 32, once it is whole; and whether what the server takes for a letter is more than ASCII.
const FIND: &str = "SELECT (SELECT datctype NOT IN ('C', 'POSIX') FROM pg_database WHERE datname = current_database()) \
    FROM pg_index WHERE indexrelid = to_regclass('patient_by_name_trigrams') AND indisvalid";
/// Letters and digits in a row from which on there is a trigram. What stands between words is in none.
const TRIGRAM: usize = 3;
/// So many patients are few beside any page.
const FEW_MIN: u64 = 1_000;
/// A longer page takes a longer walk from the newest study on: beside it more patients are few, for each of its rows so many.
const FEW_FOR_A_ROW: u64 = 4;
/// More are not few beside any page.
const FEW_MAX: u64 = 20_000;

/// Of which letters the index has trigrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrigramLetters {
    /// Of those of ASCII.
    Ascii,
    /// Of all.
    All,
}

impl TrigramLetters {
    fn has(self, character: char) -> bool {
        character.is_ascii_alphanumeric()
            || (self == Self::All && !character.is_ascii() && character.is_alphanumeric())
    }
}

/// Looks once whether the index is there, and says so when it is not.
pub(crate) async fn find_name_trigrams(database: &Database) -> Result<(), DatabaseError> {
    let Database::Postgres(engine) = database else { return Ok(()) };
    let found: Option<bool> = sqlx::query_scalar(FIND).fetch_optional(&engine.read).await?;
    let Some(beyond_ascii) = found else {
        tracing::info!(
            "names have no index of trigrams: a search for PatientName=*name* walks through the studies until its page is full; \
             docs/operations.md, PostgreSQL, says how to make it"
        );
        return Ok(());
    };
    let letters = if beyond_ascii { TrigramLetters::All } else { TrigramLetters::Ascii };
    // This is the first look, and the only one.
    let _ = engine.shared.name_trigrams.set(letters);
    Ok(())
}

fn has_trigram(folded: &str, letters: TrigramLetters) -> bool {
    folded.split(|character: char| !letters.has(character)).any(|run| run.chars().count() >= TRIGRAM)
}

/// Whether it asks for something within the patient's name that the index knows.
fn asks_within(condition: &Condition, letters: TrigramLetters) -> bool {
    match &condition.matching {
        Matching::Wildcard(pattern) if condition.attribute == Attribute::PatientName => {
            has_trigram(&index_fold_person_name(&clean(pattern)), letters)
        }
        _ => false,
    }
}

/// How many patients are few beside the page.
fn few_beside(query: &SearchQuery) -> u64 {
    let rows = query.offset.saturating_add(u64::from(query.limit));
    rows.saturating_mul(FEW_FOR_A_ROW).clamp(FEW_MIN, FEW_MAX)
}

/// Whether trigrams lead to few patients who meet every condition on them, where nothing else does: then the search starts from these. It
/// says how to search and not what is found, so it may be old by then.
pub(super) async fn lead_to_few(
    database: &Database,
    reach: &Reach,
    query: &SearchQuery,
) -> Result<bool, DatabaseError> {
    let Some(letters) = database.shared().name_trigrams.get() else { return Ok(false) };
    let few = reach.is_bounded() || query.conditions.iter().any(|one| names_few(one, query.fuzzy));
    if few || query.fuzzy || !query.conditions.iter().any(|one| asks_within(one, *letters)) {
        return Ok(false);
    }
    let few = few_beside(query);
    let of_patient: Vec<&Condition> =
        query.conditions.iter().filter(|one| one.attribute.is_of_patient()).collect();
    let mut sql = Sql::new(database.dialect());
    sql.trigrams = true;
    // With their keys: an index of names alone could be read from end to end.
    sql.push("SELECT COUNT(named.id) FROM (SELECT patient.id FROM patient WHERE 1 = 1");
    push_each(&mut sql, &of_patient, query);
    sql.push(&format!(" LIMIT {}) AS named", few.saturating_add(1)));
    let found: i64 = on!(database, engine => bind_all!(
        sqlx::query_scalar(AssertSqlSafe(sql.text)), sql.binds).fetch_one(&engine.read).await?);
    Ok(found.unsigned_abs() <= few)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_letters_in_a_row_make_a_trigram() {
        use TrigramLetters::{All, Ascii};
        for (pattern, letters, expected) in [
            ("*doe*", Ascii, true),
            ("*doe", Ascii, true),
            ("a*d?doe?", Ascii, true),
            ("*do?e*", Ascii, false),
            ("*do e*", Ascii, false),
            ("*o'b*", Ascii, false),
            ("*a_b*", All, false),
            ("*\u{438}\u{432}\u{430}*", Ascii, false),
            ("*\u{438}\u{432}\u{430}*", All, true),
            ("*\u{5c71}\u{7530}*", All, false),
        ] {
            assert_eq!(has_trigram(pattern, letters), expected, "{pattern} {letters:?}");
        }
    }

    #[test]
    fn beside_a_longer_page_more_patients_are_few() {
        let few = |limit, offset| few_beside(&SearchQuery { limit, offset, ..SearchQuery::default() });
        assert_eq!(
            [few(50, 0), few(1_000, 0), few(50, 1_950), few(1, u64::MAX)],
            [1_000, 4_000, 8_000, 20_000]
        );
    }
}
