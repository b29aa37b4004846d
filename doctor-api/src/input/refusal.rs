//! What serde says about a refused field, without the refused value: that may name a patient.

use service::http::problem::Problem;

/// Longest field name that is repeated in an answer, in characters.
const FIELD_NAME_LENGTH_MAX: usize = 64;

/// Adds the field that an error is about.
pub fn name_field(problem: Problem, path: &str, error: &str) -> Problem {
    let (field, message) = explain(path, error);
    let field: String = field.chars().filter(|c| !c.is_control()).take(FIELD_NAME_LENGTH_MAX).collect();
    problem.field(field, message)
}

fn explain(path: &str, error: &str) -> (String, String) {
    let error = error.split(" at line ").next().unwrap_or(error);
    let path = if path == "." { "" } else { path };
    if let Some(name) = quoted(error, "unknown field `") {
        return (within(path, name), "is not a known field".into());
    }
    if let Some(name) = quoted(error, "missing field `") {
        return (within(path, name), "is required".into());
    }
    if let Some(name) = quoted(error, "duplicate field `") {
        return (within(path, name), "is given twice".into());
    }
    // The text before the last ", expected" may hold the value that came.
    let message = match error.rsplit_once(", expected ") {
        Some((_, expected)) => format!("must be {expected}"),
        None => "has the wrong form".to_owned(),
    };
    (path.to_owned(), message)
}

fn quoted<'a>(error: &'a str, start: &str) -> Option<&'a str> {
    error.strip_prefix(start)?.split('`').next()
}

/// serde_path_to_error sometimes names the unknown field itself as the last part of the path.
fn within(path: &str, name: &str) -> String {
    if path.is_empty() || path == name {
        name.to_owned()
    } else if path.ends_with(&format!(".{name}")) {
        path.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fields_and_hides_values() {
        let check = |path, error| explain(path, error);
        assert_eq!(
            check("role", "unknown field `role`, expected `name` at line 1 column 9"),
            ("role".into(), "is not a known field".into())
        );
        assert_eq!(
            check("account", "missing field `password` at line 1 column 2"),
            ("account.password".into(), "is required".into())
        );
        let (field, message) = check(
            "specialties[0]",
            "invalid type: string \"Doe^Jane, expected x\", expected a sequence at line 1 column 3",
        );
        assert_eq!((field.as_str(), message.as_str()), ("specialties[0]", "must be a sequence"));
        assert_eq!(check("id", "UUID parsing failed: found `Doe`").1, "has the wrong form");
    }
}
