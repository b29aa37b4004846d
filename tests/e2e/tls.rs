//! Encrypted connections as peers see them: HTTP and DICOM over TLS, who is let in, and new certificates.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use reqwest::Version;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tests::{
    platform::{Options, Platform},
    scu::{Dcmtk, associate_request},
    synthetic::Synthetic,
    tls::{Authority, Identity},
};

/// In which a handshake that fails has ended (threats.md row 3), with room for a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

fn certificates() -> (TempDir, Authority, Identity) {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "site");
    let ours = authority.issue("127.0.0.1", |_| {});
    (folder, authority, ours)
}

fn instance(platform: &Platform, name: &str) -> Vec<PathBuf> {
    let path = platform.scratch().join(format!("{name}.dcm"));
    std::fs::write(&path, Synthetic::cr(name, 64, 64).part10()).expect("a file");
    vec![path]
}

fn storescu(platform: &Platform, authority: &Authority, identity: &Identity, paths: &[PathBuf]) -> Dcmtk {
    let text = |path: &PathBuf| path.display().to_string();
    let (key, certificate, root) =
        (text(&identity.key), text(&identity.certificate), text(&authority.file()));
    Dcmtk::storescu(platform.dicom(), &["+tls", &key, &certificate, "+cf", &root], paths)
}

/// `openssl s_client ARGUMENTS`: whether the handshake was done and still stood after it, and what was said.
fn s_client(peer: SocketAddr, arguments: &[&str]) -> (bool, String) {
    let begun = Instant::now();
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &peer.to_string(), "-ign_eof"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("openssl runs: run ./test, it installs it");
    assert!(begun.elapsed() < Duration::from_secs(20), "openssl hung");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (text.contains("Cipher is T") || text.contains("Cipher is E"), text)
}

#[tokio::test]
async fn https_in_both_versions_and_nothing_in_the_clear() {
    let (_folder, authority, ours) = certificates();
    let platform = Platform::start(Options::default().with_tls(&authority, &ours)).await;
    let answer = platform.client().get(platform.url("/healthz")).send().await.expect("an answer");
    assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 200));
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");

    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
    let old =
        reqwest::Client::builder().no_proxy().http1_only().tls_certs_only([root]).build().expect("a client");
    let answer = old.get(platform.url("/healthz")).send().await.expect("an answer");
    assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_11, 200));

    let viewer = platform.user("viewer", "viewer").await;
    assert_eq!(viewer.get("/dicomweb/studies").await.status(), 200);

    let plain = platform.url("/healthz").replace("https", "http");
    platform.client().get(plain).send().await.expect_err("HTTP without TLS is not answered");
}

