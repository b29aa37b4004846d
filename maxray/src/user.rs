//! `maxray user`: accounts over HTTP.

use anyhow::Context;
use database::{AuditActor, Database, NewUser};
use model::{access::Role, clock::Clock};
use service::identity::{generate_password, hash_password};

use crate::{accounts::new_password, cli::UserAddOptions, home, settings::Settings};

fn operator() -> AuditActor {
    AuditActor { role: "operator".into(), ..AuditActor::default() }
}

/// `maxray user add`.
pub async fn add(settings: Settings, options: UserAddOptions) -> anyhow::Result<()> {
    let directory = home::existing(&settings).await?;
    let database = home::open_database(&settings, &directory, &Clock::system()).await?;
    if let Some(id) = options.doctor_id {
        database.doctor(id).await?.with_context(|| format!("there is no doctor {id}"))?;
    }
    let (password, generated) = new_password(options.password_stdin)?;
    let user = NewUser {
        username: options.username.clone(),
        password_hash: hash_password(&password)?,
        role: options.role,
        doctor_id: options.doctor_id,
    };
    let user = database.create_user(user, &operator()).await?;
    database.close().await;
    println!("made account {} with role {} and id {}", options.username, options.role.as_str(), user.id);
    if generated {
        println!("password {password}  (shown this once)");
    }
    Ok(())
}

/// Makes the account `admin` when there is no account at all, and gives its password.
pub async fn first_admin(database: &Database) -> anyhow::Result<Option<String>> {
    // Of nodes that start at the same time the first one makes it.
    let _turn = database.start_turn().await?;
    if database.user_count().await? > 0 {
        return Ok(None);
    }
    let password = generate_password()?;
    let hashing = password.clone();
    let password_hash = tokio::task::spawn_blocking(move || hash_password(&hashing)).await??;
    let user = NewUser { username: "admin".into(), password_hash, role: Role::Admin, doctor_id: None };
    database.create_user(user, &operator()).await?;
    Ok(Some(password))
}
