//! `maxray tls self-signed`: a certificate to try TLS with, before a real one is there.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use model::clock::Clock;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use service::tls::PeerCertificate;

use crate::cli::SelfSignedOptions;

/// Shorter than what browsers and PS3.15 allow: it is for trying.
const VALID_DAYS: i64 = 365;

/// Makes a key and a certificate for it, and says what to do with them.
pub fn self_signed(options: &SelfSignedOptions) -> anyhow::Result<()> {
    ensure!(!options.host.is_empty(), "name at least one --host");
    let directory = &options.directory;
    let (certificate_file, key_file) = (directory.join("certificate.pem"), directory.join("key.pem"));
    for file in [&certificate_file, &key_file] {
        if file.exists() {
            bail!("{} exists already; choose another --directory or remove it", file.display());
        }
    }
    let key = KeyPair::generate()?;
    let certificate = parameters(&options.host)?.self_signed(&key)?;
    if !directory.exists() {
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| directory.display().to_string())?;
    }
    write_new(&key_file, 0o600, &key.serialize_pem())?;
    write_new(&certificate_file, 0o644, &certificate.pem())?;
    let (certificate_file, key_file) = (fs::canonicalize(certificate_file)?, fs::canonicalize(key_file)?);
    println!("certificate_file = \"{}\"", certificate_file.display());
    println!("key_file = \"{}\"", key_file.display());
    let fingerprint = PeerCertificate::read(certificate.der())?;
    println!("# for {}; valid {VALID_DAYS} days; public key {fingerprint}", options.host.join(", "));
    eprintln!(
        "Put the two lines under [http.tls] and [pacs.tls] of a server, or give the files to a sender."
    );
    Ok(())
}

fn parameters(hosts: &[String]) -> anyhow::Result<CertificateParams> {
    let mut parameters =
        CertificateParams::new(hosts.to_vec()).context("a host is no DNS name or address")?;
    let today = Clock::system().now();
    let day = |at: DateTime<Utc>| date_time_ymd(at.year(), at.month() as u8, at.day() as u8);
    // A day back: clocks of machines differ.
    parameters.not_before = day(today - TimeDelta::days(1));
    parameters.not_after = day(today + TimeDelta::days(VALID_DAYS));
    if let Some(first) = hosts.first() {
        parameters.distinguished_name.push(DnType::CommonName, first.as_str());
    }
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(parameters)
}

fn write_new(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.create_new(true).write(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}
