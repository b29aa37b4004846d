//! The rules over source text. A rule gives a sentence for each thing that breaks it.

use crate::source::Source;

/// Longest file, in lines before the trailing test module.
const FILE_LINES_MAX: usize = 300;
/// Longest function, in lines of code between its braces.
const FUNCTION_LINES_MAX: usize = 60;

/// A rule.
pub type Rule = fn(&Source) -> Vec<String>;

/// Every rule with its name.
pub const RULES: &[(&str, Rule)] = &[
    ("a file says what it is in its first line (//!)", module_doc),
    ("a file has at most 300 lines without its tests", file_length),
    ("a function has at most 60 lines", function_length),
    ("only crates/database holds SQL", sql),
    ("only crates/object-storage names S3", object_store),
    ("model, dicom-header and rendering do no input or output", purity),
    ("no door names a door", doors),
    ("routes stand where a test finds them and asks who may use them", routes),
    ("nothing is left open", left_open),
];

fn module_doc(source: &Source) -> Vec<String> {
    let first = source.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let says_something =
        first.strip_prefix("//! ").is_some_and(|words| words.len() > 4 && words != "Placeholder.");
    if says_something { vec![] } else { vec![format!("{}: {first}", source.path)] }
}

fn file_length(source: &Source) -> Vec<String> {
    if source.is_product() && source.product_lines > FILE_LINES_MAX {
        return vec![format!("{}: {} lines", source.path, source.product_lines)];
    }
    vec![]
}

fn function_length(source: &Source) -> Vec<String> {
    if !source.is_product() {
        return vec![];
    }
    let mut findings = Vec::new();
    let lines: Vec<&str> = source.lexed.code.lines().take(source.product_lines).collect();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let length = body_length(&lines[index..]);
        if length > FUNCTION_LINES_MAX {
            findings.push(format!("{}:{}: {name} has {length} lines", source.path, index + 1));
        }
    }
    findings
}

/// The name when a function begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let after = match line.trim_start().strip_prefix("fn ") {
        Some(after) => after,
        None => line.split_once(" fn ")?.1,
    };
    let end = after.find(|one: char| !one.is_alphanumeric() && one != '_')?;
    (end > 0).then(|| &after[..end])
}

/// Lines of the body that are not blank, as clippy counts them: comments, signature and outer braces are not in it.
fn body_length(lines: &[&str]) -> usize {
    let (mut depth, mut length) = (0_i64, 0);
    for line in lines {
        let was_inside = depth > 0;
        for character in line.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ';' if depth == 0 && line.trim_end().ends_with(';') => return 0,
                _ => {}
            }
        }
        if was_inside && depth <= 0 {
            break;
        }
        length += usize::from(was_inside && !line.trim().is_empty());
    }
    length
}

/// Files that add routes, and how many lines of them do. Behind each is a test that asks every route for its policy: the
/// doors list theirs (`dicomweb::tests::access`, `doctor-api::tests::rights`); the others are public by name
/// (`tests/e2e/access.rs`).
const ROUTES: &[(&str, usize)] = &[
    ("crates/service/src/http/health.rs", 4),
    ("crates/service/src/http/limits.rs", 1),
    ("dicomweb/src/router.rs", 1),
    ("maxray/src/routes.rs", 2),
];

fn routes(source: &Source) -> Vec<String> {
    const WORDS: &[&str] =
        &[".route(", ".nest(", ".route_service(", ".nest_service(", ".fallback(", ".fallback_service("];
    if !source.is_product() || source.path.contains("/tests/") {
        return vec![];
    }
    let lines = source.product_code().filter(|(_, line)| WORDS.iter().any(|word| line.contains(word)));
    let found: Vec<String> =
        lines.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())).collect();
    let expected = ROUTES.iter().find(|(path, _)| *path == source.path).map_or(0, |(_, count)| *count);
    if found.len() == expected { vec![] } else { found }
}

fn sql(source: &Source) -> Vec<String> {
    if source.path.starts_with("crates/database/") || source.path.starts_with("tests/") {
        return vec![];
    }
    let mut findings = words(source, &["sqlx", "sqlx_core", "sqlx_postgres", "sqlx_sqlite"]);
    for (line, text) in &source.lexed.strings {
        if is_sql(text) {
            findings.push(format!("{}:{line}: {text}", source.path));
        }
    }
    findings
}

fn is_sql(text: &str) -> bool {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let opens = |verb: &str, then: &str| text.starts_with(verb) && text.contains(then);
    opens("SELECT ", " FROM ")
        || opens("INSERT ", "INTO ")
        || opens("UPDATE ", " SET ")
        || opens("DELETE ", "FROM ")
        || opens("CREATE ", "TABLE ")
        || opens("CREATE ", "INDEX ")
        || opens("ALTER ", "TABLE ")
        || opens("DROP ", "TABLE ")
        || opens("WITH ", " AS (SELECT ")
        || text == "BEGIN IMMEDIATE"
}

fn object_store(source: &Source) -> Vec<String> {
    if source.path.starts_with("crates/object-storage/") || !source.is_product() {
        return vec![];
    }
    words(source, &["object_store", "AmazonS3", "aws_sdk_s3"])
}

fn purity(source: &Source) -> Vec<String> {
    let pure = ["crates/model/src", "crates/dicom-header/src", "crates/rendering/src"];
    if !pure.iter().any(|folder| source.path.starts_with(folder)) {
        return vec![];
    }
    words(source, &["std::fs", "std::net", "std::process", "std::env", "tokio", "File::open", "TcpStream"])
}

