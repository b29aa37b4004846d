//! Settings that stand in files of their own, as secrets of Docker, Kubernetes and systemd do: `MAXRAY_SECTION__KEY_FILE`
//! names a file whose content is the value. Where `KEY_FILE` is a setting itself, as `keys.root_file` is beside
//! `keys.root`, the variable is `MAXRAY_SECTION__KEY__FILE`.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use figment::{Figment, providers::Env, value::Value};
use zeroize::Zeroizing;

use super::{
    ConfigError,
    environment::{Variable, is_text, parse, variable},
};

/// Longest such file. Whoever names a device or a log by mistake is told.
const LENGTH_MAX_BYTES: u64 = 1 << 20;

/// A setting and what its file holds.
pub(super) struct SecretFile {
    /// The variable as the environment provider has it: lower case, without prefix.
    pub(super) name: String,
    /// The setting, as `object_storage.s3.secret_access_key`.
    setting: String,
    /// What the file holds.
    content: Zeroizing<String>,
    is_text: bool,
}

impl SecretFile {
    /// Text stays text, also when it looks like a number; other settings are read as their variable would be.
    pub(super) fn variable(&self) -> Variable {
        let text = self.content.as_str();
        let value = if self.is_text { Value::from(text) } else { parse(text) };
        Variable::new(&self.name, self.setting.clone(), value)
    }
}

/// Reads the files that variables name.
pub(super) fn among(variables: &Env, defaults: &Figment) -> Result<Vec<SecretFile>, ConfigError> {
    let names: Vec<(String, String)> =
        variables.iter().map(|(name, value)| (name.as_str().to_ascii_lowercase(), value)).collect();
    let mut files: Vec<SecretFile> = Vec::new();
    for (name, path) in &names {
        let Some((stem, setting)) = setting_of(name, defaults) else { continue };
        let also = names.iter().map(|(name, _)| name).find(|name| *name == stem);
        let also = also.or_else(|| files.iter().find(|file| file.setting == setting).map(|file| &file.name));
        if let Some(other) = also {
            return Err(ConfigError::GivenTwice(variable(other), variable(name)));
        }
        let content = read(Path::new(path)).map_err(|error| ConfigError::Unreadable {
            variable: variable(name),
            path: PathBuf::from(path),
            reason: error.to_string(),
        })?;
        let is_text = is_text(&setting, defaults);
        files.push(SecretFile { name: name.clone(), setting, content, is_text });
    }
    Ok(files)
}

/// The variable without its end, and the setting, when it names a file.
fn setting_of<'a>(name: &'a str, defaults: &Figment) -> Option<(&'a str, String)> {
    if defaults.contains(&dotted(name)) {
        return None;
    }
    let stem = name.strip_suffix("__file").or_else(|| name.strip_suffix("_file"))?;
    let setting = dotted(stem);
    defaults.contains(&setting).then_some((stem, setting))
}

fn dotted(name: &str) -> String {
    name.replace("__", ".")
}

/// The content without the newline that editors and `echo` put at its end.
fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path)?.take(LENGTH_MAX_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > LENGTH_MAX_BYTES {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    let kept = text.strip_suffix('\n').unwrap_or(&text);
    let kept = kept.strip_suffix('\r').unwrap_or(kept).len();
    text.truncate(kept);
    Ok(text)
}
