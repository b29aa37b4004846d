//! Commands in a folder where no server was ever started, and by another user than the server's.

use std::{
    fs,
    os::unix::fs::chown,
    process::{Command, Output},
};

use tests::platform::{Engine, Options, Platform, binary};

/// Who owns nothing.
const NOBODY: u32 = 65534;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// A registration or a verdict about a server that is not there would be believed.
#[test]
fn where_no_server_was_started_commands_say_so_and_make_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for words in [
        "ae add CR1 192.0.2.1",
        "audit verify",
        "audit export --format jsonl",
        "user add --username ann --role viewer",
        "user list",
        "client add ris --role service",
        "grant list",
        "forward list",
        "hold list",
        "deletion list",
        "key status",
        "key rotate-signing",
        "echo STRANGER",
    ] {
        let mut command = Command::new(binary());
        command.args(words.split(' ')).current_dir(&folder).env_clear();
        let output = command.output().expect("maxray runs");
        let text = said(&output);
        assert!(!output.status.success() && text.contains("there is no MaxRay at"), "{words}: {text}");
        assert!(text.contains("MAXRAY_DATA_DIRECTORY") && text.contains("/maxray-data"), "{words}: {text}");
        assert!(fs::read_dir(&folder).expect("a folder").next().is_none(), "{words} made something");
    }
}

/// What root leaves beside a service account keeps that account's server from starting.
#[tokio::test]
async fn who_does_not_own_the_data_changes_nothing() {
    if !rustix::process::geteuid().is_root() {
        // Others cannot even look.
        return;
    }
    let platform = Platform::start(Options::on(Engine::Sqlite)).await;
    let whole = platform.data_directory();
    chown(&whole, Some(NOBODY), None).expect("given away");
    for words in [&["ae", "add", "CR1", "192.0.2.1"][..], &["key", "status"], &["migrate"], &["import", "."]]
    {
        let output = platform.command(words).output().expect("maxray runs");
        let text = said(&output);
        assert!(!output.status.success() && text.contains("sudo -u "), "{words:?}: {text}");
    }
    let output = platform.command(&["audit", "verify"]).output().expect("maxray runs");
    assert!(output.status.success(), "{}", said(&output));
}
