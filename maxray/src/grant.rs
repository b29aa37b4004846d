//! `maxray grant`: what viewers and doctors may read beyond what is theirs.

use anyhow::{Context, bail};
use chrono::TimeDelta;
use database::{AccessGrant, AuditActor, Database, DatabaseError, GrantKind, NewGrant};
use model::{StudyInstanceUid, clock::Clock};
use uuid::Uuid;

use crate::{
    cli::grant::{GrantAddOptions, GrantCommand},
    home,
    settings::Settings,
};

/// Grants that are listed.
const LISTED_MAX: u32 = 10_000;

fn operator() -> AuditActor {
    AuditActor { role: "operator".into(), ..AuditActor::default() }
}

/// `maxray grant ...`.
pub async fn run(settings: Settings, command: GrantCommand) -> anyhow::Result<()> {
    let clock = Clock::system();
    let directory = home::existing(&settings).await?;
    let database = home::open_database(&settings, &directory, &clock).await?;
    match command {
        GrantCommand::Add(options) => add(&database, &clock, options).await?,
        GrantCommand::List { username } => {
            let user = match &username {
                Some(username) => Some(account(&database, username).await?),
                None => None,
            };
            for grant in database.grants(user, LISTED_MAX).await? {
                println!("{}", line(&grant));
            }
        }
        GrantCommand::Remove { id } => {
            if !database.revoke_grant(id, &operator()).await? {
                bail!("there is no grant {id}");
            }
            println!("{id} counts no more");
        }
    }
    database.close().await;
    Ok(())
}

async fn add(database: &Database, clock: &Clock, options: GrantAddOptions) -> anyhow::Result<()> {
    let user_id = account(database, &options.username).await?;
    let what = options.what;
    let kind = match (what.study, what.patient) {
        (Some(study), _) => GrantKind::Study(StudyInstanceUid::parse(&study)?),
        (None, Some(patient_id)) => {
            if patient_id.trim().is_empty() {
                bail!("an empty Patient ID is nobody's");
            }
            GrantKind::Patient { patient_id, issuer_of_patient_id: options.issuer.unwrap_or_default() }
        }
        (None, None) => GrantKind::Everything,
    };
    let expires_at = options.hours.map(|hours| clock.now() + TimeDelta::hours(i64::from(hours)));
    let new = NewGrant { user_id, kind, expires_at };
    match database.add_grant(new, &operator()).await {
        Ok(grant) => println!("granted {}", line(&grant)),
        Err(DatabaseError::Conflict(why)) => bail!("{why}: viewers take any, doctors studies and patients"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn account(database: &Database, username: &str) -> anyhow::Result<Uuid> {
    let user = database.find_user(username).await?;
    Ok(user.with_context(|| format!("there is no account {username}"))?.id)
}

fn line(grant: &AccessGrant) -> String {
    let what = match &grant.kind {
        GrantKind::Study(study) => format!("study {study}"),
        GrantKind::Patient { patient_id, issuer_of_patient_id } if issuer_of_patient_id.is_empty() => {
            format!("patient {patient_id}")
        }
        GrantKind::Patient { patient_id, issuer_of_patient_id } => {
            format!("patient {patient_id} of {issuer_of_patient_id}")
        }
        GrantKind::Everything => "everything".to_owned(),
    };
    let until = grant.expires_at.map_or_else(|| "for good".to_owned(), |at| format!("until {at}"));
    format!("{}\tuser {}\t{what}\t{until}", grant.id, grant.user_id)
}
