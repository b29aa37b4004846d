//! How two browsers find a way to each other (ICE, RFC 8445): STUN servers, and TURN servers with credentials that end by
//! themselves, as coturn knows them ("A REST API For Access To TURN Services", draft-uberti-behave-turn-rest-00).

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::config::RoomConfig;

/// Servers for `RTCPeerConnection`, in the form of its `iceServers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IceServer {
    /// Where they are.
    #[schema(example = json!(["turn:turn.example.org:3478?transport=udp"]))]
    urls: Vec<String>,
    /// For TURN: until when the credential is good, and a name that says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

/// The servers of the configuration, with a credential of their own for everybody who asks.
pub fn ice_servers(config: &RoomConfig, until: DateTime<Utc>) -> Vec<IceServer> {
    let mut servers = Vec::new();
    if !config.stun_servers.is_empty() {
        servers.push(IceServer { urls: config.stun_servers.clone(), username: None, credential: None });
    }
    if !config.turn_servers.is_empty() {
        let username = format!("{}:{}", until.timestamp(), Uuid::now_v7().simple());
        let credential = credential(&config.turn_secret, &username);
        servers.push(IceServer {
            urls: config.turn_servers.clone(),
            username: Some(username),
            credential: Some(credential),
        });
    }
    servers
}

/// SHA-1 is what TURN servers compute; as an HMAC it is not broken.
fn credential(secret: &str, username: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, username.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by `openssl dgst -sha1 -hmac`.
    #[test]
    fn credentials_are_those_that_coturn_computes() {
        assert_eq!(credential("north", "1700000000:abc"), "g5HTmCBrPDhYXFpM/1dHUtfE+c4=");
    }

    #[test]
    fn nothing_is_said_of_what_is_not_configured() {
        let mut config = RoomConfig::default();
        assert_eq!(ice_servers(&config, DateTime::UNIX_EPOCH), []);
        config.stun_servers = vec!["stun:stun.example.org".into()];
        config.turn_servers = vec!["turn:turn.example.org".into()];
        config.turn_secret = "north".into();
        let servers = ice_servers(&config, DateTime::UNIX_EPOCH);
        assert_eq!((servers[0].username.as_ref(), servers[0].credential.as_ref()), (None, None));
        let name = servers[1].username.as_deref().expect("a name");
        assert!(name.starts_with("0:"), "{name}");
        assert_eq!(servers[1].credential, Some(credential("north", name)));
        assert_ne!(ice_servers(&config, DateTime::UNIX_EPOCH)[1], servers[1], "each its own");
    }
}
