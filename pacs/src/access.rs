//! PS3.15 4.2 and 4.3: who may associate, and what for. Title, address and certificate have to be those of one
//! registration.

use model::{
    AeTitle, SopClassUid, TransferSyntaxUid,
    ae::{Ae, AeCertificate, AeOperation, AeProfile},
};
use service::tls::PeerCertificate;
use uuid::Uuid;

use crate::{
    backend::Peer,
    config::PacsConfig,
    upper_layer::{negotiation::NegotiationRules, pdu::Rejection},
};

/// What an association may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    operations: Vec<AeOperation>,
    /// None: every one.
    sop_classes: Vec<SopClassUid>,
    /// None: every one.
    transfer_syntaxes: Vec<TransferSyntaxUid>,
    /// 0: as many as the door gives to any.
    pub associations_max: u32,
    /// The account as which it queries and retrieves; none: it sees every study.
    pub reads_as: Option<Uuid>,
    /// Of the worklist it sees what is scheduled for its own AE title alone.
    pub own_worklist: bool,
}

impl Rights {
    /// Of an AE on this machine that nobody has registered.
    fn of_anybody_here() -> Self {
        let AeProfile { operations, .. } = AeProfile::default();
        Self {
            operations,
            sop_classes: Vec::new(),
            transfer_syntaxes: Vec::new(),
            associations_max: 0,
            reads_as: None,
            own_worklist: false,
        }
    }

    fn of(profile: &AeProfile) -> Self {
        Self {
            operations: profile.operations.clone(),
            sop_classes: profile.sop_classes.clone(),
            transfer_syntaxes: profile.transfer_syntaxes.clone(),
            associations_max: profile.associations_max,
            reads_as: profile.reads_as,
            own_worklist: profile.own_worklist,
        }
    }

    /// Without what shows patients to the peer.
    fn sending_only(mut self) -> Self {
        self.operations.retain(|operation| AeProfile::default().operations.contains(operation));
        self
    }

    /// What a request is held to.
    pub fn narrow(&self, rules: &NegotiationRules) -> NegotiationRules {
        NegotiationRules {
            sop_classes: self.sop_classes.clone(),
            transfer_syntaxes: self.transfer_syntaxes.clone(),
            ..rules.clone()
        }
    }

    /// Whether it may be asked for.
    pub fn allow(&self, operation: AeOperation) -> bool {
        self.operations.contains(&operation)
    }
}

/// Why an association is not let in. The peer is told the code alone; log and audit trail hear the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// It calls somebody else.
    CalledTitle,
    /// Nobody has registered the title.
    UnknownTitle,
    /// The registration is turned off.
    Disabled,
    /// The title calls from elsewhere.
    Address,
    /// The title has a certificate registered, and the peer showed none.
    NoCertificate,
    /// The peer showed another certificate than that of the title.
    OtherCertificate,
    /// The certificate belongs to another title.
    CertificateOfAnother,
    /// Certificates are demanded, and the title has none registered.
    CertificateNotRegistered,
}

impl Denied {
    /// What the peer is told.
    pub fn rejection(self) -> Rejection {
        match self {
            Self::CalledTitle => Rejection::CalledAeTitleNotRecognized,
            Self::UnknownTitle
            | Self::Disabled
            | Self::Address
            | Self::NoCertificate
            | Self::OtherCertificate
            | Self::CertificateOfAnother
            | Self::CertificateNotRegistered => Rejection::CallingAeTitleNotRecognized,
        }
    }

    /// The word in logs and the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CalledTitle => "called_ae_title_not_recognized",
            Self::UnknownTitle => "calling_ae_title_not_registered",
            Self::Disabled => "registration_disabled",
            Self::Address => "address_not_registered",
            Self::NoCertificate => "certificate_missing",
            Self::OtherCertificate => "certificate_not_the_registered_one",
            Self::CertificateOfAnother => "certificate_of_another_ae",
            Self::CertificateNotRegistered => "no_certificate_registered",
        }
    }
}

