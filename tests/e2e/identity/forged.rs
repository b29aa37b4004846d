//! Forged tokens at the doors of the true program: each is refused, quickly, and none makes the server fetch anything.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::platform::{Options, Platform};

/// Where the doors check tokens.
const DOORS: [&str; 3] = ["/dicomweb/studies", "/sessions/current", "/doctors"];

/// What a forger needs: the server's own key, as if it had leaked, so that only the claim under test is wrong.
struct Forge {
    key: EcdsaKeyPair,
    key_id: String,
    now: i64,
    /// A claim set that would be accepted.
    claims: Value,
}

impl Forge {
    async fn new(platform: &Platform) -> Self {
        let file = fs::read(platform.data_directory().join("token-keys.json")).expect("the key file");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        let pkcs8 = file["keys"][0]["private_key"].as_str().expect("a key");
        let pkcs8 = BASE64_STANDARD.decode(pkcs8).expect("base64");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).expect("a key");
        let token = platform.user("victim", "service").await.token().to_owned();
        let part = |index: usize| -> Value {
            let part = token.split('.').nth(index).expect("three parts");
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
        };
        let claims = part(1);
        let key_id = part(0)["kid"].as_str().expect("kid").to_owned();
        Self { key, key_id, now: claims["iat"].as_i64().expect("iat"), claims }
    }

    fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": "ES256", "kid": self.key_id })
    }

    /// Signs whatever it is given.
    fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", encode(signature.as_ref()))
    }

    /// The good token but for one claim; `null` leaves it out.
    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        set(&mut claims, name, value);
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// The good token but for one header parameter; `null` leaves it out.
    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header();
        set(&mut header, name, value);
        self.sign(&header.to_string(), &self.claims.to_string())
    }

    fn good(&self) -> String {
        self.sign(&self.header().to_string(), &self.claims.to_string())
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn set(object: &mut Value, name: &str, value: Value) {
    let object = object.as_object_mut().expect("an object");
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}

fn wrong_claims(forge: &Forge) -> Vec<(String, String)> {
    let now = forge.now;
    let (text, list) = (|seconds: i64| json!(seconds.to_string()), |seconds: i64| json!([seconds]));
    let values = [
        ("iss", json!([null, "", "urn:other", ["urn:maxray"], 7, "URN:MAXRAY"])),
        ("aud", json!([null, "", "other", ["other"], {"maxray": true}, "maxray "])),
        ("sub", json!([null, "", "admin", 7, ["x"], "../../etc/passwd"])),
        ("exp", json!([null, text(now + 900), -1, 0, now - 3600, true, list(now + 900), 1e30, {}])),
        ("exp", json!([now + 10 * 365 * 86_400])),
        ("iat", json!([null, text(now), now + 3600, -5, "now"])),
        ("nbf", json!([now + 3600, text(now - 5), "tomorrow"])),
        ("role", json!([null, "", "root", ["admin", "service"], "Service", "*"])),
        ("jti", json!([null, "x"])),
        ("sid", json!(["x", 1])),
        ("grant", json!(["everything", {"study": "1.2.3"}, ""])),
        ("doctor_id", json!(["*", ""])),
    ];
    let mut tokens = Vec::new();
    for (name, values) in values {
        for value in values.as_array().expect("a list") {
            tokens.push((format!("{name} = {value}"), forge.with_claim(name, value.clone())));
        }
    }
    tokens
}

fn wrong_headers(forge: &Forge, url: &str) -> Vec<(String, String)> {
    let own = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let own = Forge { key: own, key_id: forge.key_id.clone(), now: forge.now, claims: forge.claims.clone() };
    let point = own.key.public_key().as_ref()[1..].to_vec();
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[..32]), "y": encode(&point[32..]) });
    let mut tokens = vec![("another key under our kid".to_owned(), own.good())];
    for (name, value) in [("jku", json!(url)), ("x5u", json!(url)), ("jwk", jwk), ("x5c", json!(["MIIB"]))] {
        tokens.push((format!("another key with {name}"), own.with_header(name, value)));
    }
    for (name, values) in [
        (
            "typ",
            vec![Value::Null, json!("JWT"), json!(""), json!("dpop+jwt"), json!(7), json!("at+jwt, JWT")],
        ),
        (
            "alg",
            vec![
                Value::Null,
                json!("none"),
                json!("None"),
                json!("HS256"),
                json!("RS256"),
                json!("ES384"),
                json!("es256"),
                json!(""),
                json!(256),
            ],
        ),
        (
            "kid",
            vec![
                Value::Null,
                json!(""),
                json!("../../token-keys.json"),
                json!("/dev/null"),
                json!("x' OR '1'='1"),
                json!(url),
                json!(["a"]),
                json!("a".repeat(4000)),
            ],
        ),
        ("crit", vec![json!(["exp"]), json!([]), json!(["b64"])]),
    ] {
        for value in values {
            tokens.push((format!("{name} = {value}"), forge.with_header(name, value)));
        }
    }
    tokens
}

