//! `maxray demo`: everything once, through the same doors that machines and doctors use.

mod phantom;

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use model::{AeTitle, SopClassUid, SopInstanceUid, TransferSyntaxUid, clock::Clock, transfer_syntax};
use pacs::{
    call::{CallConfig, Callee},
    store_scu::{Proposal, ScuAssociation, ScuTimeouts},
};
use serde_json::{Value, json};

use crate::{cli::DemoOptions, serve::Server, settings::Settings};

/// How long the demo waits for a preview before it says that something is wrong.
const PREVIEW_TIMEOUT: Duration = Duration::from_secs(20);
const PATIENT_ID: &str = "DEMO-1";

/// Runs the demo; serves on until stopped, unless told to exit.
pub async fn run(settings: Settings, options: DemoOptions) -> anyhow::Result<()> {
    let begun = Instant::now();
    let temporary = tempfile::Builder::new().prefix("maxray-demo-").tempdir()?;
    let directory = options.keep.unwrap_or_else(|| temporary.path().join("data"));
    let is_new =
        !directory.exists() || fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_none());
    ensure!(
        is_new,
        "{} is not empty, or no directory that can be read: --keep needs a new one",
        directory.display()
    );
    let mut server = Server::start(throw_away(settings, directory)).await?;
    server.shutdown.on_signals()?;
    let told = tell(&server, begun).await;
    if told.is_err() || options.exit {
        server.shutdown.begin();
    }
    let ended = server.wait().await;
    told.and(ended)
}

/// The defaults, in a directory of its own, on loopback. Of what is configured only that counts which reaches nothing else: the
/// database, the object store, keys, broker, Redis, mail, webhooks and registry that stand there may be those of a hospital.
fn throw_away(configured: Settings, data_directory: PathBuf) -> Settings {
    let mut settings = Settings { data_directory, ..Settings::default() };
    settings.log = configured.log;
    settings.log.filter = "warn".into();
    settings.decoder = configured.decoder;
    // The demo waits for previews, whatever is configured.
    settings.worker.previews_parallel = configured.worker.previews_parallel;
    settings.worker.preview_side_pixels = configured.worker.preview_side_pixels;
    settings.worker.thumbnail_side_pixels = configured.worker.thumbnail_side_pixels;
    settings.worker.preview_quality = configured.worker.preview_quality;
    settings.worker.previews_memory_max_bytes = configured.worker.previews_memory_max_bytes;
    settings.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    settings.pacs.listen = settings.http.listen;
    settings
}

async fn tell(server: &Server, begun: Instant) -> anyhow::Result<()> {
    let Some(admin_password) = &server.admin_password else {
        bail!("the demo needs a new directory, and there are accounts in this one already");
    };
    let base = format!("http://{}", server.http_address);
    println!(
        "MaxRay runs at {base} (REST, /docs; DICOMweb, /dicomweb) and {} (DICOM).",
        dicom_address(server)?
    );
    // A proxy of the environment is for other machines.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let anonymous = Rest { base: base.clone(), token: None, client };
    let admin = anonymous.sign_in("admin", admin_password).await?;
    let password = service::identity::generate_password()?;
    let doctor = admin
        .post(
            "/doctors",
            json!({
                "name": "Demo Doctor", "specialties": ["Radiology"], "languages": ["en"],
                "time_zone": "Europe/Zurich",
                "account": { "username": "demo.doctor", "password": password },
            }),
        )
        .await?;
    let doctor_id = text(&doctor, "id")?;
    println!("Made a doctor {doctor_id}, who signs in as demo.doctor with password {password}");
    let rest = anonymous.sign_in("demo.doctor", &password).await?;
    let booked = json!({ "patient_id": PATIENT_ID, "patient_name": "Demo^Patient", "reason": "Cough" });
    let consultation = rest.post(&format!("/doctors/{doctor_id}/consultation"), booked).await?;
    let consultation_id = text(&consultation, "id")?;
    println!("Started a consultation {consultation_id} with patient {PATIENT_ID}");
    let study_uid = send(server).await?;
    rest.post(
        &format!("/consultations/{consultation_id}/studies"),
        json!({ "study_instance_uid": study_uid }),
    )
    .await?;
    println!("Linked study {study_uid} to the consultation");
    let xrays = rest.get(&format!("/xrays?study_instance_uid={study_uid}")).await?;
    let ids = xray_ids(&xrays)?;
    for id in &ids {
        rest.wait_for_preview(id).await?;
    }
    println!("{} previews can be seen {} ms after the start.", ids.len(), begun.elapsed().as_millis());
    print_links(&rest, &consultation_id, &study_uid, &ids);
    Ok(())
}

fn dicom_address(server: &Server) -> anyhow::Result<SocketAddr> {
    server.dicom_address.context("the server does not listen for DICOM")
}

