//! How the program is configured: settings in files of their own, and whether a server is well.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tests::{
    platform::{Options, Platform, binary},
    tls::Authority,
};

/// `maxray config check` with these variables: whether it is content, and what it says.
fn check(variables: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(binary());
    command.args(["config", "check"]).current_dir(&folder).env_clear().envs(variables.iter().copied());
    said(&command.output().expect("maxray runs"))
}

fn said(output: &Output) -> (bool, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Files with these contents.
fn files<const N: usize>(contents: [&[u8]; N]) -> (tempfile::TempDir, [String; N]) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut number = 0;
    let paths = contents.map(|content| {
        number += 1;
        let path: PathBuf = folder.path().join(format!("{number}"));
        fs::write(&path, content).expect("a file");
        // As a root key has to be.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        path.display().to_string()
    });
    (folder, paths)
}

/// Only that of the folder itself: whoever can write to one above it sets nothing here.
#[test]
fn the_file_of_the_working_directory_is_read_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("below");
    fs::create_dir(&below).expect("a folder");
    fs::write(folder.path().join("maxray.toml"), "[pacs]\nae_title = \"ABOVE\"\n").expect("a file");
    let check_in = |folder: &Path| {
        let mut command = Command::new(binary());
        command.args(["config", "check"]).current_dir(folder).env_clear();
        said(&command.output().expect("maxray runs"))
    };
    let (fine, text) = check_in(folder.path());
    assert!(fine && text.contains("ae_title = \"ABOVE\""), "{text}");
    let (fine, text) = check_in(&below);
    assert!(fine && text.contains("ae_title = \"MAXRAY\""), "{text}");
}

