//! A private RabbitMQ on ports of its own of this machine. It ends with the test's process, however that ends: a shell holds the
//! other end of a pipe and kills the server when the pipe closes. It costs some ten seconds to start.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions},
    tcp::OwnedTLSConfig,
    types::{AMQPValue, ShortString},
};
use serde_json::Value;

use crate::{operator::free_port, tls::Identity};

/// How long the server may take; a machine that builds at the same time needs most of it.
const START_TIMEOUT: Duration = Duration::from_mins(3);
/// Quorum queues that come back elect their leaders by then. RabbitMQ 3.10 elects none, ever, for a queue that is asked for a
/// message before: `leader call - leader not known` is the last that it says.
const ELECTION: Duration = Duration::from_secs(3);
/// One attempt to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a test that finds no server says.
const INSTALL: &str = "run ./test, or: RUNLEVEL=1 apt-get install --no-install-recommends rabbitmq-server";
/// Where Debian has the server's programs.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Runs a server in `$1` as `$2...`: a line `start` starts it, a line `kill` kills it at once, the end ends everything.
const SUPERVISE: &str = r#"
folder=$1; shift
"$@" epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" >>"$folder/log" 2>&1 </dev/null &
names=$!
kill_server() {
  if pid=$(cat "$folder/pid" 2>/dev/null); then kill -9 "$pid"; rm -f "$folder/pid"; fi
}
while read -r line; do
  if [ "$line" = start ]; then
    "$@" "$PROGRAMS/rabbitmq-server" >>"$folder/log" 2>&1 </dev/null &
  else
    kill_server
  fi
done
kill_server
kill -9 "$names"
rm -rf "$folder"
"#;

/// The server.
#[derive(Debug)]
pub struct RabbitMq {
    folder: PathBuf,
    port: u16,
    tls_port: Option<u16>,
    supervisor: Child,
    environment: Vec<(&'static str, String)>,
    /// Name and password, as in a URL.
    login: String,
}

impl RabbitMq {
    /// Starts one and waits until it takes connections; with a certificate, over TLS too.
    ///
    /// # Panics
    /// When RabbitMQ is not installed or does not start; the text says what to do.
    pub async fn start(identity: Option<&Identity>) -> Self {
        let mut server = Self::prepare(identity);
        server.start_again().await;
        server
    }

    /// Everything but the server: [`Self::start_again`] starts it for the first time.
    ///
    /// # Panics
    /// When RabbitMQ is not installed.
    pub fn prepare(identity: Option<&Identity>) -> Self {
        Self::prepare_with(identity, "", "guest:guest")
    }

    /// Starts one with more settings, which make this user.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_for(login: &str, settings: &str) -> Self {
        let mut server = Self::prepare_with(None, settings, login);
        server.start_again().await;
        server
    }

    fn prepare_with(identity: Option<&Identity>, more: &str, login: &str) -> Self {
        assert!(Path::new(PROGRAMS).join("rabbitmq-server").exists(), "there is no RabbitMQ: {INSTALL}");
        let folder = tempfile::Builder::new().prefix("maxray-rabbitmq-").tempdir();
        let folder = folder.expect("a temporary folder").keep();
        let (port, tls_port) = (free_port(), identity.map(|_| free_port()));
        fs::write(folder.join("enabled_plugins"), "[].\n").expect("a file");
        let settings = settings(&folder, identity.zip(tls_port)) + more;
        fs::write(folder.join("rabbitmq.conf"), settings).expect("a file");
        let environment = environment(&folder, port);
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISE, "supervise"]).arg(&folder);
        if rustix::process::geteuid().is_root() {
            let owned = Command::new("chown").args(["-R", "rabbitmq"]).arg(&folder).status();
            assert!(owned.is_ok_and(|status| status.success()), "there is no user rabbitmq: {INSTALL}");
            command.args(["setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups", "--"]);
        } else {
            command.arg("env");
        }
        let supervisor = command
            .current_dir("/")
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Self { folder, port, tls_port, supervisor, environment, login: login.to_owned() }
    }

    /// Starts it on the same ports and data.
    ///
    /// # Panics
    /// When it does not take connections in time.
    pub async fn start_again(&mut self) {
        self.tell("start");
        let deadline = Instant::now() + START_TIMEOUT;
        while let Err(error) = Self::connect(&self.url()).await {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "RabbitMQ does not start ({INSTALL}): {error}\n{log}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        tokio::time::sleep(ELECTION).await;
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.tell("kill");
    }

    /// Makes it short of memory, or gives it back: publishers are blocked until then.
    ///
    /// # Panics
    /// With what `rabbitmqctl` says when it fails.
    pub fn block(&self, blocked: bool) {
        let limit: &[&str] = if blocked { &["0.000001"] } else { &["absolute", "512MB"] };
        self.control(&[&["set_vm_memory_high_watermark"], limit].concat());
    }

    /// `rabbitmqctl ARGUMENTS`.
    ///
    /// # Panics
    /// With what it says when it fails.
    pub fn control(&self, arguments: &[&str]) {
        let mut command = self.as_rabbitmq(&format!("{PROGRAMS}/rabbitmqctl"));
        let output = command.args(arguments).output().expect("rabbitmqctl starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {errors}");
    }

    /// A program of the server's user, with the server's settings.
    fn as_rabbitmq(&self, program: &str) -> Command {
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups", "--", program]);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/").envs(self.environment.iter().cloned());
        command
    }

    /// Its port, without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is, with name and password, without TLS.
    pub fn url(&self) -> String {
        self.url_of(&self.login)
    }

    /// The same for somebody else, `name:password`.
    pub fn url_of(&self, login: &str) -> String {
        format!("amqp://{login}@127.0.0.1:{}/%2f", self.port)
    }

    /// The same over TLS.
    ///
    /// # Panics
    /// When it was started without a certificate.
    pub fn tls_url(&self) -> String {
        let port = self.tls_port.expect("a server with a certificate");
        format!("amqps://{}@localhost:{port}/%2f", self.login)
    }

    /// Looks into its queues.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn queues(&self) -> Queues {
        self.queues_of(&self.login).await
    }

    /// The same as somebody else, `name:password`.
    ///
    /// # Panics
    /// As [`Self::queues`].
    pub async fn queues_of(&self, login: &str) -> Queues {
        let connection = Self::connect(&self.url_of(login)).await.expect("RabbitMQ answers");
        let channel = connection.create_channel().await.expect("a channel");
        Queues { channel, connection }
    }

    async fn connect(url: &str) -> Result<Connection, String> {
        let runtime = lapin::runtime::default_runtime().map_err(|error| error.to_string())?;
        let (properties, tls) = (ConnectionProperties::default(), OwnedTLSConfig::default());
        let connecting = Connection::connect_with_config(url, properties, tls, runtime);
        // One attempt was seen that never ended, while the server started.
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        connected.map_err(|late| late.to_string())?.map_err(|error| error.to_string())
    }

    fn tell(&mut self, line: &str) {
        let input = self.supervisor.stdin.as_mut().expect("a pipe");
        writeln!(input, "{line}").expect("the supervisor listens");
    }
}

