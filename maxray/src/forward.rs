//! `maxray forward`: what is sent on to other archives by itself.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context, bail, ensure};
use database::{
    AuditActor, Database, DatabaseError, ForwardFilter, ForwardItem, ForwardRuleRow, forward_conditions,
};
use model::{AeTitle, clock::Clock, forward::ForwardRule};

use crate::{
    cli::forward::{ForwardCommand, ForwardOptions},
    home,
    settings::Settings,
};

fn operator() -> AuditActor {
    AuditActor { role: "operator".into(), ..AuditActor::default() }
}

/// `maxray forward ...`; works while the server runs, which hears of it within a second or two.
pub async fn run(settings: Settings, command: ForwardCommand) -> anyhow::Result<()> {
    let directory = home::existing(&settings).await?;
    let database = home::open_database(&settings, &directory, &Clock::system()).await?;
    let outcome = apply(&database, command).await;
    database.close().await;
    outcome
}

async fn apply(database: &Database, command: ForwardCommand) -> anyhow::Result<()> {
    match command {
        ForwardCommand::Add { name, destination, options } => {
            add(database, &name, destination, options).await?;
        }
        ForwardCommand::List => {
            for row in database.forward_rules().await? {
                println!("{}", rule_line(&row));
            }
        }
        ForwardCommand::Set { name, enabled } => {
            let mut row = find(database, &name).await?;
            row.rule.enabled = enabled;
            database.update_forward_rule(row.id, &row.rule, &operator()).await?;
            println!("{}", rule_line(&row));
        }
        ForwardCommand::Remove { name } => {
            let row = find(database, &name).await?;
            database.remove_forward_rule(row.id, &operator()).await?;
            println!("{name} counts no more");
        }
        ForwardCommand::Queue { state, limit } => {
            for item in database.forwards(ForwardFilter { state, limit, offset: 0 }).await? {
                println!("{}", item_line(&item));
            }
        }
        ForwardCommand::Retry { id } => {
            let again = database.retry_forwards(id, &operator()).await?;
            ensure!(
                id.is_none() || again > 0,
                "nothing with this id was given up; maxray forward queue --state dead"
            );
            println!("{again} instances are sent again");
        }
    }
    Ok(())
}

async fn add(
    database: &Database,
    name: &str,
    destination: AeTitle,
    options: ForwardOptions,
) -> anyhow::Result<()> {
    ensure!(!name.trim().is_empty(), "the name of the rule is empty");
    let mut attributes = BTreeMap::new();
    for text in &options.attributes {
        let (keyword, value) = text
            .split_once('=')
            .with_context(|| format!("{text}: expected KEYWORD=VALUE, as Modality=CR"))?;
        attributes.insert(keyword.trim().to_owned(), value.trim().to_owned());
    }
    let rule = ForwardRule {
        enabled: true,
        destination,
        from: options.from,
        attributes,
        priority: options.priority,
    };
    if let Err(refusals) = forward_conditions(&rule) {
        let said: Vec<String> = refusals.iter().map(|(keyword, why)| format!("{keyword} {why}")).collect();
        bail!("{}", said.join("; "));
    }
    let aes = database.aes().await?;
    let registered = aes.iter().find(|ae| ae.title == rule.destination);
    let callable = registered.is_some_and(|ae| !ae.profile.host.is_empty() && ae.profile.port != 0);
    let title = rule.destination.clone();
    match database.create_forward_rule(name, rule, &operator()).await {
        Ok(row) => println!("{}", rule_line(&row)),
        Err(DatabaseError::Conflict(why)) => bail!("{why}: {name}"),
        Err(error) => return Err(error.into()),
    }
    if !callable {
        let verb = if registered.is_some() { "set" } else { "add" };
        println!(
            "{title} is not registered with a host and a port yet: what is for it waits; \
             maxray ae {verb} {title} ADDRESS --call-host HOST --call-port PORT"
        );
    }
    Ok(())
}

async fn find(database: &Database, name: &str) -> anyhow::Result<ForwardRuleRow> {
    let found = database.forward_rules().await?.into_iter().find(|row| row.name == name);
    found.with_context(|| format!("there is no rule {name}; maxray forward list shows them"))
}

fn rule_line(row: &ForwardRuleRow) -> String {
    let ForwardRule { enabled, destination, from, attributes, priority } = &row.rule;
    let mut line = format!("{} to {destination}, priority {priority}", row.name);
    if !from.is_empty() {
        let titles: Vec<&str> = from.iter().map(AeTitle::as_str).collect();
        let _ = write!(line, ", from {}", titles.join(" or "));
    }
    for (keyword, value) in attributes {
        let _ = write!(line, ", {keyword}={value}");
    }
    if !enabled {
        line += ", does not count now";
    }
    line
}

fn item_line(item: &ForwardItem) -> String {
    let ForwardItem { id, sop_instance_uid, destination, state, attempts, .. } = item;
    let mut line =
        format!("{id} {} to {destination}, {attempts} attempts, {sop_instance_uid}", state.as_str());
    if let Some(due_at) = item.due_at {
        let _ = write!(line, ", next at {}", due_at.format("%Y-%m-%dT%H:%M:%SZ"));
    }
    if !item.last_error.is_empty() {
        let _ = write!(line, ": {}", item.last_error);
    }
    line
}
