//! PS3.4 C.2.2.2.1.1, Fuzzy Semantic Matching of patients' names: by the words of a name, in any order, as they begin or
//! as they sound. The words are kept beside the patient, so that a search starts from an index.

use std::{cmp::Reverse, collections::BTreeSet};

use model::text::{fold_person_name, phonetic};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Matching,
    matching::{prefix, push_wildcard},
    sql::{Bind, Sql},
};
use crate::{
    Database, DatabaseError,
    statement::{Statement, rows, uuid_rows, uuid_value},
    text::clean,
};

/// Words of one name that are kept, and words of one question that count: names have a few.
const WORDS_MAX: usize = 16;
/// Characters of a word from which on it is taken to name few patients.
const SELECTIVE_LENGTH: usize = 3;
/// Patients whose words are written in one transaction when the program starts.
const PATIENTS_AT_ONCE: i64 = 1_000;

/// Words of patients that are new, in the transaction that writes them.
pub(crate) static NAME_WORDS: Statement = Statement::new(
    "INSERT INTO patient_name_word (patient, word, phonetic) SELECT patient, word, phonetic \
     FROM ROWS($1: patient uuid, word text, phonetic text) AS r WHERE true ON CONFLICT DO NOTHING",
);

/// The rows of [`NAME_WORDS`] for one patient, from the folded name: each word, and the parts of those with a hyphen.
pub(crate) fn name_word_rows(patient: Uuid, patient_name_folded: &str) -> impl Iterator<Item = Vec<Value>> {
    let whole = patient_name_folded.split([' ', '=']);
    let parts = patient_name_folded.split([' ', '=', '-']);
    let words: BTreeSet<&str> =
        whole.chain(parts).filter(|word| !word.is_empty()).take(WORDS_MAX * 2).collect();
    let words: Vec<String> = words.into_iter().take(WORDS_MAX).map(str::to_owned).collect();
    words.into_iter().map(move |word| {
        let sound = phonetic(&word).unwrap_or_default();
        vec![uuid_value(patient), Value::from(word), Value::from(sound)]
    })
}

/// The words asked for, with their wildcards; a `*` at the end says nothing that a beginning does not.
fn words(value: &str) -> impl Iterator<Item = String> {
    let folded = fold_person_name(&clean(value));
    let words = folded.split(' ').map(|word| word.trim_end_matches('*')).filter(|word| !word.is_empty());
    let words: Vec<String> = words.take(WORDS_MAX).map(str::to_owned).collect();
    words.into_iter()
}

/// Whether a fuzzy condition on the patient's name picks few patients.
pub(super) fn is_selective(matching: &Matching) -> bool {
    match matching {
        Matching::Equals(value) | Matching::Wildcard(value) => {
            words(value).any(|word| prefix(&word).chars().count() >= SELECTIVE_LENGTH)
        }
        Matching::Range { .. } | Matching::UidList(_) => false,
    }
}

/// A condition on `patient`: every word asked for begins a word of the name, or sounds like one. The longest one tells
/// where to start from; of the patients that it finds, the others are asked one by one, as common as they may be.
pub(super) fn push_name_words(sql: &mut Sql, value: &str) {
    let mut words: Vec<String> = words(value).collect();
    words.sort_by_key(|word| Reverse(prefix(word).chars().count()));
    sql.push("(1 = 1");
    for (index, word) in words.iter().enumerate() {
        let sound = phonetic(word);
        if index > 0 {
            sql.push(" AND EXISTS (SELECT 1 FROM patient_name_word w WHERE w.patient = patient.id AND (");
            push_wildcard(sql, "w.word", &format!("{word}*"));
            if let Some(sound) = sound {
                sql.push(" OR w.phonetic = ");
                sql.bind(Bind::Text(sound));
            }
            sql.push("))");
            continue;
        }
        let (before, after) = sql.dialect.any_of();
        sql.push(&format!(" AND patient.id {before}SELECT w.patient FROM patient_name_word w WHERE "));
        push_wildcard(sql, "w.word", &format!("{word}*"));
        if let Some(sound) = sound {
            sql.push(
                " UNION SELECT s.patient FROM patient_name_word s WHERE s.phonetic <> '' AND s.phonetic = ",
            );
            sql.bind(Bind::Text(sound));
        }
        sql.push(after);
    }
    sql.push(")");
}

static WITHOUT_WORDS: &str =
    "SELECT id, patient_name_folded FROM patient WHERE NOT has_name_words ORDER BY id LIMIT $1";

static HAVE_WORDS: Statement = Statement::new(
    "UPDATE patient SET has_name_words = true WHERE id IN (SELECT id FROM ROWS($1: id uuid) AS r)",
);

/// Writes the words of patients that an earlier version stored. Ends at once when there are none.
pub(crate) async fn fill_name_words(database: &Database) -> Result<(), DatabaseError> {
    let dialect = database.dialect();
    loop {
        let found: Vec<(Uuid, String)> = on!(database, engine => sqlx::query_as(WITHOUT_WORDS)
            .bind(PATIENTS_AT_ONCE)
            .fetch_all(&engine.read)
            .await?);
        if found.is_empty() {
            return Ok(());
        }
        let words = rows(found.iter().flat_map(|(patient, name)| name_word_rows(*patient, name)).collect());
        let patients = uuid_rows(found.iter().map(|(patient, _)| *patient));
        let mut tx = database.begin().await?;
        on_tx!(tx, connection =>
            sqlx::query(NAME_WORDS.on(dialect)).bind(words).execute(connection).await.map(drop)?);
        on_tx!(tx, connection =>
            sqlx::query(HAVE_WORDS.on(dialect)).bind(patients).execute(connection).await.map(drop)?);
        database.commit(tx).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Dialect;

    #[test]
    fn words_of_a_name_and_their_parts() {
        let rows: Vec<Vec<Value>> = name_word_rows(Uuid::nil(), "muller-lude max=\u{5c71}\u{7530}").collect();
        let words: Vec<&str> = rows.iter().filter_map(|row| row[1].as_str()).collect();
        assert_eq!(words, ["lude", "max", "muller", "muller-lude", "\u{5c71}\u{7530}"]);
        assert_eq!(rows[4][2], "");
        assert_eq!(name_word_rows(Uuid::nil(), &"x y ".repeat(1_000)).count(), 2);
        let long: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        assert_eq!(name_word_rows(Uuid::nil(), &long.join(" ")).count(), WORDS_MAX);
    }

    #[test]
    fn a_question_of_words_is_bound_and_never_text() {
        let mut sql = Sql::new(Dialect::Sqlite);
        push_name_words(&mut sql, "Me'); DROP*");
        assert!(!sql.text.contains("DROP") && !sql.text.contains("me'"), "{}", sql.text);
        assert_eq!(sql.binds.len(), 7, "{:?}", sql.binds);
        assert!(
            is_selective(&Matching::Equals("a Meyer".into()))
                && !is_selective(&Matching::Wildcard("me*".into()))
        );
    }
}
