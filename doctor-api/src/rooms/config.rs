//! Settings of the rooms.

use serde::{Deserialize, Serialize};

/// Who carries picture and sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomProvider {
    /// The two browsers themselves.
    #[default]
    Webrtc,
    /// A LiveKit server.
    Livekit,
    /// A Jitsi Meet server with token authentication.
    Jitsi,
}

/// Section `[doctor_api.room]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomConfig {
    /// Who carries picture and sound.
    pub provider: RoomProvider,
    /// A room opens so many minutes before the agreed time.
    pub opens_minutes_before: u32,
    /// And is closed so many minutes after the agreed end, unless the consultation is in progress.
    pub closes_minutes_after: u32,
    /// STUN servers (RFC 8489), as `stun:stun.example.org:3478`.
    pub stun_servers: Vec<String>,
    /// TURN servers (RFC 8656), as `turn:turn.example.org:3478?transport=udp`.
    pub turn_servers: Vec<String>,
    /// What they share with us: `static-auth-secret` of coturn.
    pub turn_secret: String,
    /// The LiveKit (`wss://...`) or Jitsi (`https://...`) server.
    pub server: String,
    /// The API key of LiveKit, or the application id of Jitsi.
    pub application: String,
    /// Its secret.
    pub application_secret: String,
    /// Browsers in rooms at the same time.
    pub connections_max: usize,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            provider: RoomProvider::Webrtc,
            opens_minutes_before: 15,
            closes_minutes_after: 60,
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            turn_secret: String::new(),
            server: String::new(),
            application: String::new(),
            application_secret: String::new(),
            connections_max: 1_024,
        }
    }
}

/// Settings with which nobody could be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomConfigError {
    /// The servers would refuse everybody.
    TurnSecret,
    /// There is nowhere to go.
    Server,
    /// Nobody could be let in there.
    Application,
}

impl std::fmt::Display for RoomConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TurnSecret => {
                "doctor_api.room.turn_servers are given without doctor_api.room.turn_secret, which is static-auth-secret of coturn"
            }
            Self::Server => {
                "doctor_api.room.server is needed for this doctor_api.room.provider: wss://... for livekit, https://... for jitsi"
            }
            Self::Application => {
                "doctor_api.room.application and application_secret are needed for this doctor_api.room.provider"
            }
        })
    }
}

impl std::error::Error for RoomConfigError {}

impl RoomConfig {
    /// Refuses what lets nobody in.
    ///
    /// # Errors
    /// See [`RoomConfigError`].
    pub fn check(&self) -> Result<(), RoomConfigError> {
        if !self.turn_servers.is_empty() && self.turn_secret.is_empty() {
            return Err(RoomConfigError::TurnSecret);
        }
        let scheme = match self.provider {
            RoomProvider::Webrtc => return Ok(()),
            RoomProvider::Livekit => "wss://",
            RoomProvider::Jitsi => "https://",
        };
        if !self.server.starts_with(scheme) || self.server.len() == scheme.len() {
            return Err(RoomConfigError::Server);
        }
        if self.application.is_empty() || self.application_secret.is_empty() {
            return Err(RoomConfigError::Application);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_nobody_in_is_refused() {
        assert_eq!(RoomConfig::default().check(), Ok(()));
        let turn = RoomConfig { turn_servers: vec!["turn:turn.example.org".into()], ..RoomConfig::default() };
        assert_eq!(turn.check(), Err(RoomConfigError::TurnSecret));
        assert_eq!(RoomConfig { turn_secret: "s".into(), ..turn }.check(), Ok(()));
        let mut hosted = RoomConfig { provider: RoomProvider::Livekit, ..RoomConfig::default() };
        for server in ["", "wss://", "http://live.example.org", "ws://live.example.org"] {
            hosted.server = server.to_owned();
            assert_eq!(hosted.check(), Err(RoomConfigError::Server), "{server}");
        }
        hosted.server = "wss://live.example.org".to_owned();
        assert_eq!(hosted.check(), Err(RoomConfigError::Application));
        hosted.application = "key".to_owned();
        hosted.application_secret = "secret".to_owned();
        assert_eq!(hosted.check(), Ok(()));
        hosted.provider = RoomProvider::Jitsi;
        assert_eq!(hosted.check(), Err(RoomConfigError::Server), "another scheme");
    }
}
