//! What the doors and the worker of a server share besides the archive.

use std::path::Path;

use archive::Archive;
use conversion::Converter;
use model::clock::Clock;
use service::{
    events::EventBus,
    identity::{Authenticator, DoctorKeys, Issuer, SignIn},
    patient_service::PatientService,
    redis::Redis,
    shutdown::Shutdown,
};

use crate::{home, settings::Settings};

/// What the doors and the worker share besides the archive.
pub struct Parts {
    pub shutdown: Shutdown,
    pub issuer: Issuer,
    pub authenticator: Authenticator,
    pub sign_in: SignIn,
    pub doctor_keys: DoctorKeys,
    pub webhooks: worker::WebhookClient,
    pub mailer: Option<worker::Mailer>,
    pub broker: Option<worker::Broker>,
    pub patient_service: PatientService,
    pub redis: Option<Redis>,
    pub converter: Converter,
    pub events: EventBus,
    pub spool: dicomweb::SpoolConfig,
    pub clock: Clock,
}

impl Parts {
    /// Opens them.
    ///
    /// # Errors
    /// When a setting or a file does not do.
    pub fn open(
        settings: &Settings,
        archive: &Archive,
        directory: &Path,
        clock: Clock,
        shutdown: Shutdown,
    ) -> anyhow::Result<Self> {
        let token_keys = directory.join(home::TOKEN_KEYS_FILE);
        let issuer = Issuer::open(&token_keys, settings.identity.clone(), clock.clone())?;
        let database = archive.database();
        Ok(Self {
            shutdown,
            authenticator: issuer.authenticator_with(database.clone())?,
            sign_in: SignIn::new(database.clone(), settings.doctor_api.sign_in_limits()),
            issuer,
            doctor_keys: DoctorKeys::configured(&settings.identity, &directory.join(home::DOCTOR_KEYS_FILE))?,
            webhooks: worker::WebhookClient::new(&settings.notifications.webhooks)?,
            mailer: worker::Mailer::new(&settings.notifications.mail)?,
            broker: worker::Broker::new(&settings.broker)?,
            patient_service: PatientService::new(&settings.patient_service, clock.clone())?,
            redis: Redis::new(&settings.redis)?,
            converter: home::converter(settings, archive)?,
            events: EventBus::new(),
            spool: home::spool(settings, directory),
            clock,
        })
    }
}

/// A node with another secret would call forged what the others sign.
pub async fn check_doctor_secret(
    settings: &Settings,
    archive: &Archive,
    directory: &Path,
    keys: &DoctorKeys,
) -> anyhow::Result<()> {
    const NAME: &str = "doctor_secret";
    let file = directory.join(home::DOCTOR_KEYS_FILE);
    let database = archive.database();
    if file.exists() {
        // What a node signed with before it got its settings counts, where nothing is remembered yet.
        database.agree_on(NAME, &DoctorKeys::open(&file)?.fingerprint(), false).await?;
    }
    let is_new = settings.identity.doctor_secret_is_new;
    if is_new {
        tracing::warn!(
            "identity.doctor_secret_is_new is for one start: take it out again, or nobody notices a node with another secret"
        );
    }
    anyhow::ensure!(
        database.agree_on(NAME, &keys.fingerprint(), is_new).await?,
        "the secret that prescriptions are signed with is not the one that this database knows: set identity.doctor_secret to \
         that of the other nodes, or put doctor-keys.secret back into {}. If it is lost, start once with \
         identity.doctor_secret_is_new = true: what was signed with it does not verify any more",
        directory.display()
    );
    Ok(())
}
