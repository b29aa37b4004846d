//! The URL by which a client reaches this program: as a proxy of the settings tells it (RFC 7239, and the fields that
//! were there before it), or as a client asks that came without one.
//!
//! It goes into answers, and strangers wrote it: what has another character than a host or a plain path is not taken.

use std::net::Ipv6Addr;

use http::{HeaderMap, Version, header, request::Parts};

/// Longest name of a host (RFC 1035 2.3.4).
const HOST_LENGTH_MAX_BYTES: usize = 253;
/// Longest path that a proxy may say it has taken off.
const PREFIX_LENGTH_MAX_BYTES: usize = 200;

/// How a connection came here; the server leaves it at each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Over TLS that ends here.
    pub is_encrypted: bool,
    /// From an address of `http.proxies`, whomever that speaks for.
    pub is_from_proxy: bool,
    /// The port that it came to.
    pub port: u16,
}

/// Scheme, host and the path before ours, as in `https://xray.example.org/pacs`, without a slash at the end; `None`
/// when nobody says it who is believed.
pub fn public_url(parts: &Parts) -> Option<String> {
    let arrival = parts.extensions.get::<Arrival>()?;
    if has_passed_a_proxy(&parts.headers) {
        return if arrival.is_from_proxy { forwarded(parts) } else { None };
    }
    // A proxy that only passes bytes on may have taken TLS off them, and one that speaks HTTP/1.0 asks for itself.
    let may_be_http = !arrival.is_encrypted && arrival.is_from_proxy;
    if may_be_http || parts.version < Version::HTTP_11 {
        return None;
    }
    let (scheme, usual) = if arrival.is_encrypted { ("https", 443) } else { ("http", 80) };
    let authority = requested(parts)?;
    // Some clients leave the port out of the field Host, some networks lead another port to ours: nobody can tell which it is.
    if split_authority(authority)?.1.is_none() && arrival.port != usual {
        return None;
    }
    url(scheme, authority, None, "")
}

fn has_passed_a_proxy(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str();
        matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
    })
}

/// What the nearest proxy says: the last piece of a field is its own, those before may have come from anywhere.
fn forwarded(parts: &Parts) -> Option<String> {
    let headers = &parts.headers;
    let element = last(headers, "forwarded").unwrap_or_default();
    let scheme = parameter(element, "proto").or_else(|| last(headers, "x-forwarded-proto"))?;
    let scheme = ["https", "http"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
    let prefix = last(headers, "x-forwarded-prefix").unwrap_or_default();
    if let Some(host) = parameter(element, "host") {
        return url(scheme, host, None, prefix);
    }
    // Many proxies pass the field Host on as it came, and say no more than the scheme.
    let host = last(headers, "x-forwarded-host").or_else(|| requested(parts))?;
    url(scheme, host, last(headers, "x-forwarded-port"), prefix)
}

/// The host that the request itself names (RFC 9112 3.2 and 3.3, RFC 9113 8.3.1).
fn requested(parts: &Parts) -> Option<&str> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.as_str());
    }
    let mut fields = parts.headers.get_all(header::HOST).iter();
    let host = fields.next()?.to_str().ok()?;
    fields.next().is_none().then_some(host)
}

/// The last piece of the last of these fields; empty when it cannot be read.
fn last<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    let field = headers.get_all(name).iter().next_back()?.to_str().unwrap_or_default();
    // From the end: a quote that somebody before the proxy left open must not swallow what the proxy says.
    Some(field.rsplit(outside_quotes(',')).next().unwrap_or_default().trim())
}

/// A parameter of an element of Forwarded, its quotes taken off.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(outside_quotes(';')).find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn outside_quotes(separator: char) -> impl FnMut(char) -> bool {
    let mut is_quoted = false;
    move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    }
}

