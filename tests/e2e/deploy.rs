//! What stands in `deploy/` and `docker-compose.yml`, judged by the programs that read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tests::{
    home,
    platform::{Options, Platform, binary},
};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

/// Standard output of a program that must succeed.
fn run(command: &mut Command, install: &str) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.current_dir(root()).output();
    let output = output
        .unwrap_or_else(|error| panic!("{program}: {error}: run ./test, or: apt-get install {install}"));
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&text));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `docker-compose.yml` with everything filled in.
pub(crate) fn composed() -> Value {
    let file = root().join("docker-compose.yml");
    let mut command = Command::new("docker-compose");
    let text = run(command.arg("-f").arg(file).arg("config"), "docker-compose");
    let script = "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    // Its own YAML reader, which the package brings.
    let mut python = Command::new("/usr/bin/python3");
    let child =
        python.args(["-c", script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = child.spawn().expect("python3 runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), text.as_bytes())
        .expect("python reads");
    let output = child.wait_with_output().expect("python ends");
    serde_json::from_slice(&output.stdout).expect("python3-yaml comes with docker-compose")
}

pub(crate) fn secrets(folder: &Path) {
    run(Command::new("deploy/secrets.sh").arg(folder), "openssl");
}

fn made_in(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).expect("secrets").map(|entry| entry.expect("an entry"));
    let content = |entry: &fs::DirEntry| fs::read_to_string(entry.path()).expect("text");
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), content(&entry))).collect()
}

#[test]
fn secrets_are_made_once_and_fit_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("secrets");
    secrets(&place);
    let made = made_in(&place);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700, "nobody else gets in");
    assert!(made.keys().all(|name| mode(&place.join(name)) == 0o444), "containers have users of their own");
    let values: BTreeSet<&String> = made.values().collect();
    assert_eq!(values.len(), made.len(), "no two are alike");
    for (name, of) in [("database_url", "postgres_password"), ("broker_url", "rabbitmq_password")] {
        assert!(made[name].contains(made[of].trim()), "{name} holds {of}");
    }
    assert!(made["rabbitmq_conf"].contains(made["rabbitmq_password"].trim()));
    secrets(&place);
    assert_eq!(made_in(&place), made, "a second run changes nothing");
    fs::remove_file(place.join("s3_secret_key")).expect("removed");
    secrets(&place);
    let again = made_in(&place);
    let changed: Vec<&String> = made.keys().filter(|name| again[*name] != made[*name]).collect();
    assert_eq!(changed, ["s3_secret_key"]);
    for password in ["postgres_password", "rabbitmq_password"] {
        fs::remove_file(place.join(password)).expect("removed");
    }
    secrets(&place);
    let (before, again) = (again, made_in(&place));
    let changed: Vec<&String> = before.keys().filter(|name| again[*name] != before[*name]).collect();
    let with_its_password =
        ["broker_url", "database_url", "postgres_password", "rabbitmq_conf", "rabbitmq_password"];
    assert_eq!(changed, with_its_password, "what is made of a password goes with it");
    assert!(again["database_url"].contains(again["postgres_password"].trim()));
    assert!(again["rabbitmq_conf"].contains(again["rabbitmq_password"].trim()));
}

#[test]
fn a_certificate_that_cannot_be_made_says_why_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("secrets");
    let openssl = folder.path().join("openssl");
    let script = "#!/bin/sh\n[ \"$1\" != req ] || { echo 'no such curve' >&2; exit 1; }\necho word\n";
    fs::write(&openssl, script).expect("a program");
    fs::set_permissions(&openssl, fs::Permissions::from_mode(0o755)).expect("it runs");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.path().display());
    let mut command = Command::new(root().join("deploy/secrets.sh"));
    let output = command.arg(&place).env("PATH", path).output().expect("sh runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("no such curve"), "{errors}");
    let made = made_in(&place);
    assert!(!made.contains_key("proxy_pem") && made.keys().all(|name| !name.starts_with('.')), "{made:?}");
}

