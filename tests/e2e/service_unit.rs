//! `deploy/maxray.service`: what it names exists, and systemd understands it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tests::platform::binary;

fn unit() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned();
    fs::read_to_string(root.join("deploy/maxray.service")).expect("deploy/maxray.service")
}

/// The lines `KEY=VALUE` of the unit.
fn lines(unit: &str) -> impl Iterator<Item = (&str, &str)> {
    unit.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='))
}

#[test]
fn the_unit_starts_the_server_as_its_user() {
    let unit = unit();
    let settings: BTreeMap<&str, &str> = lines(&unit).collect();
    for (key, value) in [
        ("User", "maxray"),
        ("StateDirectory", "maxray"),
        ("StateDirectoryMode", "0700"),
        ("ExecStart", "/usr/local/bin/maxray serve"),
        ("Restart", "on-failure"),
        ("KillMode", "mixed"),
        ("SystemCallErrorNumber", "EPERM"),
    ] {
        assert_eq!(settings.get(key), Some(&value), "{key}");
    }
    let patience: u64 = settings["TimeoutStopSec"].parse().expect("seconds");
    let drains = pacs::PacsConfig::default().drain_timeout_ms
        + service::http::limits::HttpConfig::default().drain_timeout_ms
        + worker::WorkerConfig::default().shutdown_grace_ms;
    assert!(patience * 1000 > drains, "{drains} ms to drain");
    for call in ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"] {
        let is_taken = |(key, value): (&str, &str)| key == "SystemCallFilter" && value.contains(call);
        assert!(lines(&unit).any(is_taken), "a decoder needs {call}");
    }
    assert_eq!(settings["Environment"].split(' ').count(), 2);
    let folder = tempfile::tempdir().expect("a folder");
    let configuration = folder.path().join("maxray.toml");
    fs::write(&configuration, "").expect("a file");
    let mut command = Command::new(binary());
    command.args(["config", "check"]).current_dir(&folder).env_clear();
    for (name, value) in settings["Environment"].split(' ').filter_map(|pair| pair.split_once('=')) {
        let is_configuration = name == "MAXRAY_CONFIG";
        let here = if is_configuration { configuration.clone() } else { PathBuf::from(value) };
        command.env(name, here);
    }
    let output = command.output().expect("maxray runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("data_directory = \"/var/lib/maxray\""));
}

/// No systemd runs for it.
#[test]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("maxray.service");
    let here = unit().replace("/usr/local/bin/maxray", &binary().display().to_string());
    fs::write(&file, here).expect("a file");
    let asked = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output();
    let output = asked.expect("systemd-analyze: run ./test, it installs it");
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let complaints: Vec<&str> = told.lines().filter(|line| line.contains("maxray.service")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
