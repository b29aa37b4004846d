//! `maxray user`, `maxray client` and `maxray key rotate-signing`: accounts of people and programs, offline or while
//! a server runs. A running server knows of a change within five seconds.

use std::io::Read;

use anyhow::{Context, bail};
use database::{AuditActor, AuditRecord, Database, SessionSet, User, UserChanges, UserFilter, UserKind};
use model::{access::Role, clock::Clock};
use service::identity::{
    CLIENT_SECRET, KeyError, Secret, generate_password, hash_password, hashed_secret, rotate_signing_key,
};

use crate::{
    cli::{ClientCommand, PasswordOptions, UserCommand},
    home::{self, TOKEN_KEYS_FILE},
    settings::Settings,
    user,
};

/// Accounts listed at once.
const LISTED_MAX: u32 = 10_000;
/// Sessions listed at once.
const SESSIONS_MAX: u32 = 1_000;

/// `maxray user ...`.
pub async fn run(settings: Settings, command: UserCommand) -> anyhow::Result<()> {
    if let UserCommand::Add(options) = command {
        return user::add(settings, options).await;
    }
    let database = open(&settings).await?;
    let done = manage(&database, command).await;
    database.close().await;
    done
}

async fn open(settings: &Settings) -> anyhow::Result<Database> {
    let directory = home::existing(settings).await?;
    home::open_database(settings, &directory, &Clock::system()).await
}

async fn manage(database: &Database, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add(_) => Ok(()),
        UserCommand::List => list(database).await,
        UserCommand::Deactivate { username } => {
            change(database, &username, UserChanges { active: Some(false), ..UserChanges::default() })
                .await?;
            println!(
                "{username} may not sign in any more; a running server refuses its tokens within seconds"
            );
            Ok(())
        }
        UserCommand::Activate { username } => {
            change(database, &username, UserChanges { active: Some(true), ..UserChanges::default() }).await?;
            println!("{username} may sign in again");
            Ok(())
        }
        UserCommand::Role { username, role, doctor_id } => {
            let doctor_id = Some(doctor_id);
            change(
                database,
                &username,
                UserChanges { role: Some(role), doctor_id, ..UserChanges::default() },
            )
            .await?;
            println!("{username} has the role {}; its sessions have ended", role.as_str());
            Ok(())
        }
        UserCommand::Password(options) => set_password(database, options).await,
        UserCommand::Sessions { username } => sessions(database, &username).await,
        UserCommand::Revoke { username } => {
            let user = find(database, &username).await?;
            let set = SessionSet::OfUser(user.id);
            let ended = database.revoke_sessions(set, "by the operator", &operator()).await?;
            println!("ended {ended} sessions of {username}");
            Ok(())
        }
    }
}

fn operator() -> AuditActor {
    AuditActor { role: "operator".into(), ..AuditActor::default() }
}

async fn find(database: &Database, username: &str) -> anyhow::Result<User> {
    database.find_user(username).await?.with_context(|| format!("there is no account {username}"))
}

async fn change(database: &Database, username: &str, changes: UserChanges) -> anyhow::Result<()> {
    let user = find(database, username).await?;
    database.change_user(user.id, changes, &operator()).await?;
    Ok(())
}

async fn list(database: &Database) -> anyhow::Result<()> {
    let users = database.users(&UserFilter { limit: LISTED_MAX, ..UserFilter::default() }).await?;
    for user in users {
        let active = if user.active { "active" } else { "deactivated" };
        println!("{}\t{}\t{}\t{active}\t{}", user.username, user.kind.as_str(), user.role.as_str(), user.id);
    }
    Ok(())
}

async fn sessions(database: &Database, username: &str) -> anyhow::Result<()> {
    let user = find(database, username).await?;
    for session in database.sessions_of(user.id, SESSIONS_MAX).await? {
        println!(
            "{}\t{}\t{}\tsince {}\tlast used {}\tuntil {}\t{}",
            session.id,
            session.kind.as_str(),
            session.source_address,
            session.created_at.to_rfc3339(),
            session.last_used_at.to_rfc3339(),
            session.expires_at.to_rfc3339(),
            session.label
        );
    }
    Ok(())
}

async fn set_password(database: &Database, options: PasswordOptions) -> anyhow::Result<()> {
    let user = find(database, &options.username).await?;
    if user.kind != UserKind::Person {
        bail!("{} does not sign in with a password", options.username);
    }
    let (password, generated) = new_password(options.password_stdin)?;
    let changes = UserChanges { password_hash: Some(hash_password(&password)?), ..UserChanges::default() };
    database.change_user(user.id, changes, &operator()).await?;
    println!("{} has a new password; its sessions have ended", options.username);
    if generated {
        println!("password {password}  (shown this once)");
    }
    Ok(())
}

/// The password on standard input, or a new one, and whether it is new.
pub fn new_password(from_stdin: bool) -> anyhow::Result<(String, bool)> {
    if !from_stdin {
        return Ok((generate_password()?, true));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the password could not be read")?;
    Ok((text.trim_end_matches(['\n', '\r']).to_owned(), false))
}

/// `maxray client ...`.
pub async fn client(settings: Settings, command: ClientCommand) -> anyhow::Result<()> {
    let database = open(&settings).await?;
    let secret = Secret::generate(CLIENT_SECRET)?;
    let hash = hashed_secret(&secret.sha256);
    let client = match command {
        ClientCommand::Add { name, role } => {
            if !matches!(role, Role::Service | Role::Viewer) {
                bail!("a service account has the role service or viewer");
            }
            database.create_client(&name, hash, role, &operator()).await?
        }
        ClientCommand::Secret { name } => {
            let client = find(&database, &name).await?;
            if client.kind != UserKind::Client {
                bail!("{name} is no service account");
            }
            let changes = UserChanges { password_hash: Some(hash), ..UserChanges::default() };
            database.change_user(client.id, changes, &operator()).await?
        }
    };
    database.close().await;
    println!("client_id      {}", client.id);
    println!("client_secret  {}  (shown this once)", secret.text);
    Ok(())
}

/// `maxray key rotate-signing`.
pub async fn rotate_signing(settings: Settings, drop_old: bool) -> anyhow::Result<()> {
    if !settings.identity.token_secret.is_empty() {
        return Err(KeyError::InSettings.into());
    }
    let database = open(&settings).await?;
    let path = settings.data_directory.join(TOKEN_KEYS_FILE);
    let key_id = rotate_signing_key(&path, &Clock::system(), drop_old)?;
    let mut record = AuditRecord::success(&operator(), "rotate_signing_key").about(&key_id);
    if drop_old {
        "the keys before it were dropped".clone_into(&mut record.detail);
    }
    database.audit(record).await?;
    database.close().await;
    println!(
        "access tokens are signed with key {key_id} from now on; a running server follows within seconds"
    );
    Ok(())
}
