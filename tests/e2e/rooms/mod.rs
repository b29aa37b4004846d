//! Doctor and patient meet: two browsers in a room of the true program, and what its socket refuses.

mod browser;
mod nodes;

use std::{
    fs::{self, File},
    net::UdpSocket,
    process::{Child, Command, Stdio},
};

use chrono::{DateTime, TimeDelta, Utc};
use model::clock::Clock;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{
    operator::free_port,
    platform::{Options, Platform},
    session::{PASSWORD, Session},
};

use browser::{Browser, CUT_OFF};

struct Meeting {
    platform: Platform,
    ada: Session,
    doctor: String,
    consultation: String,
}

impl Meeting {
    async fn arrange(options: Options) -> Self {
        Self::arrange_at(options, None).await
    }

    /// Begun at once, or booked for then.
    async fn arrange_at(options: Options, at: Option<DateTime<Utc>>) -> Self {
        let platform = Platform::start(options).await;
        let admin = platform.user("operator", "admin").await;
        let account = json!({ "username": "ada", "password": PASSWORD });
        let doctor = admin.post_json("/doctors", &json!({ "name": "Ada", "account": account })).await;
        let doctor = doctor["id"].as_str().expect("an id").to_owned();
        let ada = platform.sign_in("ada", PASSWORD).await;
        let path = format!("/doctors/{doctor}/consultation");
        let made = match at {
            None => ada.post_json(&path, &json!({ "patient_id": "PAT-1" })).await,
            Some(at) => {
                let service = platform.user("bookings", "service").await;
                let body = json!({ "patient_id": "PAT-1", "scheduled_at": at });
                service.post_json(&path, &body).await
            }
        };
        let consultation = made["id"].as_str().expect("an id").to_owned();
        Self { platform, ada, doctor, consultation }
    }

    async fn ticket(&self, side: &str) -> String {
        let path = format!("/consultations/{}/room", self.consultation);
        let room = self.ada.post_json(&path, &json!({ "side": side })).await;
        assert_eq!((&room["provider"], &room["side"]), (&json!("webrtc"), &json!(side)));
        assert_eq!(room["socket"], format!("/rooms/{}", self.consultation));
        room["ticket"].as_str().expect("a ticket").to_owned()
    }

    fn socket(&self) -> String {
        self.platform.url(&format!("/rooms/{}", self.consultation)).replacen("http", "ws", 1)
    }

    async fn complete(&self) {
        self.ada.post_json(&format!("/consultations/{}/complete", self.consultation), &json!({})).await;
    }
}

#[tokio::test]
async fn two_browsers_see_each_other_until_the_consultation_is_over() {
    let meeting = Meeting::arrange(Options::default()).await;
    assert_they_meet(&meeting, "all").await;
    let auditor = meeting.platform.user("auditor", "admin").await;
    let record = auditor.get_json("/audit?action=join_room").await;
    assert_eq!(record["items"].as_array().map(Vec::len), Some(2), "{record}");
}

/// By no way but Debian's coturn, which knows nobody and shares a secret with us.
#[tokio::test]
async fn browsers_that_cannot_reach_each_other_meet_over_a_turn_server() {
    let turn = Turn::start("a secret of two servers");
    let servers = format!("[\"turn:127.0.0.1:{}?transport=udp\"]", turn.port);
    let options = Options::default()
        .with("MAXRAY_DOCTOR_API__ROOM__TURN_SERVERS", &servers)
        .with("MAXRAY_DOCTOR_API__ROOM__TURN_SECRET", "a secret of two servers");
    assert_they_meet(&Meeting::arrange(options).await, "relay").await;
}

/// A private coturn, ended when dropped.
struct Turn {
    port: u16,
    server: Child,
    folder: tempfile::TempDir,
}

