//! `maxray`: one program that receives X-rays, keeps them safely, and shows them in consultations.

mod accounts;
mod ae;
mod alarms;
mod audit;
mod cli;
mod config_check;
mod demo;
mod dicom_client;
mod disk_watch;
mod forward;
mod grant;
mod hardening;
mod health;
mod home;
mod import;
mod keys;
mod migrate;
mod neighbours;
mod parts;
mod readiness;
mod reindex;
mod roles;
mod routes;
mod serve;
mod settings;
mod tls;
mod user;
mod verify;

use std::process::ExitCode;

use clap::Parser;
use service::decoder::{self, ChildLimits};

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let outcome = match arguments.command {
        // The decoder child must not start threads or read configuration: it holds strangers' bytes.
        cli::Command::Decoder { memory_max_bytes, processor_max_seconds, probe } => {
            let limits = ChildLimits { memory_max_bytes, processor_max_seconds };
            let served = if probe {
                decoder::probe_child(limits)
            } else {
                decoder::serve_child(limits, rendering::wire::handle_request)
            };
            served.map_err(anyhow::Error::from)
        }
        command => run(arguments.config.as_deref(), command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("maxray: {error:#}");
            if error.is::<disk_watch::DiskFailed>() {
                return disk_watch::DiskFailed::EXIT_CODE.into();
            }
            error.downcast_ref::<audit::Verdict>().map_or(ExitCode::FAILURE, |verdict| verdict.code.into())
        }
    }
}

fn run(config: Option<&std::path::Path>, command: cli::Command) -> anyhow::Result<()> {
    // Two TLS stacks in the tree may each bring a provider: choose before anything asks.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    hardening::protect_memory()?;
    let settings: settings::Settings = service::config::load(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        match command {
            cli::Command::Serve { roles } => Box::pin(serve::run(settings.in_roles(roles))).await,
            cli::Command::Health(options) => health::run(&settings, options).await,
            cli::Command::Demo(options) => Box::pin(demo::run(settings, options)).await,
            cli::Command::Import(options) => import::run(settings, options).await,
            cli::Command::User(command) => Box::pin(accounts::run(settings, command)).await,
            cli::Command::Client(command) => accounts::client(settings, command).await,
            cli::Command::Key(cli::KeyCommand::RotateSigning { drop_old }) => {
                accounts::rotate_signing(settings, drop_old).await
            }
            cli::Command::Forward(command) => forward::run(settings, command).await,
            cli::Command::Grant(command) => grant::run(settings, command).await,
            cli::Command::Ae(command) => ae::run(settings, command).await,
            cli::Command::Echo(options) => dicom_client::echo(settings, options).await,
            cli::Command::Send(options) => dicom_client::send(settings, options).await,
            cli::Command::Query(options) => dicom_client::query(settings, options).await,
            cli::Command::Tls(cli::TlsCommand::SelfSigned(options)) => tls::self_signed(&options),
            cli::Command::Audit(command) => audit::run(settings, command).await,
            cli::Command::Key(cli::KeyCommand::Encryption(command)) => {
                Box::pin(keys::key(settings, command)).await
            }
            cli::Command::Erase(command) => keys::erase(settings, command).await,
            cli::Command::Deletion(command) => keys::deletion(settings, command).await,
            cli::Command::Hold(command) => keys::hold(settings, command).await,
            cli::Command::Reindex(options) => reindex::run(settings, options).await,
            cli::Command::Verify(options) => verify::run(settings, options).await,
            cli::Command::Migrate(options) => migrate::run(&settings, &options).await,
            cli::Command::Config(cli::ConfigCommand::Check) => config_check::run(&settings),
            cli::Command::Decoder { .. } => Ok(()),
        }
    })
}