#[test]
fn every_secret_of_the_composition_is_one_that_the_script_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    secrets(folder.path());
    let made = made_in(folder.path());
    let composed = composed();
    let secrets = composed["secrets"].as_object().expect("secrets");
    for (name, secret) in secrets {
        let file = Path::new(secret["file"].as_str().expect("a file"));
        assert_eq!(file.parent(), Some(root().join("deploy/secrets").as_path()), "{name}");
        assert_eq!(file.file_name().and_then(|file| file.to_str()), Some(name.as_str()));
        assert!(made.contains_key(name), "deploy/secrets.sh does not make {name}");
    }
    for (service, described) in composed["services"].as_object().expect("services") {
        let given: BTreeSet<&str> = described["secrets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|secret| secret["source"].as_str().or(secret.as_str()).expect("a name"))
            .collect();
        assert!(given.iter().all(|name| secrets.contains_key(*name)), "{service}: {given:?}");
        for path in strings(&described["environment"]).filter_map(|text| text.strip_prefix("/run/secrets/")) {
            assert!(given.contains(path), "{service} reads {path} and is not given it");
        }
    }
}

/// Every variable is a setting, and what the files hold makes sense to the program.
#[test]
fn the_settings_of_the_composition_are_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    secrets(folder.path());
    let composed = composed();
    let environment = composed["services"]["maxray"]["environment"].as_object().expect("an environment");
    assert!(environment.keys().all(|name| name.starts_with("MAXRAY_")), "{environment:?}");
    let documented = fs::read_to_string(root().join("maxray.toml")).expect("maxray.toml");
    let documented: toml::Table = toml::from_str(&documented).expect("TOML");
    let mut command = Command::new(binary());
    command.args(["config", "check"]).current_dir(folder.path()).env_clear();
    let mut sections = BTreeSet::new();
    for (name, value) in environment {
        let section = name["MAXRAY_".len()..].split("__").next().expect("a section").to_lowercase();
        assert!(documented.contains_key(&section), "{name} is of no section");
        let value = value.as_str().expect("text");
        let here = |name: &str| folder.path().join(name).display().to_string();
        let value = value.strip_prefix("/run/secrets/").map_or(value.to_owned(), here);
        command.env(name, value);
        sections.insert(section);
    }
    let output = command.output().expect("maxray runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let shown = String::from_utf8_lossy(&output.stdout);
    for expected in
        ["backend = \"s3\"", "postgres://***@postgres/maxray", "token_secret = \"***\"", "root = \"***\""]
    {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
    assert!(
        ["broker", "database", "keys", "identity", "object_storage"]
            .iter()
            .all(|name| sections.contains(*name))
    );
}

/// The one image that may not come from where everybody used to take it, and the proxy that nodes believe.
#[test]
fn the_composition_keeps_what_the_documents_say() {
    let composed = composed();
    let services = composed["services"].as_object().expect("services");
    for (name, service) in services {
        let image = service["image"].as_str().expect("an image");
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(!tag.is_empty() && tag != "latest", "{name}: {image} names no version");
        assert!(!image.starts_with("minio/"), "{name}: {image} is not published any more");
        assert!(!service["restart"].is_null(), "{name} has no restart policy");
    }
    let proxy = &services["proxy"]["networks"]["front"]["ipv4_address"];
    let environment = &services["maxray"]["environment"];
    for setting in ["MAXRAY_HTTP__PROXIES", "MAXRAY_PACS__PROXIES"] {
        assert_eq!(environment[setting], Value::String(format!("[{proxy}]")), "{setting}");
    }
    let pool = &composed["networks"]["front"]["ipam"]["config"][0];
    let proxy: Ipv4Addr = proxy.as_str().and_then(|text| text.parse().ok()).expect("an address");
    assert!(holds(&pool["subnet"], proxy), "{pool}");
    assert!(!holds(&pool["ip_range"], proxy), "another container may have the proxy's address: {pool}");
    assert_eq!(environment["MAXRAY_DOCTOR_API__PUBLIC_URL"], "https://localhost", "prescriptions lead there");
    let networks: BTreeSet<&str> =
        services["maxray"]["networks"].as_object().expect("networks").keys().map(String::as_str).collect();
    let of_proxy = services["proxy"]["networks"].as_object().expect("networks");
    let shared: Vec<&String> = of_proxy.keys().filter(|name| networks.contains(name.as_str())).collect();
    // In a second one the nodes would see another address of it.
    assert_eq!(shared, ["front"]);
}

/// Both halves of a backup are where its programs are, reach what they save, and start with nothing else.
#[test]
fn the_composition_can_be_saved() {
    run(Command::new("sh").args(["-n", "deploy/backup-distributed.sh"]), "dash");
    let composed = composed();
    let services = &composed["services"];
    for (name, beside) in [("backup-database", "postgres"), ("backup-objects", "minio")] {
        let service = &services[name];
        assert_eq!(service["image"], services[beside]["image"], "{name}: the programs of another version");
        assert_eq!(service["profiles"], serde_json::json!(["backup"]), "{name}");
        let networks = service["networks"].as_object().expect("networks");
        assert!(networks.keys().all(|network| services[beside]["networks"].get(network).is_some()), "{name}");
        let volumes: Vec<String> =
            service["volumes"].as_array().expect("volumes").iter().map(Value::to_string).collect();
        for place in ["/usr/local/bin/backup-distributed.sh", "/backups"] {
            assert!(
                volumes.iter().any(|volume| volume.contains(place)),
                "{name} has no {place}: {volumes:?}"
            );
        }
        let entrypoint = service["entrypoint"].to_string();
        assert!(entrypoint.contains("/usr/local/bin/backup-distributed.sh"), "{name}: {entrypoint}");
    }
}

/// Whether an address lies in a network as `192.0.2.0/24`.
fn holds(network: &Value, address: Ipv4Addr) -> bool {
    let (first, length) = network.as_str().and_then(|text| text.split_once('/')).expect("a network");
    let first: Ipv4Addr = first.parse().expect("an address");
    let length: u32 = length.parse().expect("a length");
    let mask = u32::MAX << (32 - length);
    first.to_bits() & mask == address.to_bits() & mask
}

#[test]
fn haproxy_takes_its_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    secrets(folder.path());
    let text = fs::read_to_string(root().join("deploy/haproxy/haproxy.cfg")).expect("haproxy.cfg");
    assert!(text.contains("/run/secrets/proxy_pem"));
    let here = text.replace("/run/secrets", &folder.path().display().to_string());
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, here).expect("a file");
    run(Command::new("haproxy").arg("-c").arg("-f").arg(file), "haproxy");
}