/// The server's own public key as an HMAC secret, an RSA signature, no signature, and texts that are no tokens.
fn wrong_forms(forge: &Forge) -> Vec<(String, String)> {
    let good = forge.good();
    let parts: Vec<&str> = good.split('.').collect();
    let claims = encode(forge.claims.to_string().as_bytes());
    let header = |alg: &str| {
        encode(json!({ "typ": "at+jwt", "alg": alg, "kid": forge.key_id }).to_string().as_bytes())
    };
    let message = format!("{}.{claims}", header("HS256"));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, forge.key.public_key().as_ref());
    let hmac = encode(hmac::sign(&secret, message.as_bytes()).as_ref());
    let rsa_message = format!("{}.{claims}", header("RS256"));
    let rsa_key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("an RSA key");
    let mut rsa_signature = vec![0; rsa_key.public_modulus_len()];
    rsa_key
        .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), rsa_message.as_bytes(), &mut rsa_signature)
        .expect("a signature");
    let mut flipped = BASE64_URL_SAFE_NO_PAD.decode(parts[2]).expect("base64");
    flipped[10] ^= 1;
    let twice = forge.claims.to_string().replacen('{', r#"{"role":"admin","#, 1);
    [
        ("HMAC with the public key", format!("{message}.{hmac}")),
        ("RSA", format!("{rsa_message}.{}", encode(&rsa_signature))),
        ("none, no signature", format!("{}.{claims}.", header("none"))),
        ("signature cut off", format!("{}.{}.", parts[0], parts[1])),
        ("signature flipped", format!("{}.{}.{}", parts[0], parts[1], encode(&flipped))),
        ("signature of zeros", format!("{}.{}.{}", parts[0], parts[1], encode(&[0; 64]))),
        ("four parts", format!("{good}.x")),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("padding", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("claims no JSON", forge.sign(&forge.header().to_string(), "{")),
        ("claims a list", forge.sign(&forge.header().to_string(), "[]")),
        ("claims empty", forge.sign(&forge.header().to_string(), "")),
        ("a claim twice", forge.sign(&forge.header().to_string(), &twice)),
        ("header no JSON", forge.sign("alg", &forge.claims.to_string())),
        ("one letter", "x".to_owned()),
        ("dots", "..".to_owned()),
        ("a device token", format!("mxd_{}", encode(&[7; 32]))),
        ("a refresh token", format!("mxr_{}", encode(&[7; 32]))),
        ("12 KB", forge.with_claim("padding", json!("a".repeat(9_000)))),
    ]
    .map(|(what, token)| (what.to_owned(), token))
    .to_vec()
}

// threats.md row 40, and row 38 for garbage; section 6, crypto and token.
#[tokio::test]
async fn forged_tokens_open_nothing() {
    let platform = Platform::start(Options::default()).await;
    let trap = TcpListener::bind("127.0.0.1:0").expect("a listener");
    trap.set_nonblocking(true).expect("a non-blocking listener");
    let url = format!("http://{}/jwks.json", trap.local_addr().expect("an address"));
    let forge = Forge::new(&platform).await;
    let ask = async |path: &str, token: &str| {
        let request = platform.client().get(platform.url(path)).bearer_auth(token);
        request.send().await.expect("an answer").status()
    };
    for door in DOORS {
        assert_eq!(ask(door, &forge.good()).await, StatusCode::OK, "{door}: the forge works");
    }
    let mut forged = wrong_claims(&forge);
    forged.extend(wrong_headers(&forge, &url));
    forged.extend(wrong_forms(&forge));
    assert!(forged.len() >= 60, "{}", forged.len());
    let start = Instant::now();
    for (what, token) in &forged {
        for door in DOORS {
            assert_eq!(ask(door, token).await, StatusCode::UNAUTHORIZED, "{door}: {what}");
        }
    }
    let each = start.elapsed() / u32::try_from(forged.len() * DOORS.len()).expect("a number");
    assert!(each < Duration::from_millis(500), "a refusal took {each:?}");
    assert!(trap.accept().is_err(), "a token made the server fetch something");
    // In a URL even the good one is nothing.
    let in_url = format!("/dicomweb/studies?access_token={}", forge.good());
    let answer = platform.client().get(platform.url(&in_url)).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let log = platform.log();
    assert!(!log.contains(forge.good().rsplit('.').next().expect("signature")), "a token is in the log");
}

#[tokio::test]
async fn a_megabyte_of_token_is_refused_by_its_size() {
    let platform = Platform::start(Options::default()).await;
    let token = "a".repeat(1 << 20);
    let answer = platform.client().get(platform.url("/dicomweb/studies")).bearer_auth(token).send().await;
    // Either the header is too large for HTTP at all, or the connection ends while it is being sent.
    if let Ok(answer) = answer {
        assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    platform.user("somebody", "viewer").await;
}