/// Sends the synthetic study through the server's own C-STORE door, as a machine would.
async fn send(server: &Server) -> anyhow::Result<String> {
    let now = Clock::system().now();
    let subject = phantom::Subject {
        patient_id: PATIENT_ID,
        patient_name: "Demo^Patient",
        study_date: now.format("%Y%m%d").to_string(),
        study_time: now.format("%H%M%S").to_string(),
    };
    let (study_uid, phantoms) = tokio::task::spawn_blocking(move || phantom::study(&subject)).await??;
    let explicit = TransferSyntaxUid::parse(transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN)?;
    let mut proposals: Vec<Proposal> = Vec::new();
    for item in &phantoms {
        let sop_class_uid = SopClassUid::parse(&item.sop_class_uid)?;
        if proposals.iter().all(|proposal| proposal.sop_class_uid != sop_class_uid) {
            proposals.push(Proposal {
                sop_class_uid,
                transfer_syntax_uids: vec![explicit.clone()],
                as_provider: false,
            });
        }
    }
    let (calling, called) = (AeTitle::parse("DEMO-XRAY")?, AeTitle::parse("MAXRAY")?);
    let (callee, call) = (Callee::at(called, dicom_address(server)?), CallConfig::default());
    let mut association =
        ScuAssociation::connect(&call, &callee, &calling, &proposals, ScuTimeouts::default()).await?;
    let count = phantoms.len();
    for item in phantoms {
        let class = SopClassUid::parse(&item.sop_class_uid)?;
        let instance = SopInstanceUid::parse(&item.sop_instance_uid)?;
        let response = association.store(&class, &instance, &explicit, &item.data_set[..]).await?;
        ensure!(response.is_success(), "C-STORE was answered with status {:#06x}", response.status);
    }
    association.release().await?;
    println!("Sent {count} synthetic X-rays by C-STORE");
    Ok(study_uid)
}

fn print_links(rest: &Rest, consultation_id: &str, study_uid: &str, ids: &[String]) {
    let base = &rest.base;
    println!("\nTry it (the token is good for 15 minutes):");
    println!("  export TOKEN={}", rest.token.as_deref().unwrap_or_default());
    let curl =
        |path: &str, rest: &str| println!("  curl -H \"Authorization: Bearer $TOKEN\" '{base}{path}'{rest}");
    curl(&format!("/consultations/{consultation_id}"), "");
    for id in ids.iter().take(1) {
        curl(&format!("/xrays/{id}"), "");
        curl(&format!("/xrays/{id}/preview"), " -o preview.jpg");
        curl(&format!("/xrays/{id}/download"), " -o xray.dcm");
    }
    curl("/dicomweb/studies", "");
    curl(&format!("/dicomweb/studies/{study_uid}/metadata"), "");
    println!("  browse the API: {base}/docs");
}

fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    value[key].as_str().map(str::to_owned).with_context(|| format!("the answer has no {key}"))
}

fn xray_ids(xrays: &Value) -> anyhow::Result<Vec<String>> {
    let items = xrays["items"].as_array().context("the answer has no list of X-rays")?;
    items.iter().map(|item| text(item, "id")).collect()
}

/// The REST door, used from outside.
struct Rest {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
}

impl Rest {
    async fn sign_in(&self, username: &str, password: &str) -> anyhow::Result<Self> {
        let answer = self.post("/sessions", json!({ "username": username, "password": password })).await?;
        let token = Some(text(&answer, "access_token")?);
        Ok(Self { base: self.base.clone(), token, client: self.client.clone() })
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.send(self.client.post(format!("{}{path}", self.base)).json(&body)).await
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let response = self.authorized(request).send().await?;
        let status = response.status();
        let body = response.text().await?;
        ensure!(status.is_success(), "the REST door answered {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn wait_for_preview(&self, id: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let request = self.client.get(format!("{}/xrays/{id}/preview", self.base));
            let response = self.authorized(request).send().await?;
            if response.status().is_success() {
                return Ok(());
            }
            ensure!(begun.elapsed() < PREVIEW_TIMEOUT, "no preview of {id} after {PREVIEW_TIMEOUT:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_takes_over_what_reaches_nothing_else() {
        let mut configured = Settings::default();
        configured.database.url = "postgres://hospital/maxray".into();
        configured.object_storage.directory = "/srv/objects".into();
        configured.keys.root_file = "/etc/maxray/root.key".into();
        configured.broker.url = "amqps://hospital".into();
        configured.redis.url = "rediss://hospital".into();
        configured.patient_service.url = "https://hospital/fhir".into();
        configured.notifications.mail.smtp_url = "smtps://hospital".into();
        configured.audit.witness_directory = "/mnt/witness".into();
        configured.roles.clear();
        configured.decoder.processes = 7;
        let demo = toml::Table::try_from(throw_away(configured, "new".into())).expect("TOML");
        let defaults = toml::Table::try_from(Settings::default()).expect("TOML");
        let mut changed: Vec<&str> = demo
            .iter()
            .filter(|(key, value)| defaults.get(*key) != Some(value))
            .map(|(key, _)| key.as_str())
            .collect();
        changed.sort_unstable();
        assert_eq!(changed, ["data_directory", "decoder", "http", "log", "pacs"]);
    }
}
