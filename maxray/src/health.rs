//! `maxray health`: whether a running server can serve, for those who cannot bring curl into its container.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;

use crate::settings::Settings;

/// What of an answer is shown.
const SHOWN_MAX_CHARACTERS: usize = 500;

/// Options of `health`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --url it asks /readyz of the server that these settings describe, on this machine: the \
                  address of http.listen, and loopback where that is 0.0.0.0 or [::]. With http.tls it takes the \
                  certificate as it is, for it is made for another name; with --url it has to be good.\n\n\
                  /readyz says yes when the database answers and the object store takes, gives back and deletes a \
                  small object; /readyz/database, which --without-storage asks, when the database answers. Whatever \
                  starts a server anew that is not well has to ask that: while the store is away the server still \
                  signs in, books, and tells modalities to keep their images. As a health check:\n  \
                  HEALTHCHECK CMD [\"maxray\", \"health\", \"--without-storage\"]\n  \
                  maxray health --url https://xray.example.org/readyz"
)]
pub struct HealthOptions {
    /// Ask this URL, which ends in /readyz or /readyz/database, instead of our own listener
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Do not ask for the object store, without which much can be done
    #[arg(long, conflicts_with = "url")]
    pub without_storage: bool,
    /// Longest wait for the answer
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: u64,
}

/// What `serve` writes into the data directory, as far as it matters here.
#[derive(Deserialize)]
struct Run {
    http: SocketAddr,
}

/// Asks, and fails unless the answer is 200.
pub async fn run(settings: &Settings, options: HealthOptions) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_millis(options.timeout_ms))
        .redirect(reqwest::redirect::Policy::none());
    let (client, url) = if let Some(url) = options.url {
        (client, url)
    } else {
        // Nothing is said to it, and nothing but yes or no is taken from it.
        let path = if options.without_storage { "/readyz/database" } else { "/readyz" };
        (client.no_proxy().tls_danger_accept_invalid_certs(true), own_url(settings, path)?)
    };
    let answer = client.build()?.get(&url).send().await;
    let answer = answer.with_context(|| format!("{url} does not answer"))?;
    let status = answer.status();
    let text: String = answer.text().await.unwrap_or_default().chars().take(SHOWN_MAX_CHARACTERS).collect();
    if status != reqwest::StatusCode::OK {
        bail!("{url} answers {status}: {text}");
    }
    println!("{text}");
    Ok(())
}

/// Where the server of these settings answers on this machine.
fn own_url(settings: &Settings, path: &str) -> anyhow::Result<String> {
    let mut address = settings.http.listen;
    if address.port() == 0 {
        let file = settings.data_directory.join("run.json");
        let text = fs::read_to_string(&file).with_context(|| {
            format!("http.listen takes a free port, and {} does not say which: does it run?", file.display())
        })?;
        address = serde_json::from_str::<Run>(&text).with_context(|| file.display().to_string())?.http;
    }
    let scheme = if settings.http.tls.is_enabled() { "https" } else { "http" };
    Ok(format!("{scheme}://{}{path}", reachable(address)))
}

/// An address that stands for all of this machine is none to connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_listener_is_asked() {
        let url = |listen: &str, certificate: &str| {
            let mut settings = Settings::default();
            settings.http.listen = listen.parse().expect("an address");
            settings.http.tls.certificate_file = certificate.into();
            own_url(&settings, "/readyz").expect("a URL")
        };
        assert_eq!(url("127.0.0.1:8080", ""), "http://127.0.0.1:8080/readyz");
        assert_eq!(url("0.0.0.0:8443", "certificate.pem"), "https://127.0.0.1:8443/readyz");
        assert_eq!(url("[::]:80", ""), "http://[::1]:80/readyz");
        assert_eq!(url("192.0.2.7:80", ""), "http://192.0.2.7:80/readyz");
    }
}
