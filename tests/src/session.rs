//! Users of every role, and requests with their tokens.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::platform::Platform;

/// Password of every user that the kit makes: long enough for any rule.
pub const PASSWORD: &str = "correct horse battery staple 7!";

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Session {
    base: String,
    token: String,
    client: reqwest::Client,
}

impl Platform {
    /// Makes a user at the command line, as an operator would, and signs it in.
    ///
    /// # Panics
    /// When either fails.
    pub async fn user(&self, username: &str, role: &str) -> Session {
        self.add_user(username, role);
        self.sign_in(username, PASSWORD).await
    }

    /// `maxray user add`; works while the server runs and while it is stopped. A viewer is granted everything.
    ///
    /// # Panics
    /// With its output when it fails.
    pub fn add_user(&self, username: &str, role: &str) {
        add_user_by(username, role, |arguments| self.command(arguments));
    }

    /// The same on the disk of [`Platform::restart_on_disk_of`].
    ///
    /// # Panics
    /// As [`Self::add_user`].
    pub fn add_user_inside(&self, username: &str, role: &str) {
        let pid = self.pid().to_string();
        let enter = ["nsenter", "--target", &pid, "--user", "--mount", "--preserve-credentials", "--"];
        add_user_by(username, role, |arguments| self.wrapped(&enter, arguments));
    }

    /// `maxray grant add`: viewers see nothing without. `what` is as `["--patient", "P1"]`.
    ///
    /// # Panics
    /// With its output when it fails.
    pub fn grant(&self, username: &str, what: &[&str]) {
        grant_by(username, what, |arguments| self.command(arguments));
    }

    /// `POST /sessions`.
    ///
    /// # Panics
    /// When it gives no token.
    pub async fn sign_in(&self, username: &str, password: &str) -> Session {
        Session::open(&self.url(""), self.client(), username, password).await
    }
}

/// An account by a command that ends in `maxray ARGUMENTS`. A viewer is granted everything.
///
/// # Panics
/// With its output when it fails.
pub fn add_user_by(username: &str, role: &str, command: impl Fn(&[&str]) -> Command) {
    let mut adding = command(&["user", "add", "--username", username, "--role", role, "--password-stdin"]);
    adding.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = adding.spawn().expect("maxray starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(PASSWORD.as_bytes()).expect("maxray reads the password");
    drop(input);
    let output = child.wait_with_output().expect("a child to wait for");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "maxray user add {username}: {errors}");
    if role == "viewer" {
        grant_by(username, &["--everything"], command);
    }
}

fn grant_by(username: &str, what: &[&str], command: impl Fn(&[&str]) -> Command) {
    let arguments = [&["grant", "add", "--username", username][..], what].concat();
    let output = command(&arguments).output().expect("maxray runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "maxray grant add {username}: {errors}");
}

impl Session {
    /// `POST /sessions` at this address.
    ///
    /// # Panics
    /// When it gives no token.
    pub async fn open(base: &str, client: &reqwest::Client, username: &str, password: &str) -> Self {
        let body = serde_json::json!({ "username": username, "password": password });
        let answer = client.post(format!("{base}/sessions")).json(&body).send().await.expect("an answer");
        let answer = json(answer).await;
        let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("no access_token in {answer}"));
        Self { base: base.to_owned(), token: token.to_owned(), client: client.clone() }
    }

    /// The bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same user at another address, by another client: through a proxy.
    #[must_use]
    pub fn through(&self, base: &str, client: &reqwest::Client) -> Self {
        Self { base: base.to_owned(), client: client.clone(), ..self.clone() }
    }

    /// Somebody with another token at the same place.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same user after a restart, when the address has changed; the token must have stayed good.
    #[must_use]
    pub fn moved_to(&self, platform: &Platform) -> Self {
        Self { base: platform.url(""), ..self.clone() }
    }

    /// A request with the token; `path` begins with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// GET, whatever the answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// GET with an Accept header, whatever the answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get_as(&self, path: &str, accept: &str) -> Response {
        let request = self.request(Method::GET, path).header("Accept", accept);
        request.send().await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// GET of JSON that must succeed.
    ///
    /// # Panics
    /// Otherwise.
    pub async fn get_json(&self, path: &str) -> Value {
        json(self.get(path).await).await
    }

    /// POST of JSON that must succeed.
    ///
    /// # Panics
    /// Otherwise.
    pub async fn post_json(&self, path: &str, body: &Value) -> Value {
        let answer = self.request(Method::POST, path).json(body).send().await;
        json(answer.unwrap_or_else(|error| panic!("POST {path}: {error}"))).await
    }
}

/// The JSON of a successful answer; an empty body is `null`.
///
/// # Panics
/// With status and body otherwise.
pub async fn json(answer: Response) -> Value {
    let (url, status) = (answer.url().clone(), answer.status());
    let body = answer.bytes().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let text = String::from_utf8_lossy(&body);
    assert!(status.is_success(), "{url}: {status} {text}");
    if body.is_empty() || status == StatusCode::NO_CONTENT {
        return Value::Null;
    }
    serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{url}: {error} in {text}"))
}
