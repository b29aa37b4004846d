//! `maxray demo` where a server that matters is configured: it touches nothing of it.

use std::{fs, io::ErrorKind, net::TcpListener, process::Command};

use tests::platform::binary;

#[test]
fn the_demo_touches_nothing_that_is_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let hospital = TcpListener::bind("127.0.0.1:0").expect("a port");
    hospital.set_nonblocking(true).expect("it need not wait");
    let at = hospital.local_addr().expect("an address");
    fs::write(folder.path().join("maxray.toml"), format!("[redis]\nurl = \"redis://{at}\"\n"))
        .expect("a file");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let output = Command::new(binary())
        .args(["demo", "--exit"])
        .current_dir(&folder)
        .env_clear()
        .env("MAXRAY_DATA_DIRECTORY", path("data"))
        .env("MAXRAY_DATABASE__URL", format!("sqlite://{}", path("hospital.sqlite")))
        .env("MAXRAY_OBJECT_STORAGE__DIRECTORY", path("objects"))
        .env("MAXRAY_KEYS__ROOT_FILE", path("root.key"))
        .env("MAXRAY_AUDIT__WITNESS_DIRECTORY", folder.path())
        .env("MAXRAY_BROKER__URL", format!("amqp://{at}"))
        .env("MAXRAY_PATIENT_SERVICE__URL", format!("http://{at}/fhir"))
        .env("MAXRAY_PATIENT_SERVICE__IDENTIFIER_SYSTEM", "urn:oid:2.999.1")
        .env("MAXRAY_HTTP__LISTEN", at.to_string())
        .env("http_proxy", format!("http://{at}"))
        .output()
        .expect("maxray runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("previews can be seen"), "{said}");
    assert_eq!(hospital.accept().expect_err("nobody came").kind(), ErrorKind::WouldBlock);
    let left = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = left.collect();
    assert_eq!(left, ["maxray.toml"]);
}

#[test]
fn the_demo_keeps_its_data_in_a_new_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("node.id"), "somebody else").expect("a file");
    let mut command = Command::new(binary());
    command.args(["demo", "--exit", "--keep"]).arg(folder.path()).current_dir(&folder).env_clear();
    let output = command.output().expect("maxray runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is not empty"), "{said}");
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1);
}
