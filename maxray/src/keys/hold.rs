//! `maxray hold`: legal holds.

use anyhow::bail;
use model::clock::Clock;

use super::{HoldCommand, operator, records};
use crate::{home, settings::Settings};

/// `maxray hold ...`.
pub async fn hold(settings: Settings, command: HoldCommand) -> anyhow::Result<()> {
    let directory = home::existing(&settings).await?;
    let database = home::open_database(&settings, &directory, &Clock::system()).await?;
    match command {
        HoldCommand::Add { patient_id, issuer, reason } => {
            for patient in records(&database, &patient_id, issuer.as_deref()).await? {
                let id = database.add_legal_hold(patient.id, &reason, &operator()).await?;
                println!("hold {id} keeps patient record {} from being erased", patient.id);
            }
        }
        HoldCommand::List => {
            for hold in database.legal_holds().await? {
                println!(
                    "{}\t{}\t{}\t{}",
                    hold.id,
                    hold.created_at.to_rfc3339(),
                    hold.patient_id,
                    hold.reason
                );
            }
        }
        HoldCommand::Remove { id } => {
            if !database.remove_legal_hold(id, &operator()).await? {
                bail!("there is no hold {id}");
            }
            println!("hold {id} is taken back");
        }
    }
    database.close().await;
    Ok(())
}
