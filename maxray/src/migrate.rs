//! `maxray migrate`: brings the schema of the database up to date, or says what there is to do.

use anyhow::{Context, bail};
use clap::Args;
use database::{Database, Schema};

use crate::{home, settings::Settings};

/// Options of `migrate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nodes over one PostgreSQL may run meanwhile, those of the release before too; whoever else migrates waits \
                  (an advisory lock). With SQLite the server has to be stopped. Each step is one transaction: run it again \
                  after whatever stopped it.\n\n\
                  With database.migrate = \"command\" nothing else changes the schema; by default a node that starts does it, \
                  too."
)]
pub struct MigrateOptions {
    /// Only say what would be done, and change nothing: exit code 0 when nothing is to be done, 1 when something is
    #[arg(long)]
    pub check: bool,
}

/// Runs the command.
pub async fn run(settings: &Settings, options: &MigrateOptions) -> anyhow::Result<()> {
    let config = home::database_config(settings);
    if options.check {
        let schema = Database::schema(&config, &settings.data_directory).await;
        let schema = schema.context("the schema cannot be looked at")?;
        return tell_what_is_to_be_done(&schema);
    }
    home::check_owner(&settings.data_directory)?;
    // A SQLite file belongs to whoever holds the lock of the data directory.
    let _lock = if home::is_shared(settings) {
        None
    } else {
        let directory = home::prepare_directory(&settings.data_directory)?;
        let lock = home::lock(&directory)?;
        Some(lock.with_context(|| format!("a server works on {}: stop it first", directory.display()))?)
    };
    let before = Database::migrate(&config, &settings.data_directory).await;
    let before = before.context("the schema could not be brought up to date")?;
    if before.pending.is_empty() {
        println!("{}", up_to_date(&before));
        return Ok(());
    }
    println!("the schema went from step {} to step {}:", before.step, before.known);
    print_steps(&before);
    Ok(())
}

fn tell_what_is_to_be_done(schema: &Schema) -> anyhow::Result<()> {
    if schema.pending.is_empty() {
        println!("{}", up_to_date(schema));
        return Ok(());
    }
    println!("the schema would go from step {} to step {}:", schema.step, schema.known);
    print_steps(schema);
    bail!("the schema is {} steps behind this program: run maxray migrate", schema.pending.len())
}

fn up_to_date(schema: &Schema) -> String {
    let Schema { step, known, .. } = schema;
    if step > known {
        return format!(
            "nothing to do: the schema is at step {step}, and this program, of step {known}, runs on it"
        );
    }
    format!("nothing to do: the schema is at step {step}")
}

fn print_steps(schema: &Schema) {
    for (step, name) in &schema.pending {
        println!("  {step:4} {name}");
    }
}
