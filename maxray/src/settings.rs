//! All sections together; each section's type stands beside its owner.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    home,
    roles::{self, Role},
};

/// The whole configuration. `maxray.toml` at the root shows every key with its default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where everything is kept that no other setting puts elsewhere.
    pub data_directory: PathBuf,
    /// What this process does of what MaxRay does.
    pub roles: Vec<Role>,
    pub log: service::telemetry::LogConfig,
    pub http: service::http::limits::HttpConfig,
    pub identity: service::identity::IdentityConfig,
    pub access: database::AccessConfig,
    pub pacs: pacs::PacsConfig,
    pub dicomweb: dicomweb::DicomwebConfig,
    pub doctor_api: doctor_api::DoctorApiConfig,
    pub database: database::DatabaseConfig,
    pub object_storage: object_storage::ObjectStorageConfig,
    pub keys: object_storage::KeysConfig,
    pub archive: archive::ArchiveConfig,
    pub worker: worker::WorkerConfig,
    pub broker: worker::BrokerConfig,
    pub redis: service::redis::RedisConfig,
    pub patient_service: service::patient_service::PatientServiceConfig,
    pub notifications: service::notifications::NotificationsConfig,
    pub audit: worker::audit_checkpoints::AuditConfig,
    pub decoder: service::decoder::DecoderConfig,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_directory: PathBuf::from("maxray-data"),
            roles: roles::ALL.into(),
            log: service::telemetry::LogConfig::default(),
            http: service::http::limits::HttpConfig::default(),
            identity: service::identity::IdentityConfig::default(),
            access: database::AccessConfig::default(),
            pacs: pacs::PacsConfig::default(),
            dicomweb: dicomweb::DicomwebConfig::default(),
            doctor_api: doctor_api::DoctorApiConfig::default(),
            database: database::DatabaseConfig::default(),
            object_storage: object_storage::ObjectStorageConfig::default(),
            keys: object_storage::KeysConfig::default(),
            archive: archive::ArchiveConfig::default(),
            worker: worker::WorkerConfig::default(),
            broker: worker::BrokerConfig::default(),
            redis: service::redis::RedisConfig::default(),
            patient_service: service::patient_service::PatientServiceConfig::default(),
            notifications: service::notifications::NotificationsConfig::default(),
            audit: worker::audit_checkpoints::AuditConfig::default(),
            decoder: service::decoder::DecoderConfig::default(),
        }
    }
}

impl Settings {
    /// In these roles, when there are any.
    #[must_use]
    pub fn in_roles(self, roles: Vec<Role>) -> Self {
        if roles.is_empty() { self } else { Self { roles, ..self } }
    }

    /// Whether this process has the role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Says which setting of a door makes no sense.
    pub fn check_doors(&self) -> anyhow::Result<()> {
        roles::check(&self.roles, home::is_shared(self), !self.identity.token_secret.is_empty())?;
        self.http.check()?;
        self.identity.check()?;
        self.pacs.check(self.pacs.listen.ip())?;
        self.doctor_api.check()?;
        self.patient_service.check()?;
        self.notifications.check()?;
        self.broker.check()?;
        self.redis.check()?;
        Ok(self.dicomweb.check()?)
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    /// `maxray.toml` is documentation: it must show every key, and the defaults as they are.
    #[test]
    fn the_documented_settings_are_the_defaults() {
        let documented: toml::Value =
            toml::from_str(include_str!("../../maxray.toml")).expect("maxray.toml is TOML");
        let defaults = toml::Value::try_from(Settings::default()).expect("settings have a TOML form");
        assert_eq!(documented, defaults);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Settings>("[http]\nlisten_port = 1").is_err());
    }
}
