//! Settings in variables, `MAXRAY_SECTION__KEY`: text stays text, also when it looks like a number.

use std::convert::Infallible;

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    providers::Env,
    util::nest,
    value::{Dict, Map, Value},
};

use super::ENVIRONMENT_PREFIX;

/// A setting and the variable that gives it.
pub(super) struct Variable {
    /// As the operator wrote it.
    name: String,
    /// As `pacs.tls.minimum_version`.
    setting: String,
    value: Value,
}

impl Variable {
    /// `name` is that of the environment provider: lower case, without prefix.
    pub(super) fn new(name: &str, setting: String, value: Value) -> Self {
        Self { name: variable(name), setting, value }
    }
}

/// Reads these variables.
pub(super) fn read(variables: &Env, defaults: &Figment) -> Vec<Variable> {
    let variables = variables.clone().split("__");
    variables
        .iter()
        .map(|(setting, text)| {
            let setting = setting.as_str().to_owned();
            let value = if is_text(&setting, defaults) { text_of(&text) } else { parse(&text) };
            Variable::new(&setting.replace('.', "__"), setting, value)
        })
        .collect()
}

/// Whether a setting holds text: its default does.
pub(super) fn is_text(setting: &str, defaults: &Figment) -> bool {
    matches!(defaults.find_value(setting), Ok(Value::String(..)))
}

/// As TOML would have it, nearly: numbers, `true`, `[a, b]`, `{a = b}`; all else is text, and so is what quotes stand around.
pub(super) fn parse(text: &str) -> Value {
    text.parse().unwrap_or_else(|never: Infallible| match never {})
}

/// A password of digits, or 1.3, is text.
fn text_of(text: &str) -> Value {
    match parse(text) {
        value @ (Value::String(..) | Value::Char(..)) => value,
        _ => Value::from(text.trim()),
    }
}

/// What the operator calls it.
pub(super) fn variable(name: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", name.to_ascii_uppercase())
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("the environment variable {}", self.name))
            .interpolater(|_: &Profile, keys: &[&str]| keys.join("."))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let nested = nest(&self.setting, self.value.clone()).into_dict();
        Ok(Profile::Default.collect(nested.unwrap_or_default()))
    }
}
