//! `maxray echo`, `maxray send`, `maxray query`: this program as the user of another application entity.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, bail, ensure};
use dicom_header::{JsonDataSet, PlainDataSet, keyword_of, tag_of_keyword};
use model::{AeTitle, clock::Clock};
use pacs::{
    call::{CallConfig, Callee},
    find_scu::{QueryLevel, find_proposal},
    store_scu::{FileError, Proposal, ScuAssociation, ScuTimeouts, store_files},
};

use crate::{
    cli::dicom_client::{EchoOptions, LevelName, Peer, QueryOptions, SendOptions},
    home,
    import::walk::{Unreadable, files_below, is_media_directory_at},
    settings::Settings,
};

/// Who is called, and by whom.
struct Target {
    callee: Callee,
    calling: AeTitle,
    call: CallConfig,
}

impl Target {
    async fn find(settings: &Settings, peer: Peer) -> anyhow::Result<Self> {
        let calling = peer.calling.unwrap_or_else(|| settings.pacs.ae_title.clone());
        let call = settings.pacs.call.clone();
        if let Some((title, address)) = peer.target.split_once('@') {
            let (host, port) =
                address.rsplit_once(':').context("TITLE@HOST:PORT needs a port, as in PACS@192.0.2.7:104")?;
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let port = port.parse().with_context(|| format!("{port} is no port"))?;
            let callee = Callee { title: title.parse()?, host, port, tls: peer.tls, certificate: None };
            return Ok(Self { callee, calling, call });
        }
        ensure!(
            !peer.tls,
            "--tls is for TITLE@HOST:PORT; maxray ae set {} --call-tls true says it of an AE",
            peer.target
        );
        let called: AeTitle = peer.target.parse()?;
        let directory = home::existing_to_read(settings).await?;
        let database = home::open_database(settings, &directory, &Clock::system()).await?;
        let registry = database.aes().await;
        database.close().await;
        let ae = registry?.into_iter().find(|ae| ae.title == called);
        let ae = ae.with_context(|| format!("{called} is not registered; say {called}@HOST:PORT"))?;
        ensure!(
            !ae.profile.host.is_empty() && ae.profile.port != 0,
            "it is not known where {called} is called: maxray ae set {called} --call-host HOST --call-port PORT"
        );
        Ok(Self { callee: Callee::of(&ae), calling, call })
    }

    async fn associate(&self, proposals: &[Proposal]) -> anyhow::Result<ScuAssociation> {
        let Callee { title, host, port, .. } = &self.callee;
        let timeouts = ScuTimeouts::default();
        ScuAssociation::connect(&self.call, &self.callee, &self.calling, proposals, timeouts)
            .await
            .with_context(|| format!("no association with {title} at {host}:{port}"))
    }
}

/// `maxray echo`.
pub async fn echo(settings: Settings, options: EchoOptions) -> anyhow::Result<()> {
    let target = Target::find(&settings, options.peer).await?;
    let began = std::time::Instant::now();
    let mut association = target.associate(&[]).await?;
    let status = association.echo().await?;
    let took = began.elapsed().as_millis();
    association.release().await?;
    let Callee { title, host, port, .. } = &target.callee;
    ensure!(status == 0, "{title} answered with status {status:#06x}");
    println!("{title} at {host}:{port} answers ({took} ms)");
    Ok(())
}

/// What there is to send.
#[derive(Default)]
struct Outgoing {
    files: Vec<PathBuf>,
    /// DICOMDIRs, which list what is beside them.
    media_directories: usize,
    unreadable: Vec<Unreadable>,
}

impl Outgoing {
    /// These files, and those below these directories.
    fn find(paths: Vec<PathBuf>) -> Self {
        let mut outgoing = Self::default();
        for path in paths {
            if path.is_dir() {
                let found = files_below(&path);
                outgoing.files.extend(found.files.into_iter().map(|candidate| candidate.path));
                outgoing.unreadable.extend(found.unreadable);
            } else {
                outgoing.files.push(path);
            }
        }
        let there = outgoing.files.len();
        // What cannot be read is said when its turn comes.
        outgoing.files.retain(|path| !(path.is_file() && is_media_directory_at(path).unwrap_or(false)));
        outgoing.media_directories = there - outgoing.files.len();
        outgoing
    }
}