/// Asks the registry. `certificates_demanded`: the door lets nobody in without one.
///
/// # Errors
/// See [`Denied`].
pub fn check(
    config: &PacsConfig,
    certificates_demanded: bool,
    registry: &[Ae],
    peer: &Peer,
) -> Result<Rights, Denied> {
    if !config.accept_any_called_ae_title && peer.called_ae_title != config.ae_title {
        return Err(Denied::CalledTitle);
    }
    let registered = registry.iter().find(|ae| ae.title == peer.calling_ae_title);
    let trusted_here = peer.address.is_loopback() && config.accept_any_calling_ae_title_from_loopback;
    let Some(ae) = registered else {
        return if trusted_here { Ok(Rights::of_anybody_here()) } else { Err(Denied::UnknownTitle) };
    };
    let profile = &ae.profile;
    if !profile.enabled {
        return Err(Denied::Disabled);
    }
    if !profile.called_titles.is_empty() && !profile.called_titles.contains(&peer.called_ae_title) {
        return Err(Denied::CalledTitle);
    }
    let rights = Rights::of(profile);
    match prove(certificates_demanded, registry, ae, peer) {
        Ok(()) => Ok(rights),
        // Any program on this machine can say the title: it gets no more by that than one that nobody has registered.
        Err(_) if trusted_here => Ok(rights.sending_only()),
        Err(denied) => Err(denied),
    }
}

/// Whether the peer is where its registration says, and shows what the registration asks for.
fn prove(certificates_demanded: bool, registry: &[Ae], ae: &Ae, peer: &Peer) -> Result<(), Denied> {
    if !ae.profile.is_at(peer.address) {
        return Err(Denied::Address);
    }
    check_certificate(certificates_demanded, registry, ae, peer.certificate.as_ref())
}

fn check_certificate(
    demanded: bool,
    registry: &[Ae],
    ae: &Ae,
    shown: Option<&PeerCertificate>,
) -> Result<(), Denied> {
    match (&ae.profile.certificate, shown) {
        (Some(_), None) => Err(Denied::NoCertificate),
        (Some(registered), Some(shown)) if is(shown, registered) => Ok(()),
        (Some(_), Some(_)) => Err(Denied::OtherCertificate),
        (None, _) if demanded => Err(Denied::CertificateNotRegistered),
        (None, None) => Ok(()),
        (None, Some(shown)) => match owner(registry, shown) {
            Some(other) if *other != ae.title => Err(Denied::CertificateOfAnother),
            _ => Ok(()),
        },
    }
}

fn owner<'a>(registry: &'a [Ae], shown: &PeerCertificate) -> Option<&'a AeTitle> {
    let owns = |ae: &&Ae| ae.profile.certificate.as_ref().is_some_and(|registered| is(shown, registered));
    registry.iter().find(owns).map(|ae| &ae.title)
}

