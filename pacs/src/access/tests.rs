//! Who may associate, and for what.

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
        person: None,
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
        ("FINDONLY", None, false, &[AeOperation::Echo]),
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
