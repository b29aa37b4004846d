//! Certificates for tests: an authority and what it signs, as files.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData, SerialNumber,
};

use crate::platform::Options;

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: PathBuf,
}

/// A certificate with its key, as files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// `sha256:` and the digest of the public key, as `maxray ae` takes it.
    pub fingerprint: String,
    /// To revoke it.
    pub serial: SerialNumber,
}

impl Authority {
    /// A new one that writes into `folder`.
    ///
    /// # Panics
    /// When it cannot.
    pub fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).expect("signed").pem();
        fs::create_dir_all(folder).expect("a folder");
        fs::write(folder.join(format!("{name}.pem")), &pem).expect("a file");
        let issuer = Issuer::new(params, key);
        Self { issuer, pem, folder: folder.to_owned() }.named(name)
    }

    fn named(mut self, name: &str) -> Self {
        self.folder = self.folder.join(name);
        fs::create_dir_all(&self.folder).expect("a folder");
        self
    }

    /// Its own certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its own certificate, a PEM file.
    pub fn file(&self) -> PathBuf {
        self.folder.with_extension("pem")
    }

    /// A certificate for `name`, changed by `change` before it is signed.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let serial =
            SerialNumber::from(u64::from_be_bytes(*key.public_key_raw().last_chunk().expect("a key")) >> 1);
        params.serial_number = Some(serial.clone());
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        self.write(name, &certificate.pem(), &key, serial)
    }

    /// A certificate that nobody but itself has signed.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn self_signed(&self, name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("signed");
        self.write(name, &certificate.pem(), &key, SerialNumber::from(1))
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair, serial: SerialNumber) -> Identity {
        let fingerprint = crate::digest::sha256_hex(&key.subject_public_key_info());
        let stem = self.folder.join(format!("{}-{}", name.replace('.', "_"), &fingerprint[..8]));
        let identity = Identity {
            certificate: stem.with_extension("crt"),
            key: stem.with_extension("key"),
            fingerprint: format!("sha256:{fingerprint}"),
            serial,
        };
        fs::write(&identity.certificate, certificate).expect("a file");
        fs::write(&identity.key, key.serialize_pem()).expect("a file");
        fs::set_permissions(&identity.key, fs::Permissions::from_mode(0o600)).expect("its mode");
        identity
    }

    /// A list that revokes `identity`.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn revoke(&self, identity: &Identity) -> PathBuf {
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![rcgen::RevokedCertParams {
                serial_number: identity.serial.clone(),
                revocation_time: rcgen::date_time_ymd(2021, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let path = self.folder.join("revoked.pem");
        let list = list.signed_by(&self.issuer).expect("signed");
        fs::write(&path, list.pem().expect("encoded")).expect("a file");
        path
    }
}

impl Options {
    /// TLS on both listeners with this certificate of `authority`, which the client trusts.
    #[must_use]
    pub fn with_tls(mut self, authority: &Authority, identity: &Identity) -> Self {
        self.trusted = Some(authority.pem().to_owned());
        for section in ["HTTP", "PACS"] {
            let certificate = identity.certificate.display().to_string();
            let key = identity.key.display().to_string();
            self = self
                .with(&format!("MAXRAY_{section}__TLS__CERTIFICATE_FILE"), &certificate)
                .with(&format!("MAXRAY_{section}__TLS__KEY_FILE"), &key);
        }
        self
    }

    /// Certificates of `authority` are demanded at the DICOM door.
    #[must_use]
    pub fn with_client_certificates(self, authority: &Authority) -> Self {
        self.with("MAXRAY_PACS__TLS__CLIENT_CERTIFICATES", "required")
            .with("MAXRAY_PACS__TLS__CLIENT_CA_FILE", &authority.file().display().to_string())
    }
}
