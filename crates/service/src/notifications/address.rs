//! Where a webhook may be: what an administrator writes must not become a way into the network around the server.
//!
//! An address is looked at when it is written, when it is sent to, and once more when its name has been resolved: the
//! connection goes to the very address that was looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// Longest address in bytes.
const LENGTH_MAX: usize = 2_000;

/// Which addresses may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressRules {
    /// Without TLS to other machines.
    pub allow_http: bool,
    /// To what only this network can reach.
    pub allow_private: bool,
}

/// An address that may be sent to, as far as it can be told before its name is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAddress(Url);

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    /// It is no URL, or too long.
    #[error("is no URL of at most 2000 bytes")]
    Malformed,
    /// It is no `https://`, and `http://` is not allowed there.
    #[error("must begin with https://, unless notifications.webhooks.allow_http")]
    Unprotected,
    /// It holds a user name or password, or a fragment.
    #[error("holds a user name, a password or a fragment")]
    Surplus,
    /// It is within a network that others cannot reach.
    #[error("is a private, local or reserved address (see notifications.webhooks.allow_private_addresses)")]
    Private,
}

impl WebhookAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// See [`AddressRefused`].
    pub fn parse(text: &str, rules: AddressRules) -> Result<Self, AddressRefused> {
        if text.len() > LENGTH_MAX || text.chars().any(|one| one.is_control() || one.is_whitespace()) {
            return Err(AddressRefused::Malformed);
        }
        let url = Url::parse(text).map_err(|_| AddressRefused::Malformed)?;
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let own = is_own_name(host) || literal.is_some_and(|address| address.to_canonical().is_loopback());
        match url.scheme() {
            "https" => {}
            // What stays on this machine is read by nobody on its way.
            "http" if rules.allow_http || own => {}
            _ => return Err(AddressRefused::Unprotected),
        }
        if host.is_empty() {
            return Err(AddressRefused::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(AddressRefused::Surplus);
        }
        let inside = match literal {
            Some(address) => !rules.allows(address),
            None => own && !rules.allow_private,
        };
        if inside { Err(AddressRefused::Private) } else { Ok(Self(url)) }
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl AddressRules {
    /// Whether this address may be sent to.
    pub fn allows(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let nobody = address.is_unspecified() || address.is_multicast() || address == Ipv4Addr::BROADCAST;
        !nobody && (self.allow_private || is_public(address))
    }
}

/// RFC 6761 6.3: these names stand for this machine.
fn is_own_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// Not in one of the special-purpose registries of IANA (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

/// Global unicast (2000::/3) without what tunnels to an IPv4 address, or is reserved.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = (0x2000..0x4000).contains(&a);
    let special = a == 0x2002 || (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || (a == 0x3fff && b < 0x1000);
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: AddressRules = AddressRules { allow_http: false, allow_private: false };

    #[test]
    fn what_leads_inside_is_refused() {
        use AddressRefused::{Malformed, Private, Surplus, Unprotected};
        for (text, why) in [
            ("hooks.example.org", Malformed),
            ("https://", Malformed),
            ("https://a b/", Malformed),
            ("ftp://hooks.example.org/", Unprotected),
            ("file:///etc/passwd", Unprotected),
            ("http://hooks.example.org/", Unprotected),
            ("http://localhost.example.org/", Unprotected),
            ("http://8.8.8.8/", Unprotected),
            ("https://me:secret@hooks.example.org/", Surplus),
            ("https://hooks.example.org/#a", Surplus),
            ("https://10.0.0.1/", Private),
            ("https://172.31.255.255/", Private),
            ("https://192.168.1.1:8443/x", Private),
            ("https://169.254.169.254/latest/meta-data", Private),
            ("https://100.64.0.1/", Private),
            ("https://0.0.0.0/", Private),
            ("https://0x0a000001/", Private),
            ("https://167772161/", Private),
            ("https://255.255.255.255/", Private),
            ("https://[::]/", Private),
            ("https://[fe80::1]/", Private),
            ("https://[fd00::1]/", Private),
            ("https://[::ffff:10.0.0.1]/", Private),
            ("https://[64:ff9b::10.0.0.1]/", Private),
            ("https://[2002:a00:1::]/", Private),
        ] {
            assert_eq!(WebhookAddress::parse(text, STRICT), Err(why), "{text}");
        }
    }

    #[test]
    fn what_leads_outside_is_taken() {
        for text in ["https://hooks.example.org/a?b=c", "https://8.8.8.8/", "https://[2606:4700::1111]/"] {
            assert!(WebhookAddress::parse(text, STRICT).is_ok(), "{text}");
        }
        // This machine is inside, too: what listens on it trusts who comes from it.
        let inside = AddressRules { allow_http: false, allow_private: true };
        for text in
            ["http://127.0.0.1:9000/", "http://[::1]:9000/", "http://localhost:9000/", "https://a.localhost/"]
        {
            assert_eq!(WebhookAddress::parse(text, STRICT), Err(AddressRefused::Private), "{text}");
            assert!(WebhookAddress::parse(text, inside).is_ok(), "{text}");
        }
        assert_eq!(WebhookAddress::parse("http://10.0.0.1/", inside), Err(AddressRefused::Unprotected));
        let lenient = AddressRules { allow_http: true, allow_private: true };
        assert!(WebhookAddress::parse("http://10.0.0.1/", lenient).is_ok());
        assert_eq!(WebhookAddress::parse("http://0.0.0.0/", lenient), Err(AddressRefused::Private));
    }
}
