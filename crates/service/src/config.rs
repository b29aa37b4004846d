//! Configuration: built-in defaults, then one TOML file, then `MAXRAY_SECTION__KEY` environment variables, or files that
//! `MAXRAY_SECTION__KEY_FILE` names.

mod complaint;
mod environment;
mod secret_file;

use std::path::{Path, PathBuf};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Serialize, de::DeserializeOwned};

use self::secret_file::SecretFile;

/// Prefix of the environment variables that override the file.
pub const ENVIRONMENT_PREFIX: &str = "MAXRAY_";

/// The file read from the working directory when none is named.
pub const DEFAULT_FILE: &str = "maxray.toml";

/// Why the configuration cannot be used; the text says which key and where it came from.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file is not there.
    #[error("the configuration file {0} does not exist")]
    FileMissing(PathBuf),
    /// A key is unknown or a value has the wrong form. The text holds no value.
    #[error("configuration: {0}")]
    Invalid(String),
    /// A file that a variable names cannot be used.
    #[error("{variable}: {path} cannot be read: {reason}")]
    Unreadable {
        /// The variable.
        variable: String,
        /// The file that it names.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A setting is given by its value and by a file, or by two files.
    #[error("{0} and {1} are both set, and both give the same setting: take one away")]
    GivenTwice(String, String),
    /// The effective configuration cannot be written as TOML.
    #[error("the configuration cannot be shown")]
    Unprintable(#[from] toml::ser::Error),
}

/// Loads a settings type over its defaults. `file` must exist when named; otherwise `maxray.toml` in the working
/// directory is read if it is there. Variables that begin with `MAXRAY_TEST_` belong to the tests and are passed over.
///
/// # Errors
/// See [`ConfigError`].
pub fn load<T: Default + Serialize + DeserializeOwned>(file: Option<&Path>) -> Result<T, ConfigError> {
    if let Some(path) = file.filter(|path| !path.is_file()) {
        return Err(ConfigError::FileMissing(path.to_owned()));
    }
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let defaults = Figment::from(Serialized::defaults(T::default()));
    let variables = Env::prefixed(ENVIRONMENT_PREFIX)
        .filter(|key| !key.as_str().to_ascii_lowercase().starts_with("test_") && key != "config");
    let files = secret_file::among(&variables, &defaults)?;
    let taken: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let variables = variables.filter(move |key| !taken.iter().any(|name| key == name));
    let given = environment::read(&variables, &defaults);
    // Exactly there: a provider that searches would take one of a folder above.
    let from_file = if path.exists() { defaults.merge(Toml::file_exact(path)) } else { defaults };
    let given = given.into_iter().chain(files.iter().map(SecretFile::variable));
    let figment = given.fold(from_file, |figment, one| figment.merge(one));
    figment.extract().map_err(|error| ConfigError::Invalid(complaint::text_of(error)))
}

/// The settings as TOML with every secret replaced by `***`.
///
/// # Errors
/// When a value has no TOML form.
pub fn show<T: Serialize>(settings: &T) -> Result<String, ConfigError> {
    let mut value = toml::Value::try_from(settings)?;
    hide_secrets(&mut value);
    Ok(toml::to_string_pretty(&value)?)
}

/// Keys whose values are secrets, and the credentials inside URLs.
fn hide_secrets(value: &mut toml::Value) {
    match value {
        toml::Value::Table(table) => {
            for (key, inner) in table {
                let words = ["secret", "password", "access_key", "signing_key"];
                let secret = words.iter().any(|word| key.contains(word))
                    || ["root", "root_previous", "token"].contains(&key.as_str());
                match inner {
                    toml::Value::String(text) if secret && !text.is_empty() => "***".clone_into(text),
                    _ => hide_secrets(inner),
                }
            }
        }
        toml::Value::Array(items) => items.iter_mut().for_each(hide_secrets),
        toml::Value::String(text) => {
            if let (Some(scheme), Some(at)) = (text.find("://"), text.rfind('@'))
                && scheme + 3 < at
            {
                text.replace_range(scheme + 3..at, "***");
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Serialize, serde::Deserialize)]
    struct Settings {
        secret_access_key: String,
        signing_key: String,
        root: String,
        token: String,
        url: String,
        name: String,
    }

    #[test]
    fn secrets_are_hidden() {
        let shown = show(&Settings {
            secret_access_key: "hunter2".into(),
            signing_key: "hunter2".into(),
            root: "hunter2".into(),
            token: "hunter2".into(),
            url: "postgres://maxray:hunter2@db/maxray".into(),
            name: "hunter3".into(),
        })
        .expect("shown");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("postgres://***@db/maxray") && shown.contains("hunter3"), "{shown}");
    }

    #[test]
    fn a_named_file_must_exist() {
        let result = load::<Settings>(Some(Path::new("no-such-file.toml")));
        assert!(matches!(result, Err(ConfigError::FileMissing(_))));
    }
}