#[test]
fn prometheus_takes_its_configuration_and_rules() {
    run(Command::new("promtool").args(["check", "config", "deploy/prometheus/prometheus.yml"]), "prometheus");
}

/// The first time that something happens is an alarm, and a container that is dead is missed.
#[test]
fn alarms_come_when_they_have_to() {
    run(Command::new("promtool").args(["test", "rules", "tests/e2e/alerts.yml"]), "prometheus");
}

pub(crate) fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flat_map(|fields| fields.values()).filter_map(Value::as_str)
}

/// Prometheus sees no growth in a counter that is born with its first event, and the first is the one that matters.
#[tokio::test]
async fn what_alarms_look_at_is_there_before_it_happens() {
    let options = Options::default().with("MAXRAY_BROKER__URL", "amqp://127.0.0.1:1");
    let platform = Platform::start(options).await;
    let rules = fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).expect("alarms");
    let names = rules.split("increase(").skip(1).map(|rest| rest.split(['{', '[']).next().expect("a name"));
    let names: BTreeSet<&str> = names.collect();
    let metrics = platform.metrics().await;
    for name in &names {
        let is_of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        assert!(metrics.lines().any(is_of), "{name} comes with its first event");
    }
    assert!(names.len() > 5, "{names:?}");
    for status in ["0110", "A700"] {
        let line = format!("maxray_dimse_c_store_total{{status=\"{status}\"}} 0");
        assert!(metrics.contains(&line), "{status} comes with its first image that is refused");
    }
    assert!(metrics.contains("maxray_ready 1"), "the start asked /readyz");
    for name in ["maxray_disk_free_bytes", "maxray_disk_size_bytes"] {
        assert!(platform.metric(&format!("{name}{{of=\"data\"}}")).await > 0.0, "{name}");
    }
    let has_objects = metrics.contains("maxray_disk_free_bytes{of=\"objects\"}");
    assert_eq!(has_objects, !home::is_distributed(), "a bucket has no end");
}
