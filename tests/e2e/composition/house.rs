//! What the composition starts, but for Grafana.

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tests::{
    cluster::{Cluster, Durability},
    link::{End, Link},
    names::Names,
    network::Network,
    rabbitmq::RabbitMq,
    s3::S3Server,
    wait,
};

use super::container::{Container, Image, given};
use crate::deploy::{composed, root, secrets};

/// Where Docker answers for the names of services.
const DOCKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const NODES: u8 = 3;

/// Gives the proxy its secret where the composition mounts it, and runs it.
const PROXY: &str =
    r#"mount -t tmpfs none /run && mkdir /run/secrets && cp "$1" /run/secrets/ && exec haproxy -f "$2""#;

/// Killed when dropped.
pub(super) struct Program(Child);

impl Program {
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let log = fs::File::create(log).expect("a log");
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a second handle")).stdout(log);
        let name = command.get_program().to_string_lossy().into_owned();
        Self(command.spawn().unwrap_or_else(|error| panic!("{name}: {error}: run ./test, it installs it")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Everything but what watches it.
pub(super) struct House {
    pub nodes: Vec<Container>,
    /// What Docker runs in each of them to see whether it is well, without the program.
    health: Vec<String>,
    /// Every node's address.
    pub addresses: Vec<Ipv4Addr>,
    pub proxy: Ipv4Addr,
    _proxy: Program,
    _redis: Program,
    _rabbit: RabbitMq,
    pub bucket: S3Server,
    _cluster: Cluster,
    _lines: Vec<Link>,
    _names: Names,
    pub folder: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the proxy's log ----\n{}", self.proxy_log());
        }
    }
}

impl House {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = folder.path().join("made");
        secrets(&made);
        let secret = |name: &str| fs::read_to_string(made.join(name)).expect("a secret").trim().to_owned();
        let composed = composed();
        let service = &composed["services"]["maxray"];
        let address = &composed["services"]["proxy"]["networks"]["front"]["ipv4_address"];
        let proxy: Ipv4Addr = address.as_str().and_then(|text| text.parse().ok()).expect("its address");
        let from_docker = |number: u8| Ipv4Addr::from(u32::from(proxy) + 126 + u32::from(number));

        let cluster = Cluster::start(Durability::Fsync);
        cluster.create_user("maxray");
        let login = format!("maxray:{}", secret("rabbitmq_password"));
        let rabbit = RabbitMq::start_for(&login, &(secret("rabbitmq_conf") + "\n")).await;
        let bucket = S3Server::start().await;
        let mut redis = Command::new("redis-server");
        redis.arg(made.join("redis_conf")).args(["--bind", "127.0.0.1"]).current_dir(folder.path());
        let redis = Program::start(&mut redis, &folder.path().join("redis.log"));

        let own = folder.path().join("secrets");
        given(service, &made, &own);
        let hosts = folder.path().join("hosts");
        let names = ["postgres", "minio", "rabbitmq", "redis"].map(|name| format!("{proxy} {name}\n"));
        fs::write(&hosts, "127.0.0.1 localhost\n".to_owned() + &names.concat()).expect("a file");
        let image = Image { service, secrets: own, hosts };
        let addresses: Vec<Ipv4Addr> = (1..=NODES).map(from_docker).collect();
        // The first of them gives this process the address at which the services are.
        let first = Container::start(&image, proxy, addresses[0]);
        let here = |port| End::Port((Ipv4Addr::LOCALHOST, port).into());
        let lines = vec![
            Link::between((proxy, 5432).into(), End::Socket(cluster.socket())).await,
            Link::between((proxy, 9000).into(), End::Port(bucket.address())).await,
            Link::between((proxy, 5672).into(), here(rabbit.port())).await,
            Link::between((proxy, 6379).into(), here(6379)).await,
        ];
        let mut nodes = vec![first];
        nodes.extend(addresses[1..].iter().map(|address| Container::start(&image, proxy, *address)));
        let names = Names::serve((DOCKER, 53).into(), "maxray", addresses.clone()).await;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-c", PROXY, "sh"]);
        command.arg(made.join("proxy_pem")).arg(root().join("deploy/haproxy/haproxy.cfg"));
        let running = Program::start(&mut command, &folder.path().join("haproxy.log"));
        let health = words_of_health(service);
        Self {
            nodes,
            health,
            addresses,
            proxy,
            _proxy: running,
            _redis: redis,
            _rabbit: rabbit,
            bucket,
            _cluster: cluster,
            _lines: lines,
            _names: names,
            folder,
        }
    }

    /// A line for each request and each connection that has ended, with the backend that served it.
    pub fn proxy_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("haproxy.log")).unwrap_or_default()
    }

    /// Whether Docker takes a node for well.
    pub fn is_well(&self, node: &Container) -> bool {
        let words: Vec<&str> = self.health.iter().map(String::as_str).collect();
        node.command(&words).output().is_ok_and(|output| output.status.success())
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{}:8443{path}", self.proxy)
    }

    /// Waits until the proxy finds a node, and each says that it is well, as the health check of its container does.
    pub async fn wait_until_ready(&self, client: &Client) {
        wait::until("HAProxy finds a node", async || {
            let answer = client.get(self.url("/readyz")).send().await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        for node in &self.nodes {
            wait::until("a node is well", async || self.is_well(node).then_some(())).await;
        }
    }

    /// A program of DCMTK on an X-ray machine, in its own network.
    pub fn send(
        &self,
        machine: &Network,
        (program, options): (&str, &[&str]),
        port: u16,
        files: &[&Path],
    ) -> (bool, String) {
        let mut command = machine.command(program);
        command.args(options).args(["-v", "-aet", "CR1", "-aec", "MAXRAY"]);
        command.arg(self.proxy.to_string()).arg(port.to_string()).args(files).env("TCP_NODELAY", "1");
        let output = command.output().expect("nsenter runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    }
}

/// Of the health check of a service, what comes behind `CMD` and the program.
fn words_of_health(service: &Value) -> Vec<String> {
    let test = service["healthcheck"]["test"].as_array().expect("a health check");
    assert_eq!((test[0].as_str(), test[1].as_str()), (Some("CMD"), Some("/usr/local/bin/maxray")));
    test[2..].iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}