fn is(shown: &PeerCertificate, registered: &AeCertificate) -> bool {
    match registered {
        AeCertificate::PublicKey(digest) => shown.public_key_sha256() == digest,
        AeCertificate::Name(name) => shown.has_name(name),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use model::clock::Clock;

    use super::*;

    /// Calling title, address, certificate shown, whether one is demanded, outcome.
    type Row<'a> = (&'a str, [u8; 4], Option<&'a PeerCertificate>, bool, Option<Denied>);

    fn certificate(name: &str) -> PeerCertificate {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        PeerCertificate::read(params.self_signed(&key).expect("signed").der()).expect("a certificate")
    }

    fn ae(title: &str, change: impl FnOnce(&mut AeProfile)) -> Ae {
        let now = Clock::system().now();
        let mut profile =
            AeProfile { addresses: vec!["192.0.2.0/24".parse().expect("a network")], ..AeProfile::default() };
        change(&mut profile);
        let title = AeTitle::parse(title).expect("a title");
        Ae { id: Uuid::now_v7(), title, profile, version: 1, created_at: now, updated_at: now }
    }

    fn peer(calling: &str, address: [u8; 4], certificate: Option<&PeerCertificate>) -> Peer {
        Peer {
            association_id: Uuid::now_v7(),
            address: IpAddr::from(address),
            calling_ae_title: AeTitle::parse(calling).expect("a title"),
            called_ae_title: AeTitle::parse("MAXRAY").expect("a title"),
            certificate: certificate.cloned(),
        }
    }

    // threats.md rows 1, 2
    #[test]
    fn title_address_and_certificate_have_to_be_of_one_registration() {
        let (first, second, third) =
            (certificate("a.example"), certificate("b.example"), certificate("c.example"));
        let registry = [
            ae("PLAIN", |_| {}),
            ae("KEY", |profile| {
                profile.certificate = Some(AeCertificate::PublicKey(*first.public_key_sha256()));
            }),
            ae("NAME", |profile| profile.certificate = "dns:b.example".parse().ok()),
            ae("OFF", |profile| profile.enabled = false),
            ae("NOWHERE", |profile| profile.addresses.clear()),
            ae("ONLY", |profile| profile.called_titles = vec![AeTitle::parse("OTHER").expect("a title")]),
        ];
        let (inside, outside) = ([192, 0, 2, 7], [192, 0, 3, 7]);
        let rows: [Row<'_>; 17] = [
            ("PLAIN", inside, None, false, None),
            ("PLAIN", inside, Some(&third), false, None),
            ("PLAIN", outside, None, false, Some(Denied::Address)),
            ("PLAIN", inside, None, true, Some(Denied::CertificateNotRegistered)),
            ("PLAIN", inside, Some(&third), true, Some(Denied::CertificateNotRegistered)),
            ("PLAIN", inside, Some(&first), false, Some(Denied::CertificateOfAnother)),
            ("KEY", inside, Some(&first), true, None),
            ("KEY", inside, Some(&first), false, None),
            ("KEY", inside, None, false, Some(Denied::NoCertificate)),
            ("KEY", inside, Some(&second), true, Some(Denied::OtherCertificate)),
            ("KEY", outside, Some(&first), true, Some(Denied::Address)),
            ("NAME", inside, Some(&second), true, None),
            ("NAME", inside, Some(&first), true, Some(Denied::OtherCertificate)),
            ("NOBODY", inside, Some(&first), true, Some(Denied::UnknownTitle)),
            ("OFF", inside, None, false, Some(Denied::Disabled)),
            ("NOWHERE", inside, None, false, Some(Denied::Address)),
            ("ONLY", inside, None, false, Some(Denied::CalledTitle)),
        ];
        for (title, address, shown, demanded, expected) in rows {
            let outcome = check(&PacsConfig::default(), demanded, &registry, &peer(title, address, shown));
            assert_eq!(outcome.err(), expected, "{title} {address:?} {demanded}");
        }
    }

    // threats.md rows 1, 2
    #[test]
    fn on_this_machine_a_title_alone_shows_nobody_anything() {
        let (first, other) = (certificate("a.example"), certificate("b.example"));
        let all = |profile: &mut AeProfile| profile.operations = AeOperation::ALL.to_vec();
        let here = |profile: &mut AeProfile| {
            all(profile);
            profile.addresses = vec!["127.0.0.0/8".parse().expect("a network")];
        };
        let registry = [
            ae("ELSEWHERE", all),
            ae("HERE", here),
            ae("KEY", |profile| {
                here(profile);
                profile.certificate = Some(AeCertificate::PublicKey(*first.public_key_sha256()));
            }),
            ae("FINDONLY", |profile| profile.operations = vec![AeOperation::Find]),
        ];
        let sends = [AeOperation::Echo, AeOperation::Store];
        let rows: [(&str, Option<&PeerCertificate>, bool, &[AeOperation]); 8] = [
            ("ELSEWHERE", None, false, &sends),
            ("HERE", None, false, &AeOperation::ALL),
            ("HERE", None, true, &sends),
            ("HERE", Some(&first), false, &sends),
            ("KEY", Some(&first), true, &AeOperation::ALL),
            ("KEY", Some(&other), true, &sends),
            ("KEY", None, false, &sends),
            ("FINDONLY", None, false, &[]),
        ];
        for (title, shown, demanded, expected) in rows {
            let peer = peer(title, [127, 0, 0, 1], shown);
            let rights = check(&PacsConfig::default(), demanded, &registry, &peer).expect("let in");
            let allowed: Vec<_> = AeOperation::ALL.into_iter().filter(|one| rights.allow(*one)).collect();
            assert_eq!(allowed, expected, "{title} {demanded}");
        }
    }

    #[test]
    fn on_this_machine_a_title_is_enough_unless_the_settings_say_otherwise() {
        let registry = [
            ae("OFF", |profile| profile.enabled = false),
            ae("ECHO", |profile| {
                profile.operations = vec![AeOperation::Echo];
            }),
        ];
        let here = |title| peer(title, [127, 0, 0, 2], None);
        let config = PacsConfig::default();
        let anybody = check(&config, true, &registry, &here("ANYBODY")).expect("let in");
        assert!(anybody.allow(AeOperation::Store) && !anybody.allow(AeOperation::Find));
        let echo = check(&config, true, &registry, &here("ECHO")).expect("let in");
        assert!(echo.allow(AeOperation::Echo) && !echo.allow(AeOperation::Store));
        assert_eq!(check(&config, true, &registry, &here("OFF")), Err(Denied::Disabled));
        let strict = PacsConfig { accept_any_calling_ae_title_from_loopback: false, ..config };
        assert_eq!(check(&strict, false, &registry, &here("ANYBODY")), Err(Denied::UnknownTitle));
        assert_eq!(check(&strict, false, &registry, &here("ECHO")), Err(Denied::Address));
    }
}
