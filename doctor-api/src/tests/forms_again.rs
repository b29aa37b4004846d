//! Forms that come again under an Idempotency-Key: whatever became of the attempts before, all of it is there, once.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use chrono::TimeDelta;
use futures_util::stream;
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use model::{access::Role, clock::Clock};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    house::{Answer, House},
    part10,
};

/// Longer than an attempt of which nothing is heard keeps its key.
const ABANDONED_SECONDS: i64 = 61;

/// A clock, and the seconds that it is on by.
fn clock() -> (Clock, Arc<AtomicI64>) {
    let (start, seconds) = (Clock::system().now(), Arc::new(AtomicI64::new(0)));
    let told = Arc::clone(&seconds);
    (Clock::from_fn(move || start + TimeDelta::seconds(told.load(Ordering::SeqCst))), seconds)
}

fn form(boundary: &str, metadata: &Value, file: &[u8]) -> Vec<u8> {
    let part = |name: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n")
    };
    let before = format!("{}{metadata}\r\n{}", part("metadata"), part("file"));
    let after = format!("\r\n--{boundary}--\r\n");
    [before.as_bytes(), file, after.as_bytes()].concat()
}

fn request(token: &str, key: &str, boundary: &str, body: Body) -> Request<Body> {
    Request::post("/xrays")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
        .header("idempotency-key", key)
        .body(body)
        .expect("a request")
}

async fn send(house: &House, token: &str, key: &str, metadata: &Value, file: &[u8]) -> Answer {
    let body = Body::from(form("edge", metadata, file));
    house.call(request(token, key, "edge", body)).await
}

fn jpeg() -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 95)
        .encode(&[200; 16 * 16], 16, 16, ExtendedColorType::L8)
        .expect("a JPEG");
    file
}

/// With another last sample.
fn changed(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    *file.last_mut().expect("a sample") ^= 1;
    file
}

async fn xrays_of(house: &House, token: &str, patient_id: &str) -> Vec<Value> {
    let list = house.get(&format!("/xrays?patient_id={patient_id}&limit=1000"), token).await.json();
    list["items"].as_array().cloned().expect("a list")
}

#[tokio::test]
async fn a_form_is_known_by_its_fields_and_the_content_of_its_file() {
    let house = House::open().await;
    let (_, token) = house.account(Role::Service, None).await;
    let (said, file) = (json!({ "notes": "a" }), part10::file("P1", "1.2.3", "1.2.3.1", "1.2.3.1.1"));
    let made = send(&house, &token, "k1", &said, &file).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    // What stands between the parts differs each time.
    let body = Body::from(form("another-edge", &said, &file));
    let again = house.call(request(&token, "k1", "another-edge", body)).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!(again.body, made.body);
    for (what, said, file) in
        [("fields", json!({ "notes": "b" }), file.clone()), ("file", said, changed(&file))]
    {
        let refused = send(&house, &token, "k1", &said, &file).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}: {:?}", refused.body);
        assert_eq!(refused.json()["type"], "urn:maxray:problem:idempotency-key-reused", "{what}");
    }
    assert_eq!(xrays_of(&house, &token, "P1").await.len(), 1);
}

/// Polls a future so often, and drops it: whoever was at it is gone.
async fn cut_off<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn wherever_an_attempt_breaks_off_the_next_one_completes_it() {
    let (clock, seconds) = clock();
    let house = House::at(clock).await;
    let doctor = house.doctor("Ada").await;
    let (paramedic, token) = house.account(Role::Paramedic, None).await;
    let (service, _) = house.account(Role::Service, None).await;
    let consultation = house.book(&token, &doctor, "P1").await;
    let said =
        json!({ "consultation_id": consultation, "view": "PA", "laterality": "L", "notes": "swollen" });
    let mut forms = 0;
    for kind in ["picture", "dicom"] {
        for polls in (0..).step_by(3) {
            let (uid, key) = (format!("1.2.3.{polls}"), format!("{kind} {polls}"));
            let file = if kind == "picture" {
                jpeg()
            } else {
                part10::file("P1", &uid, &format!("{uid}.1"), &format!("{uid}.1.1"))
            };
            let token = house.token_of(&paramedic);
            let whole = cut_off(polls, send(&house, &token, &key, &said, &file)).await;
            let is_whole = whole.is_some();
            let answer = if let Some(answer) = whole {
                answer
            } else {
                seconds.fetch_add(ABANDONED_SECONDS, Ordering::SeqCst);
                send(&house, &token, &key, &said, &file).await
            };
            assert_eq!(answer.status, StatusCode::CREATED, "{key}: {:?}", answer.body);
            assert_eq!(answer.json()["linked"], true, "{key}");
            forms += 1;
            if is_whole {
                break;
            }
        }
    }
    let xrays = xrays_of(&house, &house.token_of(&service), "P1").await;
    assert_eq!(xrays.len(), forms, "each of them once");
    for xray in xrays {
        let kept = &xray["said"];
        assert_eq!((&kept["notes"], &kept["laterality"]), (&json!("swollen"), &json!("L")), "{xray}");
        assert_eq!((&kept["consultation_id"], &kept["version"]), (&json!(consultation), &json!(1)), "{xray}");
    }
}

