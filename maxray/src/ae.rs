//! `maxray ae`: the application entities that may associate from other machines.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use database::{AuditActor, Database};
use model::{
    AeTitle,
    ae::{Ae, AeCertificate, AeProfile},
    clock::Clock,
};
use service::tls::PeerCertificate;

use crate::{
    cli::ae::{AeCommand, AeOptions},
    home,
    settings::Settings,
};

fn operator() -> AuditActor {
    AuditActor { role: "operator".into(), ..AuditActor::default() }
}

/// `maxray ae ...`; works while the server runs, which hears of it within five seconds.
pub async fn run(settings: Settings, command: AeCommand) -> anyhow::Result<()> {
    let directory = home::existing(&settings).await?;
    let database = home::open_database(&settings, &directory, &Clock::system()).await?;
    let outcome = apply(&database, command).await;
    database.close().await;
    outcome
}

async fn apply(database: &Database, command: AeCommand) -> anyhow::Result<()> {
    match command {
        AeCommand::Add { title, addresses, options } => {
            let mut profile = AeProfile { addresses, ..AeProfile::default() };
            change(database, &mut profile, options).await?;
            let ae = database.create_ae(title, profile, &operator()).await?;
            println!("{} is registered", ae.title);
            print_profile(&ae);
        }
        AeCommand::Set { title, addresses, options } => {
            let ae = find(database, &title).await?;
            let mut profile = ae.profile;
            if !addresses.is_empty() {
                profile.addresses = addresses;
            }
            change(database, &mut profile, options).await?;
            let ae = database.update_ae(ae.id, ae.version, profile, &operator()).await?;
            print_profile(&ae);
        }
        AeCommand::Show { title } => print_profile(&find(database, &title).await?),
        AeCommand::List => {
            for ae in database.aes().await? {
                println!("{}", line(&ae));
            }
        }
        AeCommand::Remove { title } => {
            let ae = find(database, &title).await?;
            database.remove_ae(ae.id, &operator()).await?;
            println!("{title} is refused from now on");
        }
    }
    Ok(())
}

async fn find(database: &Database, title: &AeTitle) -> anyhow::Result<Ae> {
    let found = database.aes().await?.into_iter().find(|ae| ae.title == *title);
    found.with_context(|| format!("{title} is not registered; maxray ae list shows who is"))
}

/// Takes over what was said.
async fn change(database: &Database, profile: &mut AeProfile, options: AeOptions) -> anyhow::Result<()> {
    if let Some(username) = &options.reads_as {
        let user = database.find_user(username).await?;
        let user = user.with_context(|| format!("{username} is no account; maxray user list shows them"))?;
        profile.reads_as = Some(user.id);
    }
    if options.reads_everything {
        profile.reads_as = None;
    }
    if let Some(text) = options.certificate {
        profile.certificate = Some(certificate(&text)?);
    }
    if options.no_certificate {
        profile.certificate = None;
    }
    if !options.operation.is_empty() {
        profile.operations = options.operation;
    }
    if options.any_called_title {
        profile.called_titles.clear();
    }
    if !options.called_title.is_empty() {
        profile.called_titles = options.called_title;
    }
    if options.any_sop_class {
        profile.sop_classes.clear();
    }
    if !options.sop_class.is_empty() {
        profile.sop_classes = options.sop_class;
    }
    if options.any_transfer_syntax {
        profile.transfer_syntaxes.clear();
    }
    if !options.transfer_syntax.is_empty() {
        profile.transfer_syntaxes = options.transfer_syntax;
    }
    profile.associations_max = options.associations_max.unwrap_or(profile.associations_max);
    profile.own_worklist = options.own_worklist.unwrap_or(profile.own_worklist);
    profile.notify_availability = options.notify_availability.unwrap_or(profile.notify_availability);
    profile.enabled = options.enabled.unwrap_or(profile.enabled);
    profile.description = options.description.unwrap_or_else(|| profile.description.clone());
    profile.host = options.call_host.unwrap_or_else(|| profile.host.clone());
    profile.port = options.call_port.unwrap_or(profile.port);
    profile.call_tls = options.call_tls.unwrap_or(profile.call_tls);
    let somewhere = !profile.host.is_empty() && profile.port != 0;
    ensure!(
        somewhere || !profile.notify_availability,
        "name --call-host and --call-port: that is where it is told of studies"
    );
    ensure!(!profile.addresses.is_empty(), "name at least one address or network; 0.0.0.0/0 is everywhere");
    Ok(())
}

/// `sha256:..`, `dns:..`, `ip:..`, or a PEM file, whose public key is taken.
fn certificate(text: &str) -> anyhow::Result<AeCertificate> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    if !Path::new(text).is_file() {
        return text.parse().with_context(|| format!("{text} is no file either"));
    }
    let Ok(der) = CertificateDer::from_pem_file(text) else { bail!("{text} holds no certificate in PEM") };
    let read = PeerCertificate::read(&der).with_context(|| format!("{text} cannot be read"))?;
    Ok(AeCertificate::PublicKey(*read.public_key_sha256()))
}

fn line(ae: &Ae) -> String {
    let profile = &ae.profile;
    let state = if profile.enabled { "" } else { "\t(disabled)" };
    let certificate = profile.certificate.as_ref().map_or("no certificate".to_owned(), ToString::to_string);
    format!("{}\t{}\t{}\t{certificate}{state}", ae.title, words(&profile.addresses), operations(profile))
}

fn print_profile(ae: &Ae) {
    let profile = &ae.profile;
    let any = |text: String, any: &str| if text.is_empty() { any.to_owned() } else { text };
    println!("title              {}", ae.title);
    println!("enabled            {}", profile.enabled);
    println!("addresses          {}", words(&profile.addresses));
    println!("certificate        {}", any(words(profile.certificate.as_slice()), "none"));
    println!("operations         {}", operations(profile));
    println!("called titles      {}", any(words(&profile.called_titles), "what the door takes"));
    println!("SOP classes        {}", any(words(&profile.sop_classes), "every storage class"));
    println!("transfer syntaxes  {}", any(words(&profile.transfer_syntaxes), "every one"));
    println!(
        "associations       {}",
        match profile.associations_max {
            0 => "as many as the door gives".to_owned(),
            most => most.to_string(),
        }
    );
    if let Some(account) = profile.reads_as {
        println!("reads as           {account}");
    }
    if profile.own_worklist {
        println!("worklist           what is scheduled for it alone");
    }
    if profile.notify_availability {
        println!("availability       it is told of studies that are complete");
    }
    if !profile.host.is_empty() {
        let by_tls = if profile.call_tls { " by TLS" } else { "" };
        println!("is called at       {}:{}{by_tls}", profile.host, profile.port);
    }
    if !profile.description.is_empty() {
        println!("description        {}", profile.description);
    }
}

fn operations(profile: &AeProfile) -> String {
    profile.operations.iter().map(|operation| operation.as_str()).collect::<Vec<_>>().join(" ")
}

fn words<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
