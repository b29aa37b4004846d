//! Section `[redis]` of the configuration.

use std::fs;

use model::host::is_this_machine;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates};
use serde::{Deserialize, Serialize};

/// Longest prefix, in bytes.
const PREFIX_LENGTH_MAX_BYTES: usize = 100;

/// Settings of the Redis that nodes share; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// `rediss://user:password@host:6379/0`; empty for none.
    pub url: String,
    /// Reach a Redis on another machine without TLS. Only in a trusted network.
    pub insecure: bool,
    /// PEM: the authorities that are trusted instead of the system's; empty for the system's.
    pub ca_file: String,
    /// What the names of keys and channels begin with: archives that share a Redis have one each.
    pub prefix: String,
}

/// A setting of the section makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("redis.{0}")]
pub struct RedisConfigError(String);

impl Default for RedisConfig {
    fn default() -> Self {
        Self { url: String::new(), insecure: false, ca_file: String::new(), prefix: "maxray".to_owned() }
    }
}

impl RedisConfig {
    /// Says which setting makes no sense.
    ///
    /// # Errors
    /// See [`RedisConfigError`].
    pub fn check(&self) -> Result<(), RedisConfigError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if !(1..=PREFIX_LENGTH_MAX_BYTES).contains(&self.prefix.len()) || !self.prefix.bytes().all(is_word) {
            return Err(refused(&format!(
                "prefix has 1 to {PREFIX_LENGTH_MAX_BYTES} letters, digits and - _ . :"
            )));
        }
        self.address().map(drop)
    }

    /// Where it is; none without one.
    fn address(&self) -> Result<Option<ConnectionInfo>, RedisConfigError> {
        if self.url.is_empty() {
            return Ok(None);
        }
        // What the parser complains of may hold the password.
        let address = self.url.as_str().into_connection_info();
        let address = address.map_err(|_| refused("url is no URL as rediss://user:password@host:6379/0"))?;
        match address.addr() {
            ConnectionAddr::Tcp(host, _) if !is_this_machine(host) && !self.insecure => {
                Err(refused("url sends without TLS: use rediss://, or set redis.insecure"))
            }
            ConnectionAddr::TcpTls { insecure: true, .. } => Err(refused(
                "url has #insecure, which takes any certificate: name its authority in redis.ca_file",
            )),
            _ => Ok(Some(address)),
        }
    }

    /// What connects to it; none without one.
    pub(super) fn client(&self) -> Result<Option<Client>, RedisConfigError> {
        let Some(address) = self.address()? else { return Ok(None) };
        let is_tls = matches!(address.addr(), ConnectionAddr::TcpTls { .. });
        let client = match self.ca_file.as_str() {
            file if is_tls && !file.is_empty() => {
                let unreadable = |error| refused(&format!("ca_file {file} cannot be read: {error}"));
                let root_cert = Some(fs::read(file).map_err(unreadable)?);
                Client::build_with_tls(address, TlsCertificates { client_tls: None, root_cert })
            }
            _ => Client::open(address),
        };
        client.map(Some).map_err(|error| refused(&format!("url or ca_file: {}", error.category())))
    }
}

fn refused(reason: &str) -> RedisConfigError {
    RedisConfigError(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nodes_say_leaves_this_machine_protected_or_not_at_all() {
        let check = |url: &str, insecure: bool| {
            RedisConfig { url: url.to_owned(), insecure, ..RedisConfig::default() }.check().is_ok()
        };
        for url in ["", "rediss://me:secret@redis.example.org/1", "redis://127.0.0.1:6379", "redis://[::1]/"]
        {
            assert!(check(url, false), "{url}");
        }
        for url in ["redis://me:secret@redis.example.org", "redis://10.0.0.1/0"] {
            assert!(!check(url, false) && check(url, true), "{url}");
        }
        for url in ["redis.example.org", "http://redis.example.org", "rediss://redis.example.org/#insecure"] {
            assert!(!check(url, true), "{url}");
        }
    }

    #[test]
    fn an_error_keeps_the_password_to_itself() {
        let config = RedisConfig { url: "redis//me:hunter2@host".to_owned(), ..RedisConfig::default() };
        assert!(!config.check().expect_err("no URL").to_string().contains("hunter2"));
    }

    #[test]
    fn a_prefix_is_a_word() {
        let check =
            |prefix: &str| RedisConfig { prefix: prefix.to_owned(), ..RedisConfig::default() }.check();
        assert!(check("site-7:maxray").is_ok());
        for prefix in ["", "a b", "{a}", "röntgen", &"x".repeat(101)] {
            assert!(check(prefix).is_err(), "{prefix}");
        }
    }
}
