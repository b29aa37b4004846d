//! What `ae` must hold.

use super::*;

#[test]
fn addresses_and_networks() {
    let rows = [
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("192.0.2.7", "192.0.2.0/24", true),
        ("192.0.3.7", "192.0.2.0/24", false),
        ("192.0.2.7", "0.0.0.0/0", true),
        ("192.0.2.7", "192.0.2.6/31", true),
        ("::ffff:192.0.2.7", "192.0.2.0/24", true),
        ("192.0.2.7", "::ffff:192.0.2.7", true),
        ("2001:db8::1", "2001:db8::/32", true),
        ("2001:db9::1", "2001:db8::/32", false),
        ("2001:db8::1", "::/0", true),
        ("2001:db8::1", "0.0.0.0/0", false),
        ("192.0.2.7", "::/0", false),
    ];
    for (address, network, expected) in rows {
        let address: IpAddr = address.parse().expect("an address");
        let network: Network = network.parse().expect("a network");
        assert_eq!(network.contains(address), expected, "{address} in {network}");
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    let bad =
        ["", "any", "192.0.2", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "10.0.0.1/-1", "a.example"];
    for bad in bad {
        assert!(bad.parse::<Network>().is_err(), "{bad}");
    }
}

#[test]
fn certificates_are_named() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    for good in [digest.as_str(), "dns:cr1.example.org", "ip:192.0.2.17", "ip:2001:db8::1"] {
        assert_eq!(good.parse::<AeCertificate>().expect("a certificate").to_string(), good);
    }
    assert_eq!("dns:CR1.Example".parse(), Ok(AeCertificate::Name("cr1.example".to_owned())));
    let long = format!("dns:{}", "a".repeat(254));
    for bad in
        ["", "sha256:", "sha256:0g", "dns:", "dns:a b", "dns:*.example", "dns:192.0.2.1", "ip:a", &long]
    {
        assert!(bad.parse::<AeCertificate>().is_err(), "{bad}");
    }
}
