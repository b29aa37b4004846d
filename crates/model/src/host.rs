//! Whether a host of an address in the settings is this machine: only from there may things go unprotected.

use core::net::IpAddr;

/// Says so of `localhost` and of every loopback address, in brackets or not, also where IPv6 stands for IPv4.
pub fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn this_machine_is_known_in_every_spelling() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "[::ffff:127.0.0.1]"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "localhost.example.org", "10.0.0.1", "[::2]", "0.0.0.0", "127.0.0.1.example.org"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
