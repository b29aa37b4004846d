//! Prometheus with the configuration of `deploy/`, in a network of its own as the others are: it asks the nodes, and not the proxy.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use tests::{names::Names, network::Network, wait};

use super::house::{House, Program};
use crate::deploy::root;

/// Gives it Docker's name server, and runs it.
const PROMETHEUS: &str = r#"mount --bind "$1" /etc/resolv.conf && exec prometheus --config.file="$2" \
  --storage.tsdb.path="$3" --web.listen-address=0.0.0.0:9090"#;

/// A running Prometheus.
pub(super) struct Watch {
    _program: Program,
    network: Network,
    _names: Names,
    folder: tempfile::TempDir,
    client: reqwest::Client,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("---- Prometheus's log ----\n{log}");
        }
    }
}

impl Watch {
    pub async fn start(house: &House) -> Self {
        let (network, folder) = (Network::make(), tempfile::tempdir().expect("a folder"));
        let names = Names::serve((network.near(), 53).into(), "maxray", house.addresses.clone()).await;
        // What Docker does between containers of one network: of this process's own network, and no other.
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("forwarded");
        let resolver = folder.path().join("resolv.conf");
        fs::write(&resolver, format!("nameserver {}\n", network.near())).expect("a file");
        let mut command = network.command("unshare");
        command.args(["--mount", "--", "sh", "-c", PROMETHEUS, "sh"]);
        command
            .arg(&resolver)
            .arg(root().join("deploy/prometheus/prometheus.yml"))
            .arg(folder.path().join("data"));
        let program = Program::start(&mut command, &folder.path().join("log"));
        let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        Self { _program: program, network, _names: names, folder, client }
    }

    /// What an expression is now; none while Prometheus does not answer.
    async fn query(&self, expression: &str) -> Option<Vec<Value>> {
        let url = format!("http://{}:9090/api/v1/query", self.network.far());
        let url = reqwest::Url::parse_with_params(&url, [("query", expression)]).expect("a URL");
        let answer = self.client.get(url).send().await.ok()?;
        let answer = tests::session::json(answer).await;
        answer["data"]["result"].as_array().cloned()
    }

    /// It finds them by their name and is answered.
    pub async fn sees_every_node(&self, house: &House) {
        let expected: BTreeSet<String> =
            house.addresses.iter().map(|address| format!("{address}:8080")).collect();
        wait::until("Prometheus to ask every node", async || {
            let up = self.query("up{job=\"maxray\"} == 1").await?;
            let seen =
                up.iter().filter_map(|series| series["metric"]["instance"].as_str().map(str::to_owned));
            (seen.collect::<BTreeSet<_>>() == expected).then_some(())
        })
        .await;
        let rules = self.client.get(format!("http://{}:9090/api/v1/rules", self.network.far())).send().await;
        let rules = tests::session::json(rules.expect("an answer")).await;
        assert!(!rules["data"]["groups"].as_array().expect("groups").is_empty(), "alarms are looked after");
    }

    /// Every node hears Redis, and one of them, whose turn it is, is connected to RabbitMQ: nobody needs either to be ready.
    pub async fn sees_connections(&self, nodes: usize) {
        for (expression, expected) in
            [("maxray_redis_heard == 1", nodes), ("maxray_broker_connected == 1", 1)]
        {
            wait::until(expression, async || (self.query(expression).await?.len() == expected).then_some(()))
                .await;
        }
    }

    /// Every expression of the dashboard is one.
    pub async fn takes_the_dashboard(&self) {
        let file = root().join("deploy/grafana/dashboards/maxray.json");
        let dashboard: Value = serde_json::from_slice(&fs::read(file).expect("the dashboard")).expect("JSON");
        let panels = dashboard["panels"].as_array().expect("panels");
        let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
        let expressions: Vec<&str> = targets.filter_map(|target| target["expr"].as_str()).collect();
        assert!(expressions.len() > 20, "{expressions:?}");
        for expression in expressions {
            let answer = self.query(&expression.replace("$__rate_interval", "1m")).await;
            assert!(answer.is_some(), "{expression}");
        }
    }
}
