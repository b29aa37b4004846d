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

    /// Whether it may be asked for. Who is let in may always verify that it is (PS3.4 Annex A): a technician who looks why
    /// nothing arrives begins with it, and it shows nothing.
    pub fn allow(&self, operation: AeOperation) -> bool {
        operation == AeOperation::Echo || self.operations.contains(&operation)
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
    /// A passcode or a token came unencrypted over a network: whoever listened has it, too.
    IdentityInTheClear,
    /// The peer is not who it says.
    IdentityNotProved,
    /// Somebody has said so too often.
    IdentityTriedTooOften,
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
            Self::IdentityInTheClear | Self::IdentityNotProved => Rejection::UserIdentityNotProved,
            Self::IdentityTriedTooOften => Rejection::UserIdentityTriedTooOften,
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
            Self::IdentityInTheClear => "user_identity_in_the_clear",
            Self::IdentityNotProved => "user_identity_not_proved",
            Self::IdentityTriedTooOften => "user_identity_tried_too_often",
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
mod tests;
