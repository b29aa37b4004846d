//! Handshakes with good and bad peers, and files that change.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, PublicKeyData, date_time_ymd};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::TlsConnector;

use super::*;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

struct Issued {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn authority() -> Authority {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).expect("signed").pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

impl Authority {
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        change(&mut params);
        Issued { certificate: params.signed_by(&key, &self.issuer).expect("signed"), key }
    }
}

fn write_key(path: &Path, key: &KeyPair) {
    fs::write(path, key.serialize_pem()).expect("a key file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
}

/// A listener's files in `directory`, which demand certificates of `authority`.
fn config(directory: &Path, authority: &Authority) -> TlsConfig {
    let ours = authority.issue("localhost", |_| {});
    let config = TlsConfig {
        certificate_file: directory.join("certificate.pem"),
        key_file: directory.join("key.pem"),
        client_certificates: ClientCertificates::Required,
        client_ca_file: directory.join("ca.pem"),
        ..TlsConfig::default()
    };
    fs::write(&config.certificate_file, ours.certificate.pem()).expect("a certificate file");
    fs::write(&config.client_ca_file, &authority.pem).expect("an authority file");
    write_key(&config.key_file, &ours.key);
    config
}

fn open(config: &TlsConfig) -> Result<Tls, TlsError> {
    Tls::open("test", config, &[b"h2"]).map(|tls| tls.expect("there is a certificate"))
}

fn client(authority: &Authority, identity: Option<&Issued>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let mut pem = authority.pem.as_bytes();
    let root = rustls::pki_types::pem::PemObject::from_pem_reader(&mut pem).expect("a root");
    roots.add(root).expect("a good root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(one) => builder
            .with_client_auth_cert(
                vec![one.certificate.der().clone()],
                one.key.serialize_der().try_into().expect("a key"),
            )
            .expect("an identity"),
    };
    TlsConnector::from(Arc::new(config))
}

async fn handshake(tls: &Tls, connector: TlsConnector) -> Result<Option<PeerCertificate>, HandshakeError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let peer = tokio::spawn(async move {
        let stream = TcpStream::connect(address).await.expect("connected");
        let name = ServerName::try_from("localhost").expect("a name");
        connector.connect(name, stream).await.map(drop)
    });
    let (stream, _) = listener.accept().await.expect("accepted");
    let outcome = tls.accept(stream, Duration::from_secs(10)).await;
    let _ = peer.await.expect("the peer");
    outcome.map(|(_, peer)| peer)
}

// threats.md row 3: unknown authority, expired, wrong extended key usage, self-signed, none at all.
#[tokio::test]
async fn only_good_client_certificates_are_let_in() {
    let directory = tempfile::tempdir().expect("a directory");
    let (trusted, other) = (authority(), authority());
    let tls = open(&config(directory.path(), &trusted)).expect("opened");
    let good = trusted.issue("cr1.example", |_| {});
    let peer =
        handshake(&tls, client(&trusted, Some(&good))).await.expect("accepted").expect("a certificate");
    assert!(peer.has_name("cr1.example") && !peer.has_name("cr2.example") && !peer.has_name("not a name"));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &good.key.subject_public_key_info());
    assert_eq!(peer.public_key_sha256(), digest.as_ref());
    assert_eq!(peer.to_string().len(), "sha256:".len() + 64);
    let bad = [
        other.issue("cr1.example", |_| {}),
        trusted.issue("cr1.example", |params| params.not_after = date_time_ymd(2020, 1, 1)),
        trusted.issue("cr1.example", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
    ];
    for identity in bad.iter().map(Some).chain([None]) {
        let refused = handshake(&tls, client(&trusted, identity)).await;
        assert!(matches!(refused, Err(HandshakeError::Refused(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn what_is_not_tls_is_refused_at_once_and_silence_after_a_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let tls = open(&config(directory.path(), &authority())).expect("opened");
    for bytes in [&b"\x01\x00\x00\x00\x00\xcd"[..], b"GET / HTTP/1.1\r\n\r\n", b""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut peer =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        peer.write_all(bytes).await.expect("sent");
        let (stream, _) = listener.accept().await.expect("accepted");
        let refused = tls.accept(stream, Duration::from_millis(500)).await.map(|_| ());
        match refused {
            Err(HandshakeError::TimedOut) => assert!(bytes.is_empty()),
            Err(HandshakeError::Refused(_)) => assert!(!bytes.is_empty()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn new_files_are_taken_and_broken_ones_are_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, second) = (authority(), authority());
    let config_ = config(directory.path(), &first);
    let tls = open(&config_).expect("opened");
    let before = tls.current();
    tls.0.look(false);
    assert!(Arc::ptr_eq(&before, &tls.current()), "nothing has changed");

    fs::write(&config_.certificate_file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("written");
    tls.0.look(false);
    assert!(Arc::ptr_eq(&before, &tls.current()), "a broken file is not taken");

    config(directory.path(), &second);
    tls.0.look(false);
    let good = second.issue("cr1.example", |_| {});
    handshake(&tls, client(&second, Some(&good))).await.expect("the new authority is known");
    let old = first.issue("cr1.example", |_| {});
    handshake(&tls, client(&second, Some(&old))).await.expect_err("the old one is not any more");
}

#[test]
fn files_that_are_no_use_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = config(directory.path(), &authority());
    let rows: [(TlsConfig, &str); 6] = [
        (TlsConfig { key_file: "".into(), ..good.clone() }, "key_file must be set"),
        (TlsConfig { key_file: "/nowhere/key.pem".into(), ..good.clone() }, "No such file"),
        (TlsConfig { client_ca_file: "".into(), ..good.clone() }, "client_ca_file must be set"),
        (TlsConfig { client_crl_file: good.key_file.clone(), ..good.clone() }, "nothing of the kind"),
        (TlsConfig { certificate_file: good.client_ca_file.clone(), ..good.clone() }, "do not go together"),
        (TlsConfig { certificate_file: good.key_file.clone(), ..good.clone() }, "nothing of the kind"),
    ];
    for (config, expected) in rows {
        let error = open(&config).map(drop).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    fs::set_permissions(&good.key_file, fs::Permissions::from_mode(0o644)).expect("a mode");
    let error = open(&good).map(drop).expect_err("a key for everybody").to_string();
    assert!(error.contains("chmod 600"), "{error}");
    let alone = TlsConfig { certificate_file: "".into(), ..good };
    let error = Tls::open("test", &alone, &[]).map(drop).expect_err("no certificate").to_string();
    assert!(error.contains("there would be no TLS"), "{error}");
}

#[test]
fn the_last_day_is_read() {
    let authority = authority();
    for (year, expected) in [(2031, "2031-05-06"), (2051, "2051-05-06")] {
        let issued = authority.issue("a", |params| params.not_after = date_time_ymd(year, 5, 6));
        let read = certificate::expires_at(issued.certificate.der()).expect("read");
        assert_eq!(read.date_naive().to_string(), expected);
    }
    let der = authority.issue("a", |_| {}).certificate.der().to_vec();
    for cut in 0..der.len().min(200) {
        assert_eq!(certificate::expires_at(&der[..cut].to_vec().into()), None, "{cut}");
    }
}
