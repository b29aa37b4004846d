//! `maxray serve`: opens the archive and runs the three doors and the worker until told to stop.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use archive::Archive;
use axum::Router;
use model::clock::Clock;
use service::{
    http::{health, limits, server},
    shutdown::Shutdown,
    tls::{self, Tls},
};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};

use crate::{
    alarms,
    audit::Trail,
    disk_watch::watch_disk,
    hardening,
    home::{self, Lock},
    neighbours::keep_in_touch,
    parts::{Parts, check_doctor_secret},
    readiness,
    roles::{self, Role},
    routes::router,
    settings::Settings,
    user,
};

/// Connections that the kernel takes before we do: a department that is switched on, a proxy that comes back.
const WAITING_CONNECTIONS_MAX: u32 = 1024;

/// A server that listens already; `run` serves until the shutdown begins.
pub struct Server {
    pub http_address: SocketAddr,
    /// None without the role.
    pub dicom_address: Option<SocketAddr>,
    pub shutdown: Shutdown,
    https: bool,
    roles: Vec<Role>,
    /// Password of the account `admin`, when this start made it.
    pub admin_password: Option<String>,
    directory: PathBuf,
    tasks: JoinSet<anyhow::Result<()>>,
    archive: Archive,
    trail: Trail,
    _lock: Lock,
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut server = Server::start(settings).await?;
    server.shutdown.on_signals()?;
    server.greet();
    server.wait().await
}

impl Server {
    /// Opens everything and begins to listen.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let metrics = service::telemetry::start(&settings.log)?;
        alarms::register(!settings.broker.url.is_empty());
        hardening::raise_descriptor_limit();
        let clock = Clock::system();
        let directory = home::prepare_directory(&settings.data_directory)?;
        let lock = lock(&directory)?;
        settings.check_doors()?;
        let (http_tls, dicom_tls) = open_tls(&settings)?;
        let http = listen("http.listen", settings.http.listen)?;
        let dicom = listen_for_dicom(&settings)?;
        let archive = home::open_archive_to_serve(&settings, &directory, &clock).await?;
        let trail = Trail::begin(&settings, &archive, &directory, &clock).await?;
        let shutdown = Shutdown::new();
        let parts = Parts::open(&settings, &archive, &directory, clock, shutdown.clone())?;
        check_doctor_secret(&settings, &archive, &directory, &parts.doctor_keys).await?;
        let admin_password = user::first_admin(archive.database()).await?;
        let notices = health::Notices::default();
        let (http_address, dicom_address) =
            (http.local_addr()?, dicom.as_ref().map(TcpListener::local_addr).transpose()?);
        let health = health::router(metrics, readiness::checks(&archive), notices.clone());
        let router = router(&settings, &archive, &parts, health);
        tokio::spawn(hardening::check_decoder(parts.converter.decoder().clone(), notices));
        let mut tasks = JoinSet::new();
        let https = http_tls.is_some();
        tasks.spawn(watch_tls([&http_tls, &dicom_tls], parts.clock.clone(), shutdown.clone()));
        tasks.spawn(serve_http(http, router, http_tls, settings.http.clone(), shutdown.clone()));
        if let Some(dicom) = dicom {
            tasks.spawn(serve_dicom(dicom, settings.pacs.clone(), dicom_tls, &parts, shutdown.clone()));
        }
        tasks.spawn(serve_worker(&settings, &archive, &parts, shutdown.clone()));
        tasks.spawn(trail.clone().keep(shutdown.clone()));
        tasks.spawn(watch_disk(archive.clone(), shutdown.clone()));
        tasks.spawn(readiness::watch(&settings, &archive, &directory, shutdown.clone()));
        tasks.spawn(keep_in_touch(archive.clone(), parts.redis.clone(), shutdown.clone()));
        write_run_file(&directory, http_address, https, dicom_address)?;
        tracing::info!(
            http = %http_address,
            dicom = dicom_address.map(tracing::field::display),
            roles = settings.roles.iter().copied().map(roles::name).collect::<Vec<_>>().join(","),
            "maxray listens"
        );
        Ok(Self {
            https,
            roles: settings.roles,
            http_address,
            dicom_address,
            shutdown,
            admin_password,
            directory,
            tasks,
            archive,
            trail,
            _lock: lock,
        })
    }

    /// Prints where to look and how to sign in.
    pub fn greet(&self) {
        println!("MaxRay is running.");
        let scheme = if self.https { "https" } else { "http" };
        if self.roles.contains(&Role::DoctorApi) {
            println!("  REST API   {scheme}://{}/docs", self.http_address);
        }
        if self.roles.contains(&Role::Dicomweb) {
            println!("  DICOMweb   {scheme}://{}/dicomweb", self.http_address);
        }
        if let Some(address) = self.dicom_address {
            println!("  DICOM      {address} (try: echoscu {} {})", address.ip(), address.port());
        }
        if !self.roles.contains(&Role::DoctorApi) {
            println!("  health     {scheme}://{}/readyz", self.http_address);
        }
        println!("  data       {}", self.directory.display());
        match &self.admin_password {
            Some(password) => {
                println!("  sign in    user admin, password {password}  (shown this once; POST /sessions)");
            }
            None if !self.roles.contains(&Role::DoctorApi) => {}
            None => println!("  sign in    POST /sessions; make accounts with: maxray user add --help"),
        }
    }

    /// Waits until all parts have ended. A part that ends early takes the others down: half a server helps nobody.
    pub async fn wait(&mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let result = ended.map_err(anyhow::Error::from).and_then(|result| result);
            if !self.shutdown.has_begun() {
                tracing::error!("a part of the server ended; stopping the others");
                self.shutdown.begin();
            }
            outcome = outcome.and(result);
        }
        // A database whose disk failed is left as it is: closing it would move its log about.
        if !self.archive.database().has_disk_failed() {
            self.trail.end().await;
            home::last_beat(&self.archive).await;
            let _ = self.archive.storage().keys().discard_spares().await;
            self.archive.database().close().await;
        }
        let _ = std::fs::remove_file(self.directory.join("run.json"));
        tracing::info!("stopped");
        outcome
    }
}

