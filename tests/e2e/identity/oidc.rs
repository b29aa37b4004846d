//! Tokens of another issuer: a certified provider that follows the rules, and one of our own that does not.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use model::clock::Clock;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{
    env,
    platform::{Options, Platform},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Instead of 30 seconds: time for a round of refusals in between, and no more.
const KEY_REQUESTS_INTERVAL_MS: u64 = 4_000;

/// Until the issuer may be asked again.
async fn interval() {
    tokio::time::sleep(Duration::from_millis(KEY_REQUESTS_INTERVAL_MS + 100)).await;
}

/// A configuration file with another issuer, and the folder that keeps it.
fn configured(issuer: &str, more: &str) -> (tempfile::TempDir, Options) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("maxray.toml");
    let text = format!(
        "[identity.oidc]\nissuer = \"{issuer}\"\nkey_requests_interval_ms = {KEY_REQUESTS_INTERVAL_MS}\nrole_claim = \"realm_access.roles\"\n\
         role_map = {{ \"reading-room\" = \"viewer\", \"ris\" = \"service\" }}\n{more}\n"
    );
    fs::write(&path, text).expect("a configuration file");
    let options = Options::default().with("MAXRAY_CONFIG", path.to_str().expect("a path"));
    (folder, options)
}

async fn who(platform: &Platform, token: &str) -> (StatusCode, Value) {
    let answer = platform.client().get(platform.url("/sessions/current")).bearer_auth(token).send().await;
    let answer = answer.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// The certified provider as a child process, with new keys at every start.
struct Provider {
    child: Child,
    port: u16,
}

impl Provider {
    fn start(port: u16, algorithm: &str) -> Self {
        let modules = env::path(env::OIDC).unwrap_or_else(|| {
            panic!("{} is not set: run ./test, which installs the OpenID provider", env::OIDC)
        });
        let mut command = Command::new("node");
        command.arg("provider.mjs").arg(port.to_string()).arg(algorithm).current_dir(modules);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("node starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("the provider speaks");
        let port = line.trim().strip_prefix("ready ").and_then(|port| port.parse().ok());
        Self { port: port.unwrap_or_else(|| panic!("the provider said {line:?}")), child }
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn token(&self, platform: &Platform, client: &str, more: &str) -> String {
        let request = platform.client().post(format!("{}/token", self.issuer()));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .basic_auth(client, Some("a+secret+of+the+tests"))
            .body(format!("grant_type=client_credentials{more}"));
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token in {answer}")).to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

// threats.md rows 40, 41.
#[tokio::test]
async fn a_certified_provider_proves_people_and_rotates_its_keys() {
    for algorithm in ["RS256", "ES256"] {
        let provider = Provider::start(0, algorithm);
        let (_folder, options) = configured(&provider.issuer(), "");
        let platform = Platform::start(options).await;
        let token = provider.token(&platform, "workstation", "").await;
        let (status, found) = who(&platform, &token).await;
        assert_eq!((status, &found["role"]), (StatusCode::OK, &json!("viewer")), "{found}");
        let studies =
            platform.client().get(platform.url("/dicomweb/studies")).bearer_auth(&token).send().await;
        assert!(studies.expect("an answer").status().is_success());
        // No role of ours, another audience: nothing.
        let stranger = provider.token(&platform, "stranger", "").await;
        assert_eq!(who(&platform, &stranger).await.0, StatusCode::UNAUTHORIZED);
        let elsewhere =
            provider.token(&platform, "workstation", "&resource=https%3A%2F%2Felsewhere.example.org").await;
        assert_eq!(who(&platform, &elsewhere).await.0, StatusCode::UNAUTHORIZED);

        // The subject has an account that the operator can shut out.
        let output = platform.command(&["user", "list"]).output().expect("maxray runs");
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(listed.contains("workstation\texternal\tviewer\tactive"), "{listed}");
        let output = platform.command(&["user", "deactivate", "workstation"]).output().expect("maxray runs");
        assert!(output.status.success(), "{output:?}");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(who(&platform, &token).await.0, StatusCode::UNAUTHORIZED);
        let output = platform.command(&["user", "activate", "workstation"]).output().expect("maxray runs");
        assert!(output.status.success(), "{output:?}");

        // Down: the last good keys serve. Back with new keys: an unknown kid brings them, after a while.
        let port = provider.port;
        drop(provider);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(who(&platform, &token).await.0, StatusCode::OK);
        let provider = Provider::start(port, algorithm);
        let rotated = provider.token(&platform, "workstation", "").await;
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        while who(&platform, &rotated).await.0 != StatusCode::OK {
            assert!(
                tokio::time::Instant::now() < deadline,
                "the new keys were never fetched:\n{}",
                platform.log()
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert_eq!(who(&platform, &token).await.0, StatusCode::UNAUTHORIZED, "its key is gone");
    }
}

/// An issuer that answers what it is told to.
struct FakeIssuer {
    url: String,
    /// Path, and the bytes of the answer with its head.
    answers: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    asked: Arc<AtomicUsize>,
    key: EcdsaKeyPair,
}

impl FakeIssuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answers: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let (known, counted) = (Arc::clone(&answers), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (known, counted) = (Arc::clone(&known), Arc::clone(&counted));
                tokio::spawn(async move {
                    let mut head = vec![0; 4096];
                    let read = stream.read(&mut head).await.unwrap_or(0);
                    counted.fetch_add(1, Ordering::SeqCst);
                    let head = String::from_utf8_lossy(&head[..read]).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    let answer = known.lock().expect("lock").get(&path).cloned();
                    let answer = answer
                        .unwrap_or_else(|| b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec());
                    let _gone = stream.write_all(&answer).await;
                });
            }
        });
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { url, answers, asked, key }
    }

    fn answers(&self, path: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        self.answers.lock().expect("lock").insert(path.to_owned(), [head.as_bytes(), body].concat());
    }

    fn answers_raw(&self, path: &str, answer: &str) {
        self.answers.lock().expect("lock").insert(path.to_owned(), answer.as_bytes().to_vec());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn jwk(&self, key_id: &str) -> Value {
        let point = &self.key.public_key().as_ref()[1..];
        let (x, y) =
            (BASE64_URL_SAFE_NO_PAD.encode(&point[..32]), BASE64_URL_SAFE_NO_PAD.encode(&point[32..]));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": key_id })
    }

    fn claims(&self) -> Value {
        let now = Clock::system().now().timestamp();
        json!({
            "iss": self.url, "aud": "maxray", "sub": "somebody", "iat": now, "exp": now + 300,
            "realm_access": { "roles": ["ris"] },
        })
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn header(key_id: &str) -> Value {
    json!({ "typ": "at+jwt", "alg": "ES256", "kid": key_id })
}

// threats.md rows 40, 41, 54.
#[tokio::test]
async fn an_issuer_that_misbehaves_gets_nobody_in_and_is_not_asked_often() {
    let issuer = FakeIssuer::start().await;
    let (_folder, options) = configured(&issuer.url, &format!("jwks_url = \"{}/keys\"", issuer.url));
    let platform = Platform::start(options).await;
    assert_eq!(issuer.asked(), 0, "nothing is fetched before it is needed");
    let good = issuer.token(&header("k1"), &issuer.claims());
    // A redirect is not followed, and asking again at once is not done.
    issuer.answers_raw(
        "/keys",
        &format!("HTTP/1.1 302 Found\r\nlocation: {}/real\r\ncontent-length: 0\r\n\r\n", issuer.url),
    );
    issuer.answers("/real", json!({ "keys": [issuer.jwk("k1")] }).to_string().as_bytes());
    for _ in 0..10 {
        assert_eq!(who(&platform, &good).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(issuer.asked(), 1, "at most once in a while, and no redirect");
    // Own tokens are checked without it.
    platform.user("somebody", "viewer").await;
    interval().await;
    issuer.answers("/keys", json!({ "keys": [issuer.jwk("k1"), { "kty": "junk" }] }).to_string().as_bytes());
    let (status, found) = who(&platform, &good).await;
    assert_eq!((status, &found["role"]), (StatusCode::OK, &json!("service")), "{found}");

    for (what, change) in wrong_claims(&issuer) {
        let mut claims = issuer.claims();
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let status = who(&platform, &issuer.token(&header("k1"), &claims)).await.0;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
    }
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("EdDSA")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("kid", Value::Null),
        ("kid", json!("unknown")),
        ("kid", json!("../k1")),
        ("crit", json!(["exp"])),
    ] {
        let mut header = header("k1");
        header[name] = value.clone();
        let status = who(&platform, &issuer.token(&header, &issuer.claims())).await.0;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{name} = {value}");
    }
    let asked = issuer.asked();
    for number in 0..50 {
        let unknown = issuer.token(&header(&format!("u{number}")), &issuer.claims());
        assert_eq!(who(&platform, &unknown).await.0, StatusCode::UNAUTHORIZED);
    }
    assert!(issuer.asked() <= asked + 3, "unknown keys do not make the server ask and ask");

    // Junk instead of keys, then too much of it: the last good keys serve.
    for junk in [b"<html>".to_vec(), b"{\"keys\":[]}".to_vec(), vec![b' '; 2 << 20]] {
        interval().await;
        let asked = issuer.asked();
        issuer.answers("/keys", &junk);
        let unknown = issuer.token(&header("another"), &issuer.claims());
        assert_eq!(who(&platform, &unknown).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(issuer.asked(), asked + 1);
        assert_eq!(who(&platform, &good).await.0, StatusCode::OK);
    }
}

fn wrong_claims(issuer: &FakeIssuer) -> Vec<(&'static str, Value)> {
    let now = Clock::system().now().timestamp();
    vec![
        ("another issuer", json!({ "iss": format!("{}/", issuer.url) })),
        ("another audience", json!({ "aud": "elsewhere" })),
        ("other audiences", json!({ "aud": ["elsewhere", "maxray2"] })),
        ("an audience that is no text", json!({ "aud": ["maxray", 7] })),
        ("no audience", json!({ "aud": null })),
        ("no subject", json!({ "sub": null })),
        ("an empty subject", json!({ "sub": "" })),
        ("a subject that is no text", json!({ "sub": 7 })),
        ("exp as text", json!({ "exp": (now + 300).to_string() })),
        ("no exp", json!({ "exp": null })),
        ("expired", json!({ "exp": now - 3600, "iat": now - 7200 })),
        ("iat as text", json!({ "iat": now.to_string() })),
        ("no iat", json!({ "iat": null })),
        ("issued tomorrow", json!({ "iat": now + 86_400, "exp": now + 90_000 })),
        ("not yet", json!({ "nbf": now + 3600 })),
        ("nbf as text", json!({ "nbf": "0" })),
        ("no role", json!({ "realm_access": {} })),
        ("no role of ours", json!({ "realm_access": { "roles": ["admin", "root", ""] } })),
        ("two roles of ours", json!({ "realm_access": { "roles": ["ris", "reading-room"] } })),
        ("roles as an object", json!({ "realm_access": { "roles": { "ris": true } } })),
        ("our own role claim", json!({ "realm_access": null, "role": "admin" })),
    ]
}