impl Turn {
    fn start(secret: &str) -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let folder = tempfile::tempdir().expect("a folder");
        let log = File::create(folder.path().join("log")).expect("a log");
        let server = Command::new("turnserver")
            .args(["-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers"])
            .args([
                "--use-auth-secret",
                "--realm=test",
                "--no-tls",
                "--no-dtls",
                "--no-cli",
                "--log-file=stdout",
            ])
            .args([format!("--listening-port={port}"), format!("--static-auth-secret={secret}")])
            .arg(format!("--pidfile={}", folder.path().join("pid").display()))
            .arg(format!("--userdb={}", folder.path().join("users").display()))
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a log"))
            .stdout(log)
            .spawn()
            .expect("turnserver of coturn: run ./test once, it installs it");
        Self { port, server, folder }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

async fn assert_they_meet(meeting: &Meeting, way: &str) {
    let (doctor, visitor) = (meeting.ticket("doctor").await, meeting.ticket("visitor").await);
    let port = free_port();
    let complete = meeting.platform.url(&format!("/consultations/{}/complete", meeting.consultation));
    let arguments =
        [&port.to_string(), &meeting.socket(), &doctor, &visitor, way, &complete, meeting.ada.token()];
    let arguments = arguments.map(str::to_owned);
    let told = tokio::task::spawn_blocking(move || super::viewers::run("room.mjs", &arguments))
        .await
        .expect("a run");
    for saw in told["saw"].as_array().expect("two") {
        assert!(saw["width"].as_u64() > Some(0) && saw["sound"] == 1, "{told}");
    }
    let over = "4000 the consultation or its time is over";
    assert_eq!(told["ended"], json!([over, over]));
}

#[tokio::test]
async fn what_one_says_the_other_hears_and_nobody_else() {
    let meeting = Meeting::arrange(Options::default()).await;
    let (doctor, visitor) = (meeting.ticket("doctor").await, meeting.ticket("visitor").await);
    let mut ada = Browser::join(&meeting.socket(), &doctor).await;
    let joined = ada.hear().await.expect("in");
    assert_eq!(joined, json!({ "type": "joined", "side": "doctor", "peer": false, "ice_servers": [] }));
    let mut patient = Browser::join(&meeting.socket(), &visitor).await;
    assert_eq!(patient.hear().await.expect("in")["peer"], true);
    assert_eq!(ada.hear().await, Ok(json!({ "type": "peer_joined" })));
    let offer = json!({ "description": { "type": "offer", "sdp": "v=0\r\n" } });
    ada.say(&json!({ "type": "signal", "data": offer })).await;
    assert_eq!(patient.hear().await, Ok(json!({ "type": "signal", "data": offer })));
    // The network was gone: the same ticket takes the seat again.
    let mut again = Browser::join(&meeting.socket(), &visitor).await;
    assert_eq!(again.hear().await.expect("in")["peer"], true);
    assert_eq!(patient.hear().await, Err(4001));
    assert_eq!(ada.hear().await, Ok(json!({ "type": "peer_joined" })));
    drop(again);
    assert_eq!(ada.hear().await, Ok(json!({ "type": "peer_left" })));
    meeting.complete().await;
    assert_eq!(ada.hear().await, Err(4000));
    let mut late = Browser::join(&meeting.socket(), &visitor).await;
    assert_eq!(late.hear().await, Err(4000), "a ticket is good for nothing after it");
}

#[tokio::test]
async fn sockets_that_do_not_keep_to_the_protocol_are_closed() {
    let meeting = Meeting::arrange(Options::default()).await;
    let (doctor, visitor) = (meeting.ticket("doctor").await, meeting.ticket("visitor").await);
    let plain = meeting.ada.get(&format!("/rooms/{}", meeting.consultation)).await;
    assert_eq!(plain.status(), StatusCode::UPGRADE_REQUIRED);
    let forged = format!("{}x", &doctor[..doctor.len() - 1]);
    for (first, code) in [
        (json!({ "type": "join", "ticket": forged }), 4003),
        (json!({ "type": "join", "ticket": "" }), 4003),
        (json!({ "type": "signal", "data": {} }), 4002),
        (json!({ "type": "join", "ticket": doctor, "side": "visitor" }), 4002),
        (json!("join"), 4002),
    ] {
        let mut browser = Browser::open(&meeting.socket()).await;
        browser.say(&first).await;
        assert_eq!(browser.hear().await, Err(code), "{first}");
    }
    // Another consultation's room.
    let path = format!("/doctors/{}/consultation", meeting.doctor);
    let other = meeting.ada.post_json(&path, &json!({ "patient_id": "PAT-2" })).await;
    let other = other["id"].as_str().expect("an id");
    let mut elsewhere = Browser::open(&meeting.socket().replace(&meeting.consultation, other)).await;
    elsewhere.say(&json!({ "type": "join", "ticket": doctor })).await;
    assert_eq!(elsewhere.hear().await, Err(4003));
    let mut ada = Browser::join(&meeting.socket(), &doctor).await;
    ada.hear().await.expect("in");
    ada.say(&json!({ "type": "join", "ticket": doctor })).await;
    assert_eq!(ada.hear().await, Err(4002), "twice");
    let mut flood = Browser::join(&meeting.socket(), &visitor).await;
    flood.hear().await.expect("in");
    for number in 0..301 {
        flood.say(&json!({ "type": "signal", "data": number })).await;
    }
    assert_eq!(flood.hear().await, Err(4008));
    let mut large = Browser::join(&meeting.socket(), &visitor).await;
    large.hear().await.expect("in");
    large.say(&json!({ "type": "signal", "data": "x".repeat(70_000) })).await;
    // What was not read resets the connection, now and then before the reason is heard.
    let heard = large.hear().await;
    assert!(matches!(heard, Err(4002 | CUT_OFF)), "{heard:?}");
}

#[tokio::test]
async fn an_account_that_is_no_more_and_a_doctor_who_is_another_leave_the_room() {
    // One that has begun can be given to nobody else.
    let soon = Clock::system().now() + TimeDelta::minutes(5);
    let meeting = Meeting::arrange_at(Options::default(), Some(soon)).await;
    let admin = meeting.platform.user("chief", "admin").await;
    let doctor = meeting.ticket("doctor").await;
    let mut ada = Browser::join(&meeting.socket(), &doctor).await;
    ada.hear().await.expect("in");
    let users = admin.get_json("/users").await;
    let user =
        users["items"].as_array().expect("users").iter().find(|user| user["username"] == "ada").expect("ada");
    let path = format!("/users/{}", user["id"].as_str().expect("an id"));
    // Given to Ben, it is Ben's room, and the ticket that Ada made for the patient is good for nothing.
    let mut patient = Browser::join(&meeting.socket(), &meeting.ticket("visitor").await).await;
    patient.hear().await.expect("in");
    assert_eq!(ada.hear().await, Ok(json!({ "type": "peer_joined" })));
    let ben = admin.post_json("/doctors", &json!({ "name": "Ben" })).await;
    let to_ben = json!({ "doctor_id": ben["id"] });
    let service = meeting.platform.sign_in("bookings", PASSWORD).await;
    service.post_json(&format!("/consultations/{}/reassign", meeting.consultation), &to_ben).await;
    assert_eq!((patient.hear_the_end().await, ada.hear_the_end().await), (4003, 4003));
    let back = json!({ "doctor_id": meeting.doctor });
    service.post_json(&format!("/consultations/{}/reassign", meeting.consultation), &back).await;
    let mut ada = Browser::join(&meeting.socket(), &doctor).await;
    ada.hear().await.expect("in");
    let gone = admin.request(Method::DELETE, &path).send().await.expect("an answer");
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(ada.hear().await, Err(4003));
    let mut again = Browser::join(&meeting.socket(), &doctor).await;
    assert_eq!(again.hear().await, Err(4003));
}
