//! Who sent a message, and what an account of the broker may do: as docs/broker.md says, word for word.

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Platform},
    python,
    rabbitmq::{Message, RabbitMq},
    synthetic::Synthetic,
};

use super::{metric_is, next, options, store};
use crate::deploy::root;

const SIGNATURE: &str = "maxray-signature";

fn document() -> String {
    fs::read_to_string(root().join("docs/broker.md")).expect("docs/broker.md")
}

/// What Python's check of the document says of each message.
fn verdicts(key: &str, messages: &Value) -> Vec<String> {
    const MAIN: &str = r#"
import json, sys, types
for message in json.loads(sys.argv[1]):
    body = base64.b64decode(message.pop("body"))
    print(is_from_maxray(types.SimpleNamespace(**message), body))
"#;
    let document = document();
    let check = document.split_once("```python\n").and_then(|(_, rest)| rest.split_once("```"));
    let (check, _) = check.expect("a check in Python");
    let check = check.replace("open(\"signing_key\")", &format!("open({key:?})"));
    assert!(check.contains(key), "{check}");
    let said = python::run_text(&(check + MAIN), &[&messages.to_string()]);
    said.lines().map(str::to_owned).collect()
}

fn as_python_has_it(message: &Message) -> Value {
    let (id, name, ..) = message.properties();
    json!({
        "message_id": id,
        "type": name,
        "timestamp": message.timestamp(),
        "headers": { SIGNATURE: message.header(SIGNATURE) },
        "body": BASE64_STANDARD.encode(message.body()),
    })
}

#[tokio::test]
async fn a_consumer_can_tell_our_messages_from_others() {
    let rabbit = RabbitMq::start(None).await;
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("signing_key").display().to_string();
    fs::write(&key, BASE64_STANDARD.encode([7_u8; 32]) + "\n").expect("a file");
    let options = options(Engine::of_home(), &rabbit.url(), r#"{ris=["instance.stored"]}"#)
        .with("MAXRAY_BROKER__SIGNING_KEY_FILE", &key);
    let platform = Platform::start(options).await;
    metric_is(&platform, "maxray_broker_connected", |connected| connected > 0.0).await;
    store(&platform, &Synthetic::cr("PAT-1", 64, 64));
    let message = next(&rabbit.queues().await, "ris").await;
    let ours = as_python_has_it(&message);
    let changed = |field: &str, value: Value| {
        let mut forged = ours.clone();
        forged[field] = value;
        forged
    };
    let later = message.timestamp().expect("a time") + 1;
    let messages = json!([
        ours,
        changed("message_id", json!("00000000-0000-0000-0000-000000000000")),
        changed("type", json!("instances.deleted")),
        changed("timestamp", json!(later)),
        changed("body", json!(BASE64_STANDARD.encode([message.body(), b" "].concat()))),
        changed("headers", json!({ SIGNATURE: "v1," })),
        changed("headers", Value::Null),
    ]);
    let verdicts = verdicts(&key, &messages);
    assert_eq!(verdicts, ["True", "False", "False", "False", "False", "False", "False"], "{messages}");
}

/// What the document has RabbitMQ permit to an account: configure, write, read.
fn permitted(user: &str) -> [String; 3] {
    let begin = format!("rabbitmqctl set_permissions -p clinic {user} ");
    let document = document();
    let line = document.lines().find_map(|line| line.strip_prefix(&begin)).expect("permissions");
    let mut quoted = line.split('\'').skip(1).step_by(2);
    [(); 3].map(|()| quoted.next().expect("a pattern").to_owned())
}

#[tokio::test]
async fn accounts_may_do_what_they_have_to_and_no_more() {
    let rabbit = RabbitMq::start(None).await;
    for user in ["maxray", "ris_reader"] {
        rabbit.control(&["add_user", user, "secret"]);
        let [configure, write, read] = permitted(user);
        rabbit.control(&["set_permissions", "-p", "/", user, &configure, &write, &read]);
    }
    let queues = r#"{ris=["instance.*"], billing=["prescription.*"]}"#;
    let options = options(Engine::of_home(), &rabbit.url_of("maxray:secret"), queues);
    let platform = Platform::start(options).await;
    metric_is(&platform, "maxray_broker_connected", |connected| connected > 0.0).await;
    let reader = rabbit.queues_of("ris_reader:secret").await;
    // Neither to all queues, nor past the exchange to the one it reads.
    for (exchange, key) in [("maxray.events", "instance.stored"), ("maxray.events.dead", ""), ("", "ris")] {
        let refusal = reader.publish(exchange, key, b"{}").await.expect_err("only MaxRay publishes");
        assert!(refusal.contains("ACCESS"), "{exchange:?}: {refusal}");
    }
    let instance = Synthetic::cr("PAT-1", 64, 64);
    store(&platform, &instance);
    let body = next(&reader, "ris").await.json();
    assert_eq!(body["study_instance_uid"], json!(instance.study_instance_uid), "nothing came before it");
    assert!(platform.metric("maxray_broker_failures_total").await < 1.0, "{}", platform.log());
}