/// `maxray send`.
pub async fn send(settings: Settings, options: SendOptions) -> anyhow::Result<()> {
    let target = Target::find(&settings, options.peer).await?;
    let outgoing = tokio::task::spawn_blocking(move || Outgoing::find(options.paths)).await?;
    for one in &outgoing.unreadable {
        eprintln!("{one}");
    }
    let outcomes = store_files(&target.call, &target.callee, &target.calling, &outgoing.files).await?;
    let (mut sent, mut unreadable) = (0, outgoing.unreadable.len());
    for outcome in &outcomes {
        let path = outcome.path.display();
        match &outcome.result {
            Ok(response) if response.is_success() => sent += 1,
            Ok(response) => {
                println!("{path}: refused, status {:#06x} {}", response.status, response.error_comment);
            }
            Err(error @ FileError::Io(_)) => {
                unreadable += 1;
                eprintln!("{path}: {error}");
            }
            Err(error) => println!("{path}: {error}"),
        }
    }
    println!(
        "{sent} of {} sent to {}, unreadable {unreadable}, DICOMDIR {}",
        outcomes.len(),
        target.callee.title,
        outgoing.media_directories
    );
    if sent < outcomes.len() || unreadable > 0 {
        bail!(
            "{} files were not sent; files and folders that could not be read: {unreadable}",
            outcomes.len() - sent
        );
    }
    Ok(())
}

/// `maxray query`.
pub async fn query(settings: Settings, options: QueryOptions) -> anyhow::Result<()> {
    let keys = keys(options.level, &options.key)?;
    let target = Target::find(&settings, options.peer).await?;
    let mut association = target.associate(&[find_proposal()]).await?;
    let mut answers = 0;
    if !options.json {
        let names = keys.iter().map(|(tag, _)| name(*tag)).collect::<Vec<_>>();
        println!("{}", names.join("\t"));
    }
    let limit = options.limit.unwrap_or(u64::MAX);
    let each = |found: &PlainDataSet| {
        if answers < limit {
            println!("{}", if options.json { found.json.clone() } else { line(&keys, found) });
            answers += 1;
        }
        answers < limit
    };
    let level = QueryLevel::from(options.level);
    let response = association.find(level, &keys, each).await?;
    association.release().await?;
    ensure!(
        response.is_success(),
        "{} refused the query, status {:#06x} {}",
        target.callee.title,
        response.status,
        response.error_comment
    );
    eprintln!("{answers} found");
    Ok(())
}

/// What is shown when nothing is asked for, and what was asked for, by tag.
fn keys(level: LevelName, asked: &[String]) -> anyhow::Result<Vec<(u32, String)>> {
    let usual: &[u32] = match level {
        LevelName::Study => {
            &[0x0010_0020, 0x0010_0010, 0x0008_0020, 0x0008_0061, 0x0008_1030, 0x0020_1208, 0x0020_000D]
        }
        LevelName::Series => &[0x0008_0060, 0x0020_0011, 0x0008_103E, 0x0020_1209, 0x0020_000D, 0x0020_000E],
        LevelName::Instance => &[0x0020_0013, 0x0008_0016, 0x0020_000D, 0x0020_000E, 0x0008_0018],
    };
    let mut keys: BTreeMap<u32, String> = usual.iter().map(|tag| (*tag, String::new())).collect();
    for key in asked {
        let (name, value) = key.split_once('=').unwrap_or((key, ""));
        let by_tag = u32::from_str_radix(name, 16).ok().filter(|_| name.len() == 8);
        let tag = by_tag.or_else(|| tag_of_keyword(name));
        let tag = tag.with_context(|| format!("{name} is no keyword of DICOM and no tag of eight digits"))?;
        keys.insert(tag, value.to_owned());
    }
    Ok(keys.into_iter().collect())
}

fn name(tag: u32) -> String {
    keyword_of(tag).map_or_else(|| format!("{tag:08X}"), str::to_owned)
}

/// The values of one answer, tabs between. What a stranger sent is printed without control characters.
fn line(keys: &[(u32, String)], found: &PlainDataSet) -> String {
    let data_set = JsonDataSet::parse(&found.json).unwrap_or_default();
    let value = |tag: u32| {
        let text = data_set.0.get(&tag).and_then(|attribute| attribute.plain_text().ok()).unwrap_or_default();
        text.chars().filter(|character| !character.is_control()).collect::<String>()
    };
    keys.iter().map(|(tag, _)| value(*tag)).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_keyword_and_by_tag() {
        let asked = ["PatientName=DOE*".to_owned(), "00080050=A=1".to_owned(), "StudyID".to_owned()];
        let keys = keys(LevelName::Study, &asked).expect("keys");
        let value = |tag: u32| keys.iter().find(|(key, _)| *key == tag).map(|(_, value)| value.as_str());
        assert_eq!(value(0x0010_0010), Some("DOE*"));
        assert_eq!(value(0x0008_0050), Some("A=1"));
        assert_eq!((value(0x0020_0010), value(0x0020_000D)), (Some(""), Some("")));
        assert!(super::keys(LevelName::Study, &["Nonsense=1".to_owned()]).is_err());
    }

    #[test]
    fn an_answer_cannot_write_on_the_terminal() {
        let json = r#"{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A\u001b[2J\u0007^B"}]}}"#;
        let found = PlainDataSet { json: json.to_owned(), specific_character_set: String::new() };
        assert_eq!(line(&[(0x0010_0010, String::new()), (0x0010_0020, String::new())], &found), "A[2J^B\t");
    }
}
