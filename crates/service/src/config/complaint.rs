//! What is wrong with a configuration, in words that hold no value of it: it may be a secret that was given in the wrong form.

use figment::{
    Error,
    error::{Actual, Kind},
};

/// Every complaint, a line for each.
pub(super) fn text_of(error: Error) -> String {
    let lines = error.into_iter().map(|mut one| {
        one.kind = without_value(one.kind);
        one.to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn without_value(kind: Kind) -> Kind {
    match kind {
        Kind::InvalidType(actual, expected) => Kind::InvalidType(form_of(actual), expected),
        Kind::InvalidValue(actual, expected) => Kind::InvalidValue(form_of(actual), expected),
        Kind::Message(text) => Kind::Message(without_source(&text)),
        kind => kind,
    }
}

fn form_of(actual: Actual) -> Actual {
    let form = match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "text",
        Actual::Bytes(_) => "bytes",
        form => return form,
    };
    Actual::Other(form.to_owned())
}

/// The parser of TOML shows the line that it does not understand, behind a bar.
fn without_source(text: &str) -> String {
    let is_source =
        |line: &str| line.trim_start_matches(|one: char| one == ' ' || one.is_ascii_digit()).starts_with('|');
    let lines = text.lines().filter(|line| !line.is_empty() && !is_source(line));
    lines.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use figment::{
        Figment,
        providers::{Format, Toml},
    };

    use super::*;

    #[test]
    fn no_value_is_told() {
        for text in ["root = \"hunter2\nname = 1\n", "name = \"x\"\nroot = [\"hunter2\"\n", "root = 4711\n"] {
            let read = Figment::from(Toml::string(text)).extract::<BTreeMap<String, String>>();
            let told = text_of(read.expect_err("it is wrong"));
            assert!(!told.contains("hunter2") && !told.contains("4711"), "{told}");
            assert!(told.contains("line") || told.contains("a whole number"), "{told}");
        }
    }
}