// threats.md rows 2, 3
#[tokio::test]
async fn the_dicom_door_demands_a_good_certificate() {
    let (folder, authority, ours) = certificates();
    let revoked = authority.issue("revoked.example", |_| {});
    let list = authority.revoke(&revoked).display().to_string();
    let options = Options::default()
        .with_tls(&authority, &ours)
        .with_client_certificates(&authority)
        .with("MAXRAY_PACS__TLS__CLIENT_CRL_FILE", &list);
    let mut platform = Platform::start(options).await;
    let paths = instance(&platform, "OVER_TLS");
    let good = authority.issue("cr1.example", |_| {});
    let sent = storescu(&platform, &authority, &good, &paths);
    assert_eq!(sent.store_status(), Some(0), "{}", sent.text);

    let other = Authority::new(folder.path(), "other");
    let bad = [
        ("another authority", other.issue("cr1.example", |_| {})),
        ("self-signed", other.self_signed("cr1.example")),
        ("expired", authority.issue("cr1.example", |params| params.not_after = date_time_ymd(2020, 1, 1))),
        (
            "not yet valid",
            authority.issue("cr1.example", |params| params.not_before = date_time_ymd(2090, 1, 1)),
        ),
        (
            "for servers only",
            authority.issue("cr1.example", |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
        ),
        (
            "an authority's own",
            authority.issue("cr1.example", |params| {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }),
        ),
        ("revoked", revoked),
    ];
    for (why, identity) in &bad {
        let begun = Instant::now();
        let sent = storescu(&platform, &authority, identity, &paths);
        assert!(!sent.success && sent.store_status().is_none(), "{why}: {}", sent.text);
        assert!(begun.elapsed() < REFUSED_WITHIN, "{why}: {:?}", begun.elapsed());
    }
    wait_for(&platform, "make one with basicConstraints=critical,CA:FALSE").await;
    let anonymous =
        Dcmtk::storescu(platform.dicom(), &["+tla", "+cf", &authority.file().display().to_string()], &paths);
    assert!(!anonymous.success, "{}", anonymous.text);
    let plain = Dcmtk::echoscu(platform.dicom());
    assert!(!plain.success, "{}", plain.text);
    assert!(platform.is_alive());
    let again = storescu(&platform, &authority, &good, &paths);
    assert_eq!(again.store_status(), Some(0), "{}", again.text);
}

// threats.md row 3
#[tokio::test]
async fn old_protocols_and_weak_suites_end_in_the_handshake() {
    let (_folder, authority, ours) = certificates();
    let platform = Platform::start(Options::default().with_tls(&authority, &ours)).await;
    for peer in [platform.dicom(), platform.http()] {
        for good in [
            &["-tls1_3"][..],
            &["-tls1_2"],
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"],
        ] {
            let (done, text) = s_client(peer, &[good, &["-no_ign_eof"]].concat());
            assert!(done, "{good:?}: {text}");
        }
        for bad in [
            &["-tls1"][..],
            &["-tls1_1"],
            &["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384"],
            &["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
            &["-tls1_2", "-cipher", "AES256-SHA"],
            &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"],
            &["-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"],
        ] {
            let (done, text) = s_client(peer, bad);
            assert!(!done, "{bad:?}: {text}");
        }
    }
}

// threats.md rows 3, 9
#[tokio::test]
async fn plaintext_and_silence_at_the_tls_port_are_closed() {
    let (_folder, authority, ours) = certificates();
    let options =
        Options::default().with_tls(&authority, &ours).with("MAXRAY_PACS__ARTIM_TIMEOUT_MS", "2000");
    let mut platform = Platform::start(options).await;
    for bytes in
        [associate_request("MAXRAY", "CR1", &[]).encode(), b"GET / HTTP/1.0\r\n\r\n".to_vec(), Vec::new()]
    {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(platform.dicom()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        stream.write_all(&bytes).expect("sent");
        let mut answer = Vec::new();
        let _reset_or_closed = stream.read_to_end(&mut answer);
        assert!(begun.elapsed() < REFUSED_WITHIN, "{:?}", begun.elapsed());
        // A TLS alert or nothing; never a PDU.
        assert!(answer.first().is_none_or(|first| *first == 21), "{answer:02x?}");
    }
    assert!(platform.is_alive());
    assert!(!platform.log().contains("association accepted"));
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_a_restart() {
    let (folder, authority, ours) = certificates();
    let platform = Platform::start(Options::default().with_tls(&authority, &ours)).await;
    let next = Authority::new(folder.path(), "next");
    let trusting = |authority: &Authority| {
        let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
        reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client")
    };
    let (old, new) = (trusting(&authority), trusting(&next));
    let answers = async |client: &reqwest::Client| client.get(platform.url("/healthz")).send().await.is_ok();
    assert!(answers(&old).await && !answers(&new).await);

    // What lives goes on; this client keeps its one HTTP/2 connection.
    std::fs::write(&ours.certificate, "no certificate").expect("written");
    let pid = Pid::from_raw(i32::try_from(platform.pid()).expect("a pid")).expect("a pid");
    kill_process(pid, Signal::HUP).expect("the server takes SIGHUP");
    wait_for(&platform, "the old ones stay in use").await;
    assert!(answers(&trusting(&authority)).await, "a broken file changes nothing");

    let renewed = next.issue("127.0.0.1", |_| {});
    std::fs::copy(&renewed.key, &ours.key).expect("copied");
    std::fs::copy(&renewed.certificate, &ours.certificate).expect("copied");
    // Seen by itself.
    wait_for(&platform, "new TLS files are in use").await;
    assert!(answers(&new).await, "{}", platform.log());
    assert!(!answers(&trusting(&authority)).await, "new handshakes use the new one");
    assert!(answers(&old).await, "a connection that lives goes on");
}

async fn wait_for(platform: &Platform, words: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !platform.log().contains(words) {
        assert!(Instant::now() < deadline, "not in the log: {words}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

// threats.md row 4
#[tokio::test]
async fn it_does_not_start_in_the_clear_beyond_this_machine() {
    let (_folder, authority, ours) = certificates();
    let platform = Platform::start(Options::default()).await;
    for (setting, says) in
        [("MAXRAY_HTTP__LISTEN", "http.insecure = true"), ("MAXRAY_PACS__LISTEN", "pacs.insecure = true")]
    {
        let data = platform.scratch().join(setting);
        let output = platform
            .command(&["serve"])
            .env("MAXRAY_DATA_DIRECTORY", data)
            .env(setting, "0.0.0.0:0")
            .output()
            .expect("maxray runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(says), "{errors}");
    }
    // With a certificate it would: the same settings, the listener on every address.
    let open = Options::default().with_tls(&authority, &ours).with("MAXRAY_PACS__LISTEN", "0.0.0.0:0");
    let mut platform = Platform::start(open).await;
    assert!(platform.is_alive());
}

/// What the README's "Secure it" has an operator do first.
#[tokio::test]
async fn a_certificate_to_try_with() {
    let platform = Platform::start(Options::default()).await;
    let make = || {
        let directory = platform.scratch().join("try").display().to_string();
        let arguments =
            ["tls", "self-signed", "--host", "127.0.0.1", "--host", "xray", "--directory", &directory];
        platform.command(&arguments).output().expect("maxray runs")
    };
    let made = make();
    let text = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let key = platform.scratch().join("try/key.pem");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&key).expect("a key"));
    assert_eq!(mode & 0o777, 0o600);
    assert!(!make().status.success(), "a key is never overwritten");

    // It serves, and as its own authority it lets its owner in.
    let certificate = platform.scratch().join("try/certificate.pem");
    let setting = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).expect("a setting");
        line.split('"').nth(1).expect("a value").to_owned()
    };
    let mut options = Options::default()
        .with("MAXRAY_PACS__TLS__CERTIFICATE_FILE", &setting("certificate_file"))
        .with("MAXRAY_PACS__TLS__KEY_FILE", &setting("key_file"))
        .with("MAXRAY_PACS__TLS__CLIENT_CERTIFICATES", "required")
        .with("MAXRAY_PACS__TLS__CLIENT_CA_FILE", &setting("certificate_file"));
    options.trusted = Some(std::fs::read_to_string(&certificate).expect("a certificate"));
    let secured = Platform::start(options).await;
    let (key, certificate) = (key.display().to_string(), certificate.display().to_string());
    let arguments = ["+tls", &key, &certificate, "+cf", &certificate];
    let sent = Dcmtk::storescu(secured.dicom(), &arguments, &instance(&platform, "SELF_SIGNED"));
    assert_eq!(sent.store_status(), Some(0), "{}", sent.text);
}
