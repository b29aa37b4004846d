//! What this process does of what MaxRay does. Nodes over one PostgreSQL may share it out: images arrive at some, others answer
//! viewers and doctors, and previews are made where nobody waits for them.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One of the things that MaxRay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Answer on the DICOM network, forward, and report to modalities and information systems
    Pacs,
    /// Answer viewers below /dicomweb
    Dicomweb,
    /// Answer doctor clients: sign-in, consultations, prescriptions, X-rays, events
    DoctorApi,
    /// Work beside the doors: previews, broker, webhooks, e-mail, reminders, clearing up
    Worker,
}

/// All of them: what one process does that is alone.
pub const ALL: [Role; 4] = [Role::Pacs, Role::Dicomweb, Role::DoctorApi, Role::Worker];

/// Says why a process cannot have these roles.
///
/// # Errors
/// When there is none, or one is missing that no other process could have, or that could not work together with this one.
pub fn check(roles: &[Role], is_shared: bool, has_token_secret: bool) -> anyhow::Result<()> {
    anyhow::ensure!(!roles.is_empty(), "roles is empty: this process would do nothing");
    let missing: Vec<String> = ALL.into_iter().filter(|role| !roles.contains(role)).map(name).collect();
    anyhow::ensure!(
        is_shared || missing.is_empty(),
        "roles leaves out {}, and SQLite belongs to one process: nobody would do it. Give it all roles, or several nodes one \
         PostgreSQL (database.url)",
        missing.join(" and ")
    );
    anyhow::ensure!(
        has_token_secret || missing.is_empty(),
        "roles leaves out {}: the nodes need one identity.token_secret, or none takes the tokens of the one that people sign in at",
        missing.join(" and ")
    );
    Ok(())
}

/// As it is spelt in the settings.
pub fn name(role: Role) -> String {
    role.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_needs_somebody_else() {
        assert!(check(&ALL, false, false).is_ok());
        assert!(check(&[Role::Worker], true, true).is_ok());
        assert!(check(&[], true, true).is_err());
        let refused = check(&[Role::Dicomweb], true, false).expect_err("no token would be taken");
        assert!(refused.to_string().contains("identity.token_secret"), "{refused}");
        let refused = check(&[Role::Pacs, Role::Dicomweb], false, true).expect_err("nobody does the rest");
        assert!(refused.to_string().contains("leaves out doctor-api and worker"), "{refused}");
    }

    #[test]
    fn names_are_those_of_the_settings() {
        for role in ALL {
            assert_eq!(serde_json::to_value(role).expect("JSON"), name(role));
        }
    }
}