fn doors(source: &Source) -> Vec<String> {
    let doors = ["pacs", "dicomweb", "doctor_api"];
    let folder = source.path.split('/').next().unwrap_or_default().replace('-', "_");
    if !doors.contains(&folder.as_str()) {
        return vec![];
    }
    let others = doors.iter().filter(|door| **door != folder).map(|door| format!("{door}::"));
    others.flat_map(|other| words(source, &[&other])).collect()
}

fn left_open(source: &Source) -> Vec<String> {
    let mut findings = words(source, &["todo!", "unimplemented!", "dbg!", "#[allow", "#![allow"]);
    for (line, text) in source.text.lines().enumerate() {
        if ["TODO", "FIXME", "XXX:", "HACK"].iter().any(|mark| text.contains(&format!("// {mark}"))) {
            findings.push(format!("{}:{}: {}", source.path, line + 1, text.trim()));
        }
    }
    findings
}

/// Lines of product code that contain one of these words, not as part of a longer one.
fn words(source: &Source, words: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in source.product_code() {
        for word in words {
            if has_word(line, word) {
                findings.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    findings
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let part = |one: char| one.is_alphanumeric() || one == '_';
        let begins = !line[..at].ends_with(part) || !word.starts_with(part);
        begins && (!line[at + word.len()..].starts_with(part) || !word.ends_with(part))
    })
}

/// Paths of the machine that something was written on.
pub fn machine_words(path: &str, text: &str) -> Vec<String> {
    // Put together, so that this file does not find itself.
    let forbidden = ["/wo rk/", "/tmp/ve nv", "/ro ot/", "/ho me/", "CARGO_TARGET_DIR=/wo rk"]
        .map(|word| word.replace(' ', ""));
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in &forbidden {
            if line.match_indices(word.as_str()).any(|(at, _)| stands_alone(&line[..at])) {
                findings.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    findings
}

/// Not the middle of a longer path, a URL or a pattern.
fn stands_alone(before: &str) -> bool {
    !before.ends_with(|one: char| one.is_alphanumeric() || matches!(one, '.' | '}' | '*' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<&'static str> {
        let source = Source::new(path, &format!("//! A file that says what it is.\n{text}\n"));
        RULES.iter().filter(|(_, rule)| !rule(&source).is_empty()).map(|(name, _)| *name).collect()
    }

    #[test]
    fn each_rule_can_fail() {
        let cases = [
            ("pacs/src/a.rs", "let a = sqlx::query(b);".to_owned(), RULES[3].0),
            ("pacs/src/a.rs", "let a = \"SELECT a\n FROM b\";".to_owned(), RULES[3].0),
            ("crates/archive/src/a.rs", "use object_store::path::Path;".to_owned(), RULES[4].0),
            ("crates/model/src/a.rs", "use std::fs;".to_owned(), RULES[5].0),
            ("crates/rendering/src/a.rs", "tokio::spawn(a);".to_owned(), RULES[5].0),
            ("dicomweb/src/a.rs", "use pacs::serve;".to_owned(), RULES[6].0),
            ("worker/src/a.rs", "router.route(a, b);".to_owned(), RULES[7].0),
            ("worker/src/a.rs", ["to", "do!();"].concat(), RULES[8].0),
            ("worker/src/a.rs", ["// TO", "DO: later"].concat(), RULES[8].0),
            ("worker/src/a.rs", "let a = 1;\n".repeat(301), RULES[1].0),
            ("worker/src/a.rs", format!("pub async fn a() {{\n{}}}", "    b();\n".repeat(61)), RULES[2].0),
        ];
        for (path, text, rule) in cases {
            assert_eq!(check(path, &text), [rule], "{path}: {text}");
        }
        assert_eq!(module_doc(&Source::new("a.rs", "fn main() {}")).len(), 1);
        assert_eq!(module_doc(&Source::new("a.rs", "//! Placeholder.")).len(), 1);
    }

    #[test]
    fn what_only_looks_wrong_is_taken() {
        let none: [&str; 0] = [];
        for (path, text) in [
            ("pacs/src/a.rs", "// sqlx lives in database\nlet a = \"SELECT a window\";"),
            ("crates/database/src/a.rs", "let a = \"SELECT a FROM b\";"),
            ("dicomweb/src/a.rs", "use dicomweb::router; let dicomweb_pacs = 1;"),
            ("crates/model/src/a.rs", "//! Nothing of std::fs or tokio here.\nlet tokio_like = 1;"),
            ("worker/src/a.rs", "fn a() -> bool { let b = '{'; true }\ntrait T { fn c(&self); }\n"),
            ("worker/src/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}"),
        ] {
            assert_eq!(check(path, text), none, "{path}: {text}");
        }
    }

    #[test]
    fn a_long_function_is_measured_to_its_own_end() {
        let text =
            format!("fn a() {{\n{}}}\nfn b() {{\n{}}}", "    c();\n".repeat(60), "    c();\n".repeat(60));
        assert!(check("worker/src/a.rs", &text).is_empty());
    }

    #[test]
    fn machine_paths_are_found_and_ordinary_ones_are_not() {
        let path = ["/wo", "rk/main"].concat();
        assert_eq!(machine_words("a.md", &format!("cd {path}")).len(), 1);
        assert_eq!(machine_words("a.md", &format!("https://example.org{path} and a{path}")).len(), 0);
        assert_eq!(machine_words("a.md", "cd ~/.cache/maxray; ls /var/lib/maxray").len(), 0);
    }
}
