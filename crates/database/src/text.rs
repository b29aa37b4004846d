//! Text on its way into columns: what both engines hold, and what their indexes take.

use model::text::{fold, fold_person_name};

/// Longest text in a column that is indexed: PostgreSQL's B-tree refuses entries over some 2,700 bytes, and an
/// index may hold two of them. The whole value stays in the header.
pub(crate) const INDEX_TEXT_MAX_BYTES: usize = 1_024;

/// Without NUL, which PostgreSQL's TEXT does not hold.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "")
}

/// [`clean`], and cut at [`INDEX_TEXT_MAX_BYTES`].
pub(crate) fn index_text(text: &str) -> String {
    cut(clean(text))
}

/// [`fold`]ed for an indexed column.
pub(crate) fn index_fold(text: &str) -> String {
    cut(fold(text))
}

/// A person name folded group by group (PS3.5 6.2.1.2): alphabetic, ideographic and phonetic, `=` between them, so
/// that each can be matched alone.
pub(crate) fn index_fold_person_name(text: &str) -> String {
    let groups: Vec<String> = text.split('=').map(fold_person_name).collect();
    cut(groups.join("=").trim_end_matches('=').to_owned())
}

fn cut(mut text: String) -> String {
    if text.len() > INDEX_TEXT_MAX_BYTES {
        text.truncate(text.floor_char_boundary(INDEX_TEXT_MAX_BYTES));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters() {
        let cut = index_text(&format!("a\0{}", "ä".repeat(1_000)));
        assert_eq!(cut.len(), 1_023);
        assert!(cut.starts_with("aä"));
    }

    #[test]
    fn folds_groups() {
        assert_eq!(index_fold_person_name("Yamada^Tarou^^=山田^太郎="), "yamada tarou=山田 太郎");
    }
}
