//! `maxray config check`: the configuration in effect, secrets hidden.

use crate::settings::Settings;

/// Prints the settings; reading them has already refused unknown keys and wrong forms.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    println!("{}", service::config::show(settings)?);
    eprintln!("The configuration is well formed.");
    Ok(())
}