/// What a consumer sees.
pub struct Queues {
    channel: Channel,
    connection: Connection,
}

impl Queues {
    /// Takes the next message of a queue for good; none when it is empty.
    ///
    /// # Panics
    /// When there is no such queue.
    pub async fn take(&self, queue: &str) -> Option<Message> {
        let options = BasicGetOptions { no_ack: true };
        let message = self.channel.basic_get(queue.into(), options).await.expect("there is such a queue");
        message.map(|message| Message { message })
    }

    /// Takes the next message of a queue and gives it back, as a consumer does that fails; says whether there was one.
    ///
    /// # Panics
    /// As [`Self::take`].
    pub async fn give_back(&self, queue: &str) -> bool {
        let taken = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await;
        let Some(message) = taken.expect("there is such a queue") else { return false };
        let again = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        message.acker.nack(again).await.expect("given back");
        true
    }

    /// Publishes, as anybody can try who has an account.
    ///
    /// # Errors
    /// With what the broker says when it does not take it.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn publish(&self, exchange: &str, key: &str, body: &[u8]) -> Result<(), String> {
        // The broker closes the channel on which it refuses.
        let channel = self.connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirmations");
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        let confirmed = match sent {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        };
        confirmed.map(drop).map_err(|error| error.to_string())
    }
}

/// A message that was taken.
#[derive(Debug)]
pub struct Message {
    message: BasicGetMessage,
}

impl Message {
    /// Its body.
    ///
    /// # Panics
    /// When it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.message.data).expect("JSON")
    }

    /// Its body, as it came.
    pub fn body(&self) -> &[u8] {
        &self.message.data
    }

    /// When it was published, in seconds since 1970, as who did says.
    pub fn timestamp(&self) -> Option<u64> {
        *self.message.properties.timestamp()
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<String> {
        let headers = self.message.properties.headers().as_ref()?;
        let AMQPValue::LongString(text) = headers.inner().get(name)? else { return None };
        Some(text.to_string())
    }

    /// What it was published with.
    pub fn routing_key(&self) -> &str {
        self.message.routing_key.as_str()
    }

    /// Its message id, type and content type, and whether it survives a restart; what is not there is empty.
    pub fn properties(&self) -> (&str, &str, &str, bool) {
        fn text(value: Option<&ShortString>) -> &str {
            value.map_or("", ShortString::as_str)
        }
        let properties = &self.message.properties;
        (
            text(properties.message_id().as_ref()),
            text(properties.kind().as_ref()),
            text(properties.content_type().as_ref()),
            *properties.delivery_mode() == Some(2),
        )
    }
}

/// Everything of it lies in `folder` and listens on this machine alone.
fn environment(folder: &Path, port: u16) -> Vec<(&'static str, String)> {
    let path = |name: &str| folder.join(name).display().to_string();
    let own = "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none";
    vec![
        ("PROGRAMS", PROGRAMS.to_owned()),
        ("HOME", folder.display().to_string()),
        ("RABBITMQ_BASE", folder.display().to_string()),
        ("RABBITMQ_NODENAME", format!("maxray-{port}@localhost")),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", free_port().to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("ERL_EPMD_PORT", free_port().to_string()),
        ("RABBITMQ_MNESIA_BASE", path("mnesia")),
        ("RABBITMQ_LOG_BASE", path("log.d")),
        ("RABBITMQ_PID_FILE", path("pid")),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_CONF_ENV_FILE", path("none.conf")),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", own.to_owned()),
    ]
}

fn settings(folder: &Path, tls: Option<(&Identity, u16)>) -> String {
    let mut settings =
        "vm_memory_high_watermark.absolute = 512MB\ndisk_free_limit.absolute = 50MB\n".to_owned();
    if let Some((identity, port)) = tls {
        // Copies that its user may read.
        for (from, name) in [(&identity.certificate, "certificate.pem"), (&identity.key, "key.pem")] {
            fs::copy(from, folder.join(name)).expect("a copy");
        }
        let folder = folder.display();
        let listener = format!(
            "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.certfile = {folder}/certificate.pem\n\
             ssl_options.keyfile = {folder}/key.pem\nssl_options.verify = verify_none\n\
             ssl_options.fail_if_no_peer_cert = false\n"
        );
        settings.push_str(&listener);
    }
    settings
}
