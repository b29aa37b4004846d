//! `maxray config check`: the configuration in effect, secrets hidden, and whether `serve` would start with it.

use model::clock::Clock;
use service::{patient_service::PatientService, redis::Redis};

use crate::{home, serve::open_tls, settings::Settings};

/// Prints the settings, and then what `serve` would refuse; reading them has already refused unknown keys and wrong forms.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    println!("{}", service::config::show(settings)?);
    check(settings)?;
    eprintln!("The configuration is well formed.");
    Ok(())
}

/// In the order and the words of `serve`. Files that are named are read; nothing is made, and nobody is asked.
fn check(settings: &Settings) -> anyhow::Result<()> {
    settings.log.check()?;
    settings.check_doors()?;
    open_tls(settings)?;
    home::check_storage(settings)?;
    worker::WebhookClient::new(&settings.notifications.webhooks)?;
    worker::Mailer::new(&settings.notifications.mail)?;
    worker::Broker::new(&settings.broker)?;
    PatientService::new(&settings.patient_service, Clock::system())?;
    Redis::new(&settings.redis)?;
    Ok(())
}
