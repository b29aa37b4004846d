//! What MaxRay wants to know of a certificate: its public key, its names, its last day. RFC 5280 4.1.

use std::{fmt, io};

use aws_lc_rs::digest;
use chrono::{DateTime, NaiveDateTime, Utc};
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

/// A certificate that the peer has proved to own, signed by somebody whom the listener trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    der: CertificateDer<'static>,
    public_key_sha256: [u8; 32],
}

impl PeerCertificate {
    /// Reads a certificate; whose it is and whether it is good is for others to prove.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(der: &CertificateDer<'_>) -> io::Result<Self> {
        let certificate = EndEntityCert::try_from(der).map_err(io::Error::other)?;
        let key = certificate.subject_public_key_info();
        let mut public_key_sha256 = [0; 32];
        public_key_sha256.copy_from_slice(digest::digest(&digest::SHA256, &key).as_ref());
        Ok(Self { der: der.clone().into_owned(), public_key_sha256 })
    }

    /// SHA-256 of the SubjectPublicKeyInfo: it stays the same when a certificate is renewed for the same key.
    pub fn public_key_sha256(&self) -> &[u8; 32] {
        &self.public_key_sha256
    }

    /// A subject alternative name of it is this DNS name or address.
    pub fn has_name(&self, name: &str) -> bool {
        let Ok(name) = ServerName::try_from(name) else { return false };
        EndEntityCert::try_from(&self.der)
            .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

/// As operators write it: lower-case hexadecimal.
impl fmt::Display for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.public_key_sha256.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// `notAfter` of a certificate.
pub(super) fn expires_at(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (tag, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate).filter(|_| tag == SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // serialNumber, signature, issuer
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (_, validity, _) = element(fields)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, text, _) = element(not_after)?;
    let text = std::str::from_utf8(text).ok()?;
    let full = match tag {
        // UTCTime: two digits of the year (RFC 5280 4.1.2.5.1).
        0x17 if text.get(..2)? < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ").ok().map(|at| at.and_utc())
}

/// The first DER element: its tag, what is in it, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = der.split_first_chunk::<2>()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, after) = rest.split_at_checked(count)?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = after;
    }
    let (inside, after) = rest.split_at_checked(length)?;
    Some((tag, inside, after))
}