#[tokio::test]
async fn a_form_that_is_still_coming_is_not_taken_over() {
    let (shown, seconds) = clock();
    let asked = Arc::new(AtomicUsize::new(0));
    let looks = Arc::clone(&asked);
    let clock = Clock::from_fn(move || {
        looks.fetch_add(1, Ordering::SeqCst);
        shown.now()
    });
    let house = House::at(clock).await;
    let (_, token) = house.account(Role::Service, None).await;
    let whole = form("edge", &json!({}), &part10::file("P1", "1.2.3", "1.2.3.1", "1.2.3.1.1"));
    let (say, hear) = mpsc::channel::<Bytes>(1);
    let body = stream::unfold(hear, |mut hear| async move {
        hear.recv().await.map(|bytes| (Ok::<_, Infallible>(bytes), hear))
    });
    let slow = house.call(request(&token, "k1", "edge", Body::from_stream(body)));
    let another = async {
        let mut pieces = whole.chunks(whole.len().div_ceil(3)).map(Bytes::copy_from_slice);
        // There is room for the second when the first is read: the key is claimed by then.
        for piece in pieces.by_ref().take(2) {
            say.send(piece).await.expect("heard");
        }
        seconds.fetch_add(ABANDONED_SECONDS, Ordering::SeqCst);
        let waiting = Instant::now();
        // Each word that it is still at it asks for the time, and comes when the one before is written.
        let enough = asked.load(Ordering::SeqCst) + 10;
        while asked.load(Ordering::SeqCst) < enough {
            assert!(waiting.elapsed() < Duration::from_mins(1), "nothing says that it is still coming");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let answer = house.call(request(&token, "k1", "edge", Body::from(whole.clone()))).await;
        for piece in pieces {
            say.send(piece).await.expect("heard");
        }
        drop(say);
        answer
    };
    let (made, refused) = tokio::join!(slow, another);
    assert_eq!(refused.status, StatusCode::CONFLICT, "{:?}", refused.body);
    assert_eq!(refused.json()["type"], "urn:maxray:problem:idempotency-running");
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
}

#[tokio::test]
async fn what_was_refused_may_come_again_in_order_and_a_conflict_stays_one() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, ada) = house.account(Role::Doctor, Some(doctor.id)).await;
    let said = json!({ "consultation_id": house.book(&ada, &doctor, "P1").await });
    let theirs = part10::file("P9", "1.2.9", "1.2.9.1", "1.2.9.1.1");
    let refused = send(&house, &ada, "k1", &said, &theirs).await;
    assert_eq!((refused.status.as_u16(), refused.refused()), (422, vec!["file".to_owned()]));
    let own = part10::file("P1", "1.2.1", "1.2.1.1", "1.2.1.1.1");
    let made = send(&house, &ada, "k1", &said, &own).await;
    assert_eq!((made.status, &made.json()["linked"]), (StatusCode::CREATED, &json!(true)), "{:?}", made.body);
    // The second time it is known, and hidden.
    for key in ["k2", "k2", "k3"] {
        let conflict = send(&house, &ada, key, &said, &changed(&own)).await;
        assert_eq!(conflict.status, StatusCode::CONFLICT, "{:?}", conflict.body);
        assert_eq!(conflict.json()["type"], "urn:maxray:problem:instance-conflict");
    }
    // What was there before is no work of this key.
    let known = send(&house, &ada, "k4", &said, &own).await;
    assert_eq!((known.status, &known.json()["id"]), (StatusCode::OK, &made.json()["id"]));
}