#[test]
fn a_setting_can_stand_in_a_file() {
    let contents: [&[u8]; 4] = [b"MR_ONE\n", b"127.0.0.1:0", b"12345678\r\n", b"25\n"];
    let (_folder, [title, listen, bucket, port]) = files(contents);
    let (fine, text) = check(&[
        ("MAXRAY_PACS__AE_TITLE_FILE", &title),
        ("MAXRAY_HTTP__LISTEN_FILE", &listen),
        // Text that looks like a number stays text.
        ("MAXRAY_OBJECT_STORAGE__S3__BUCKET_FILE", &bucket),
        ("MAXRAY_PACS__ASSOCIATIONS_MAX__FILE", &port),
    ]);
    assert!(fine, "{text}");
    for line in [
        "ae_title = \"MR_ONE\"",
        "listen = \"127.0.0.1:0\"",
        "bucket = \"12345678\"",
        "associations_max = 25",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}

/// Passwords, titles and versions may look like numbers, and are text.
#[test]
fn text_in_a_variable_stays_text() {
    let (fine, text) = check(&[
        ("MAXRAY_PACS__TLS__MINIMUM_VERSION", "1.3"),
        ("MAXRAY_PACS__AE_TITLE", "007"),
        ("MAXRAY_OBJECT_STORAGE__S3__BUCKET", "true"),
        // Quotes were the way around it.
        ("MAXRAY_HTTP__TLS__MINIMUM_VERSION", "\"1.3\""),
        (SECRET, "20270101"),
        ("MAXRAY_OBJECT_STORAGE__S3__REGION", "[eu"),
        ("MAXRAY_PACS__ASSOCIATIONS_MAX", "25"),
    ]);
    assert!(fine && !text.contains("20270101"), "{text}");
    for line in [
        "ae_title = \"007\"",
        "bucket = \"true\"",
        "region = \"[eu\"",
        "associations_max = 25",
        "secret_access_key = \"***\"",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    assert_eq!(text.matches("minimum_version = \"1.3\"").count(), 2, "{text}");
}

/// Whatever is wrong with it.
#[test]
fn no_complaint_tells_a_value() {
    let (fine, text) = check(&[("MAXRAY_KEYS", "hunter2")]);
    assert!(!fine && text.contains("MAXRAY_KEYS") && !text.contains("hunter2"), "{text}");
    let (fine, text) = check(&[("MAXRAY_PACS__ASSOCIATIONS_MAX", "hunter2")]);
    assert!(!fine && text.contains("MAXRAY_PACS__ASSOCIATIONS_MAX") && !text.contains("hunter2"), "{text}");
}

/// With these settings `serve` does not start: `config check` says why in the same words, makes nothing, and ends with 1.
#[test]
fn what_does_not_start_is_not_well_formed() {
    let (folder, [open, broken]) = files([b"bm90IHRoZSBrZXkgb2YgYW55Ym9keSwgYnV0IDMyIGI=\n", b"no PEM"]);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("chmod");
    let absent = folder.path().join("absent.pem").display().to_string();
    let (absent, open, broken) = (absent.as_str(), open.as_str(), broken.as_str());
    let refused: [&[(&str, &str)]; 12] = [
        &[("MAXRAY_LOG__FILTER", "maxray=loud")],
        &[("MAXRAY_ROLES", "[\"pacs\"]")],
        &[("MAXRAY_PACS__LISTEN", "0.0.0.0:11112")],
        &[("MAXRAY_HTTP__TLS__CERTIFICATE_FILE", absent)],
        &[("MAXRAY_PACS__TLS__CERTIFICATE_FILE", broken)],
        &[("MAXRAY_PACS__CALL__TLS__CA_FILE", absent)],
        &[("MAXRAY_DATABASE__URL", "mysql://maxray@127.0.0.1/maxray")],
        &[("MAXRAY_DATABASE__URL", "postgres://maxray@db.example.org/maxray")],
        &[("MAXRAY_OBJECT_STORAGE__BACKEND", "s3")],
        &[("MAXRAY_KEYS__ROOT", "c2hvcnQ=")],
        &[("MAXRAY_KEYS__ROOT_FILE", open)],
        &[("MAXRAY_NOTIFICATIONS__WEBHOOKS__CA_FILE", absent)],
    ];
    for variables in refused {
        let home = tempfile::tempdir().expect("a folder");
        let told = |words: &[&str]| {
            let mut command = Command::new(binary());
            command.args(words).current_dir(&home).env_clear();
            command.env("MAXRAY_HTTP__LISTEN", "127.0.0.1:0").env("MAXRAY_PACS__LISTEN", "127.0.0.1:0");
            let output = command.envs(variables.iter().copied()).output().expect("maxray runs");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{words:?} with {variables:?}: {errors}");
            errors.lines().last().expect("a complaint").to_owned()
        };
        let checked = told(&["config", "check"]);
        assert!(fs::read_dir(&home).expect("a folder").next().is_none(), "something was made");
        assert_eq!(checked, told(&["serve"]), "{variables:?}");
    }
}

/// `keys.root_file` is a setting: the variable of that name means it, and `keys.root` has the longer one.
#[test]
fn a_setting_that_is_called_file_is_no_file_of_another() {
    let (_folder, [root]) = files([b"bm90IHRoZSBrZXkgb2YgYW55Ym9keSwgYnV0IDMyIGI=\n"]);
    let (fine, text) = check(&[("MAXRAY_KEYS__ROOT_FILE", &root)]);
    assert!(fine && text.contains(&format!("root_file = \"{root}\"")), "{text}");
    assert!(text.contains("root = \"\""), "{text}");
    let (fine, text) = check(&[("MAXRAY_KEYS__ROOT__FILE", &root)]);
    assert!(fine && text.contains("root = \"***\""), "{text}");
}

const SECRET: &str = "MAXRAY_OBJECT_STORAGE__S3__SECRET_ACCESS_KEY";
const SECRET_FILE: &str = "MAXRAY_OBJECT_STORAGE__S3__SECRET_ACCESS_KEY_FILE";

#[test]
fn files_that_cannot_be_meant_are_refused_by_the_name_of_their_variable() {
    let (folder, [secret, binary, long]) = files([b"s", b"\xff\xfe", &vec![b'x'; (1 << 20) + 1]]);
    let absent = folder.path().join("absent").display().to_string();
    for path in [&absent, &binary, &long] {
        let (fine, text) = check(&[(SECRET_FILE, path)]);
        assert!(!fine && text.contains(SECRET_FILE) && text.contains(path.as_str()), "{text}");
    }
    let (fine, text) = check(&[(SECRET, "another"), (SECRET_FILE, &secret)]);
    assert!(!fine && text.contains(SECRET_FILE) && text.contains("both set"), "{text}");
    assert!(!text.contains("another"), "{text}");
    let longer = format!("{SECRET}__FILE");
    let (fine, text) = check(&[(&longer, &secret), (SECRET_FILE, &secret)]);
    assert!(!fine && text.contains("both set"), "{text}");
    let (fine, text) = check(&[("MAXRAY_PACS__NO_SUCH_SETTING_FILE", &secret)]);
    assert!(!fine && text.to_lowercase().contains("no_such_setting_file"), "{text}");
}

#[tokio::test]
async fn health_says_whether_a_server_can_serve() {
    let mut platform = Platform::start(Options::default()).await;
    let health = |platform: &Platform, arguments: &[&str]| {
        said(&platform.command(&[&["health"], arguments].concat()).output().expect("maxray runs"))
    };
    let (fine, text) = health(&platform, &[]);
    assert!(fine && text.contains("ready"), "{text}");
    assert!(health(&platform, &["--url", &platform.url("/healthz")]).0);
    let (fine, text) = health(&platform, &["--url", &platform.url("/doctors")]);
    assert!(!fine && text.contains("401"), "{text}");
    let gone = platform.url("/readyz");
    platform.kill();
    for arguments in [&[][..], &["--url", &gone]] {
        let (fine, text) = health(&platform, arguments);
        assert!(!fine && text.contains("does not answer"), "{text}");
    }
}

/// Nobody on this machine knows the authority: asking itself needs none, asking by an address does.
#[tokio::test]
async fn health_asks_a_server_with_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "site");
    let ours = authority.issue("127.0.0.1", |_| {});
    let platform = Platform::start(Options::default().with_tls(&authority, &ours)).await;
    let health = |arguments: &[&str]| {
        said(&platform.command(&[&["health"], arguments].concat()).output().expect("maxray runs"))
    };
    let (fine, text) = health(&[]);
    assert!(fine && text.contains("ready"), "{text}");
    let (fine, text) = health(&["--url", &platform.url("/readyz")]);
    assert!(!fine && text.contains("certificate"), "{text}");
}