fn lock(directory: &Path) -> anyhow::Result<Lock> {
    home::lock(directory)?.with_context(|| {
        format!("another maxray works on {}: stop it or choose another data_directory", directory.display())
    })
}

/// Only with the role.
fn listen_for_dicom(settings: &Settings) -> anyhow::Result<Option<TcpListener>> {
    if settings.has(Role::Pacs) { listen("pacs.listen", settings.pacs.listen).map(Some) } else { Ok(None) }
}

fn listen(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart need not wait for connections of before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(WAITING_CONNECTIONS_MAX)
    };
    bind().with_context(|| format!("{setting} = \"{address}\" cannot be listened on"))
}

/// Reads the files of the listeners, and looks at those for calling others.
pub fn open_tls(settings: &Settings) -> anyhow::Result<(Option<Tls>, Option<Tls>)> {
    let http = Tls::open("http", &settings.http.tls, &[b"h2", b"http/1.1"])?;
    // Without the listener nobody is shown its certificate.
    let dicom = if settings.has(Role::Pacs) { Tls::open("pacs", &settings.pacs.tls, &[])? } else { None };
    settings.pacs.call.check()?;
    Ok((http, dicom))
}

fn watch_tls(
    listeners: [&Option<Tls>; 2],
    clock: Clock,
    shutdown: Shutdown,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let listeners: Vec<Tls> = listeners.into_iter().flatten().cloned().collect();
    async move { tls::watch(listeners, clock, shutdown).await.context("SIGHUP cannot be listened for") }
}

async fn serve_http(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    config: limits::HttpConfig,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    server::serve(listener, router, tls, &config, shutdown).await;
    Ok(())
}

fn serve_dicom(
    listener: TcpListener,
    config: pacs::PacsConfig,
    tls: Option<Tls>,
    parts: &Parts,
    shutdown: Shutdown,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let identification =
        pacs::Identification { sign_in: parts.sign_in.clone(), authenticator: parts.authenticator.clone() };
    let converter = parts.converter.clone();
    // Its services are one large future together.
    async move {
        Box::pin(pacs::serve(listener, config, tls, converter, identification, shutdown))
            .await
            .context("the DICOM listener ended")
    }
}

fn serve_worker(
    settings: &Settings,
    archive: &Archive,
    parts: &Parts,
    shutdown: Shutdown,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let state = worker::WorkerState {
        archive: archive.clone(),
        events: parts.events.clone(),
        decoder: parts.converter.decoder().clone(),
        doctor_keys: parts.doctor_keys.clone(),
        webhooks: parts.webhooks.clone(),
        mailer: parts.mailer.clone(),
        broker: parts.broker.clone(),
        config: settings.worker.clone(),
        notifications: settings.notifications.clone(),
        clock: parts.clock.clone(),
    };
    let (works, listens) = (settings.has(Role::Worker), settings.has(Role::DoctorApi));
    let watch = doctor_api::watch_break_glass(archive.database().clone(), shutdown.clone());
    async move {
        match (works, listens) {
            (true, _) => drop(tokio::join!(worker::run(state, shutdown), watch)),
            (false, true) => worker::tell_listeners(state, shutdown).await,
            (false, false) => shutdown.cancelled().await,
        }
        Ok(())
    }
}

/// Tells other commands and tests which ports were taken.
fn write_run_file(
    directory: &Path,
    http: SocketAddr,
    https: bool,
    dicom: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let run = serde_json::json!({ "http": http, "https": https, "dicom": dicom, "pid": std::process::id() });
    let temporary = directory.join("run.json.new");
    std::fs::write(&temporary, run.to_string())?;
    std::fs::rename(&temporary, directory.join("run.json"))?;
    Ok(())
}