/// A URL of what was said, if each piece is what it should be; `port` counts where `authority` has none.
fn url(scheme: &str, authority: &str, port: Option<&str>, prefix: &str) -> Option<String> {
    let (host, own_port) = split_authority(authority)?;
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = match own_port.or(port) {
        Some(text) => port_number(text)?,
        None => usual,
    };
    let prefix = prefix.trim_end_matches('/');
    if !is_host(host) || !is_path(prefix) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    let port = if port == usual { String::new() } else { format!(":{port}") };
    Some(format!("{scheme}://{host}{port}{prefix}"))
}

/// Host and port; an IPv6 address has its brackets (RFC 3986 3.2.2).
fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None => rest.is_empty().then_some((host, None)),
    }
}

fn port_number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

/// An IPv6 address in brackets, or the unreserved characters of RFC 3986: all that names and IPv4 addresses have.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    (1..=HOST_LENGTH_MAX_BYTES).contains(&host.len()) && host.bytes().all(is_unreserved)
}

/// Nothing, or a path that needs no encoding.
fn is_path(path: &str) -> bool {
    let is_absolute = path.starts_with('/') && !path.contains("//");
    let is_plain = path.bytes().all(|byte| byte == b'/' || is_unreserved(byte));
    path.is_empty() || (is_absolute && is_plain && path.len() <= PREFIX_LENGTH_MAX_BYTES)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECT: Arrival = Arrival { is_encrypted: false, is_from_proxy: false, port: 80 };
    const ELSEWHERE: Arrival = Arrival { port: 8080, ..DIRECT };
    const OVER_TLS: Arrival = Arrival { is_encrypted: true, is_from_proxy: false, port: 443 };
    const PROXIED: Arrival = Arrival { is_encrypted: false, is_from_proxy: true, port: 8080 };
    const PROXIED_OVER_TLS: Arrival = Arrival { is_encrypted: true, is_from_proxy: true, port: 443 };

    fn ask(arrival: Arrival, version: Version, uri: &str, fields: &[(&str, &str)]) -> Option<String> {
        let mut request = http::Request::builder().uri(uri).version(version).extension(arrival);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        public_url(&request.body(()).expect("a request").into_parts().0)
    }

    fn said(arrival: Arrival, fields: &[(&str, &str)]) -> Option<String> {
        ask(arrival, Version::HTTP_11, "/studies", fields)
    }

    #[test]
    fn who_comes_without_a_proxy_is_answered_as_asked() {
        for (arrival, host, expected) in [
            (DIRECT, "pacs:8080", Some("http://pacs:8080")),
            (DIRECT, "pacs:80", Some("http://pacs")),
            (DIRECT, "pacs", Some("http://pacs")),
            (ELSEWHERE, "pacs:8080", Some("http://pacs:8080")),
            (ELSEWHERE, "pacs", None),
            (OVER_TLS, "XRAY.example.org", Some("https://xray.example.org")),
            (OVER_TLS, "xray.example.org:443", Some("https://xray.example.org")),
            (OVER_TLS, "xray.example.org:80", Some("https://xray.example.org:80")),
            (OVER_TLS, "[2001:db8::7]:8443", Some("https://[2001:db8::7]:8443")),
            (OVER_TLS, "192.0.2.7", Some("https://192.0.2.7")),
            // Bytes that a proxy passed on: with TLS that ends here they are as the client sent them.
            (PROXIED_OVER_TLS, "xray.example.org", Some("https://xray.example.org")),
            (PROXIED, "xray.example.org", None),
        ] {
            assert_eq!(said(arrival, &[("host", host)]).as_deref(), expected, "{arrival:?} {host}");
        }
        let absolute = "http://b.example/studies";
        let host = [("host", "a.example")];
        for (version, uri, expected) in [
            (Version::HTTP_10, "/", None),
            (Version::HTTP_2, absolute, Some("http://b.example")),
            (Version::HTTP_11, absolute, Some("http://b.example")),
            (Version::HTTP_11, "http://user@b.example/", None),
        ] {
            assert_eq!(ask(DIRECT, version, uri, &host).as_deref(), expected, "{version:?} {uri}");
        }
        assert_eq!(said(DIRECT, &[]), None);
        assert_eq!(said(DIRECT, &[("host", "a"), ("host", "b")]), None);
        // How it came is not known: a test, or another server.
        let request = http::Request::builder().header("host", "a.example").body(()).expect("a request");
        assert_eq!(public_url(&request.into_parts().0), None);
    }

    #[test]
    fn proxies_of_the_settings_are_believed_and_nobody_else() {
        let host = ("host", "10.0.0.5:8080");
        let (proto, named) = (("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example"));
        for (fields, expected) in [
            (
                &[host, ("forwarded", "for=192.0.2.7;host=a.example;proto=https")][..],
                Some("https://a.example"),
            ),
            (&[host, ("forwarded", "Proto=HTTP; Host=\"a.example:8443\"")], Some("http://a.example:8443")),
            // The last one is the nearest proxy's, also behind a quote that is not closed.
            (
                &[host, ("forwarded", "host=x.evil;proto=http, host=\"[::1]:1\";proto=https")],
                Some("https://[::1]:1"),
            ),
            (&[host, ("forwarded", "for=\"x, host=a.example;proto=https")], Some("https://a.example")),
            (
                &[host, ("forwarded", "host=x.evil;proto=http"), ("forwarded", "host=a.example;proto=https")],
                Some("https://a.example"),
            ),
            (&[host, proto, named], Some("https://a.example")),
            (
                &[host, ("x-forwarded-proto", "http, https"), ("x-forwarded-host", "x.evil, a.example")],
                Some("https://a.example"),
            ),
            (&[host, proto, named, ("x-forwarded-port", "8443")], Some("https://a.example:8443")),
            (&[host, proto, named, ("x-forwarded-port", "443")], Some("https://a.example")),
            (&[host, proto, named, ("x-forwarded-prefix", "/pacs/")], Some("https://a.example/pacs")),
            (&[host, ("forwarded", "for=192.0.2.7"), proto, named], Some("https://a.example")),
            // The host as it came.
            (&[("host", "a.example"), proto], Some("https://a.example")),
            // Nobody says the scheme.
            (&[host, named], None),
            (&[host, ("x-forwarded-for", "192.0.2.7")], None),
            (&[host, ("via", "1.1 proxy")], None),
        ] {
            assert_eq!(said(PROXIED, fields).as_deref(), expected, "{fields:?}");
            assert_eq!(said(DIRECT, fields), None, "{fields:?}");
            assert_eq!(said(OVER_TLS, fields), None, "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_host_and_no_path_is_not_taken() {
        let long = "a".repeat(HOST_LENGTH_MAX_BYTES + 1);
        let hosts = "| |:80|a b|a\"b|a'b|a<b|a/b|a\\b|a?b|a#b|a,b|a;b|a%41|user@a|user:password@a|a:|a:0|a:+1|a:65536|a:x|\
                     a:1:2|[::1|[::1]x|[a]|::1|http://a";
        for host in hosts.split('|').chain([long.as_str()]) {
            assert_eq!(said(OVER_TLS, &[("host", host)]), None, "{host}");
            // The last piece of it is all that counts here.
            if !host.contains(',') {
                let fields = [("host", "b"), ("x-forwarded-proto", "https"), ("x-forwarded-host", host)];
                assert_eq!(said(PROXIED, &fields), None, "{host}");
            }
        }
        for (name, value) in [
            ("x-forwarded-prefix", "pacs"),
            ("x-forwarded-prefix", "//evil.example"),
            ("x-forwarded-prefix", "/a b"),
            ("x-forwarded-prefix", "/\"><script>"),
            ("x-forwarded-prefix", "/a%22"),
            ("x-forwarded-port", "x"),
            ("x-forwarded-port", "0"),
            ("x-forwarded-proto", "javascript"),
            ("forwarded", "host=a;proto=ftp"),
            ("forwarded", "host=\"a b\";proto=https"),
        ] {
            let mut fields = vec![("x-forwarded-host", "a.example"), ("x-forwarded-proto", "https")];
            fields.retain(|(known, _)| *known != name);
            fields.push((name, value));
            assert_eq!(said(PROXIED, &fields), None, "{name}: {value}");
        }
    }
}
