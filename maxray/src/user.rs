//! `maxray user` and `maxray ae`: accounts over HTTP and application entities over DICOM.

use std::net::IpAddr;

use anyhow::{Context, bail};
use database::{AuditActor, Database, NewAe, NewUser};
use model::{access::Role, clock::Clock};
use service::identity::{generate_password, hash_password};

use crate::{
    accounts::new_password,
    cli::{AeCommand, UserAddOptions},
    home,
    settings::Settings,
};

fn operator() -> AuditActor {
    AuditActor { role: "operator".into(), ..AuditActor::default() }
}

/// `maxray user add`.
pub async fn add(settings: Settings, options: UserAddOptions) -> anyhow::Result<()> {
    let directory = home::prepare_directory(&settings.data_directory)?;
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

/// `maxray ae ...`.
pub async fn registry(settings: Settings, command: AeCommand) -> anyhow::Result<()> {
    let directory = home::prepare_directory(&settings.data_directory)?;
    let database = home::open_database(&settings, &directory, &Clock::system()).await?;
    match command {
        AeCommand::Add { title, address } => {
            if !is_address_or_network(&address) {
                bail!("{address} is neither an address nor a network like 192.0.2.0/24");
            }
            let new = NewAe { title: title.clone(), address: address.clone(), port: 0 };
            database.add_ae(new, &operator()).await?;
            println!("{title} may send from {address}");
        }
        AeCommand::List => {
            for ae in database.aes().await? {
                println!("{}\t{}", ae.title, ae.address);
            }
        }
        AeCommand::Remove { title } => {
            let registered: Vec<_> =
                database.aes().await?.into_iter().filter(|registered| registered.title == title).collect();
            if registered.is_empty() {
                bail!("{title} is not registered");
            }
            for entity in registered {
                database.remove_ae(entity.id, &operator()).await?;
            }
            println!("{title} is refused from now on");
        }
    }
    database.close().await;
    Ok(())
}

/// `192.0.2.17`, `192.0.2.0/24` and the same for IPv6.
fn is_address_or_network(text: &str) -> bool {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let bits = if address.is_ipv4() { 32 } else { 128 };
    prefix.is_none_or(|prefix| prefix.parse::<u8>().is_ok_and(|length| length <= bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks() {
        for good in ["192.0.2.17", "192.0.2.0/24", "2001:db8::/32", "::1", "0.0.0.0/0"] {
            assert!(is_address_or_network(good), "{good}");
        }
        for bad in ["", "any", "192.0.2", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "10.0.0.1/-1"] {
            assert!(!is_address_or_network(bad), "{bad}");
        }
    }
}
