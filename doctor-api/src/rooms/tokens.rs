//! What lets a participant into a server that carries picture and sound: a JWT signed with the secret that we share with it.

use chrono::{DateTime, Utc};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use service::http::problem::Problem;

use super::{Side, config::RoomConfig};

/// Seconds by which clocks may differ.
const SKEW_SECONDS: i64 = 60;

/// Who is let in where and when.
pub struct Participant<'a> {
    /// Name of the room.
    pub room: &'a str,
    /// Which of the two.
    pub side: Side,
    /// From now.
    pub now: DateTime<Utc>,
    /// Until then.
    pub until: DateTime<Utc>,
}

/// <https://docs.livekit.io/home/get-started/authentication/>
pub fn livekit(config: &RoomConfig, of: &Participant<'_>) -> Result<String, Problem> {
    sign(
        config,
        &json!({
            "iss": config.application,
            "sub": of.side.as_str(),
            "nbf": of.now.timestamp() - SKEW_SECONDS,
            "exp": of.until.timestamp(),
            "video": {
                "room": of.room, "roomJoin": true, "canPublish": true, "canSubscribe": true, "canPublishData": true,
            },
        }),
    )
}

/// <https://github.com/jitsi/lib-jitsi-meet/blob/master/doc/tokens.md>
pub fn jitsi(config: &RoomConfig, of: &Participant<'_>) -> Result<String, Problem> {
    let domain = config.server.trim_start_matches("https://");
    let domain = domain.split(['/', ':']).next().unwrap_or_default();
    sign(
        config,
        &json!({
            "iss": config.application,
            "aud": "jitsi",
            "sub": domain,
            "room": of.room,
            "nbf": of.now.timestamp() - SKEW_SECONDS,
            "exp": of.until.timestamp(),
            "context": { "user": { "id": of.side.as_str(), "moderator": of.side == Side::Doctor } },
        }),
    )
}

fn sign(config: &RoomConfig, claims: &Value) -> Result<String, Problem> {
    let key = EncodingKey::from_secret(config.application_secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).map_err(|error| Problem::internal(&error))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    use super::*;

    fn claims(token: &str, secret: &str, audience: Option<&str>) -> Option<Value> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_aud = audience.is_some();
        validation.set_audience(&audience.into_iter().collect::<Vec<_>>());
        let key = DecodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::decode::<Value>(token, &key, &validation).ok().map(|token| token.claims)
    }

    #[test]
    fn a_token_is_for_one_room_and_one_side() {
        let config = RoomConfig {
            server: "https://meet.example.org:8443/x".into(),
            application: "maxray".into(),
            application_secret: "0123456789abcdef".into(),
            ..RoomConfig::default()
        };
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1);
        let until = now + chrono::TimeDelta::hours(1);
        let of = |side| Participant { room: "r1", side, now, until };
        let token = livekit(&config, &of(Side::Visitor)).expect("a token");
        let said = claims(&token, "0123456789abcdef", None).expect("our signature");
        assert_eq!(
            (&said["iss"], &said["sub"], &said["exp"]),
            (&json!("maxray"), &json!("visitor"), &json!(7200))
        );
        assert_eq!((&said["video"]["room"], &said["video"]["roomJoin"]), (&json!("r1"), &json!(true)));
        assert!(said["video"].get("roomAdmin").is_none(), "nobody is more than a participant");
        assert_eq!(claims(&token, "another", None), None);
        for (side, moderator) in [(Side::Doctor, true), (Side::Visitor, false)] {
            let token = jitsi(&config, &of(side)).expect("a token");
            let said = claims(&token, "0123456789abcdef", Some("jitsi")).expect("our signature");
            assert_eq!((&said["sub"], &said["room"]), (&json!("meet.example.org"), &json!("r1")));
            assert_eq!(said["context"]["user"]["moderator"], moderator);
        }
    }
}
