//! Who sees what at this door: every route asks, what is taken back is cut, and nobody takes a study over.

use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo};
use database::{AuditActor, ChangeConsultation, NewConsultation, NewDoctor, NewUser};
use futures_util::StreamExt as _;
use http::{Method, Request, StatusCode, header};
use model::{
    access::{Grant, Principal, Role, Scope},
    clinical::{Consultation, ConsultationCommand, ConsultationStatus},
};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{Answer, Door, instances::Sample};

fn actor() -> AuditActor {
    AuditActor::default()
}

impl Door {
    async fn account(&self, role: Role, doctor_id: Option<Uuid>) -> Principal {
        let new =
            NewUser { username: Uuid::now_v7().to_string(), password_hash: "-".into(), role, doctor_id };
        let user = self.archive.database().create_user(new, &actor()).await.expect("account");
        Principal::new(user.id, role, doctor_id)
    }

    /// A doctor with a consultation that a program booked.
    async fn doctor_of(&self, patient_id: &str) -> (Principal, Consultation) {
        let database = self.archive.database();
        let doctor = NewDoctor { name: "Ada".into(), ..NewDoctor::default() };
        let doctor = database.create_doctor(doctor, None, &actor()).await.expect("doctor").id;
        let new = NewConsultation {
            doctor_id: doctor,
            patient_id: patient_id.into(),
            issuer_of_patient_id: String::new(),
            patient_name: String::new(),
            status: ConsultationStatus::InProgress,
            scheduled_at: self.archive.clock().now(),
            ends_at: None,
            reason: String::new(),
            hold_id: None,
        };
        let booked = database.create_consultation(&Scope::internal(), new, &actor()).await.expect("booked");
        (self.account(Role::Doctor, Some(doctor)).await, booked)
    }

    fn token_of(&self, principal: &Principal) -> String {
        format!("Bearer {}", self.issuer.issue(principal).expect("token").access_token)
    }

    async fn ask(&self, path: &str, who: &Principal) -> Answer {
        let request = Request::builder()
            .uri(path)
            .header(header::AUTHORIZATION, self.token_of(who))
            .header(header::ACCEPT, "*/*");
        self.send(request.body(Body::empty()).expect("request")).await
    }

    async fn store_as(&self, sample: &Sample, who: &Principal) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/studies")
            .header(header::AUTHORIZATION, self.token_of(who))
            .header(header::CONTENT_TYPE, "application/dicom")
            .body(Body::from(sample.file()));
        self.send(request.expect("request")).await
    }
}

/// Every path of the router with its parameters filled in.
fn paths() -> Vec<String> {
    let filled = |path: &str| {
        path.replace("{study}", "1.1")
            .replace("{series}", "1.1.1")
            .replace("{instance}", "1.1.1.1")
            .replace("{frames}", "1")
            .replace("{path}", "7FE00010")
            .replace("/wado", "/wado?requestType=WADO&studyUID=1.1&seriesUID=1.1.1&objectUID=1.1.1.1")
    };
    crate::router::routes().iter().map(|(path, _)| filled(path)).collect()
}

// threats.md row 38: an administrator may use no route of this door but to delete, and a program must not do that; so
// a route that answers has no policy.
#[tokio::test]
async fn every_route_asks_the_policy() {
    let door = Door::open().await;
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
    let admin = door.account(Role::Admin, None).await;
    let program = door.account(Role::Service, None).await;
    let mut asked = 0;
    for path in paths() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let who = if method == Method::DELETE { &program } else { &admin };
            let request = Request::builder()
                .method(&method)
                .uri(&path)
                .header(header::AUTHORIZATION, door.token_of(who))
                .header(header::CONTENT_TYPE, "application/dicom");
            let answer = door.send(request.body(Body::empty()).expect("request")).await;
            if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                continue;
            }
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked >= paths().len(), "{asked}");
}

// threats.md rows 39 and 52: "not yours" and "not there", byte for byte.
#[tokio::test]
async fn what_is_not_yours_is_not_there() {
    let door = Door::open().await;
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
    let (_, consultation) = door.doctor_of("P-1").await;
    let (stranger, _) = door.doctor_of("P-2").await;
    let viewer = door.account(Role::Viewer, None).await;
    let paramedic = door.account(Role::Paramedic, None).await;
    let of_another = Principal { grant: Some(Grant::Consultation(consultation.id)), ..stranger.clone() };
    for who in [stranger, viewer, paramedic, of_another] {
        for path in paths() {
            let (answer, absent) =
                (door.ask(&path, &who).await, door.ask(&path.replace("1.1", "7.7"), &who).await);
            assert_eq!(answer.status, absent.status, "{path}");
            assert_eq!(answer.body, absent.body, "{path}");
            assert_eq!(answer.headers, absent.headers, "{path}");
            // What the door can do is no secret among those who may use it.
            let nothing = answer.status == StatusCode::NOT_FOUND || answer.body == "[]" || path == "/";
            assert!(nothing, "{path}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn a_viewer_token_reads_its_consultation_over_dicomweb() {
    let door = Door::open().await;
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
    let other = Sample { patient_id: "P-2", ..Sample::new("1.2", "1.2.1", "1.2.1.1") };
    door.store(&[other.file()]).await;
    let (doctor, consultation) = door.doctor_of("P-1").await;
    let viewer = Principal { grant: Some(Grant::Consultation(consultation.id)), ..doctor };
    for path in paths() {
        let answer = door.ask(&path, &viewer).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let foreign = door.ask(&path.replace("1.1", "1.2"), &viewer).await;
        if path.starts_with("/studies/") || path.starts_with("/wado") {
            let nothing = foreign.status == StatusCode::NOT_FOUND || foreign.body == "[]";
            assert!(nothing, "{path}: {}", foreign.status);
        }
    }
    assert_eq!(door.ask("/studies", &viewer).await.json().as_array().map(Vec::len), Some(1));
    let stored = door.store_as(&Sample::new("1.1", "1.1.1", "1.1.1.2"), &viewer).await;
    assert_eq!(stored.status, StatusCode::FORBIDDEN);
}

// Tokens of links and viewers carry the account of the doctor who made them, and a stolen token that of its owner.
#[tokio::test]
async fn a_look_does_not_cover_that_of_another_holder_or_from_another_address() {
    let door = Door::open().await;
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
    let (doctor, consultation) = door.doctor_of("P-1").await;
    let session = |grant| Principal { session_id: Some(Uuid::now_v7()), grant, ..doctor.clone() };
    let viewer = Some(Grant::Consultation(consultation.id));
    let (signed_in, first, second) = (session(None), session(viewer), session(viewer));
    let (here, elsewhere) = ([192_u8, 0, 2, 1], [192_u8, 0, 2, 2]);
    for (who, address) in [(&signed_in, here), (&first, here), (&second, here), (&first, elsewhere)] {
        for _ in 0..2 {
            let mut request = Request::builder()
                .uri("/studies/1.1/metadata")
                .header(header::AUTHORIZATION, door.token_of(who))
                .header(header::ACCEPT, "*/*")
                .body(Body::empty())
                .expect("request");
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 4242))));
            assert_eq!(door.send(request).await.status, StatusCode::OK);
        }
    }
    let page = door.archive.database().audit_page(0, 100).await.expect("audit");
    let looks = page.iter().map(|row| &row.record).filter(|record| record.action == "read_study");
    let told: Vec<_> =
        looks.map(|record| (record.actor.session_id, record.actor.source_address.as_str())).collect();
    let expected = [
        (signed_in.session_id, "192.0.2.1"),
        (first.session_id, "192.0.2.1"),
        (second.session_id, "192.0.2.1"),
        (first.session_id, "192.0.2.2"),
    ];
    assert_eq!(told, expected);
}

// threats.md row 42: the stream is cut.
#[tokio::test]
async fn a_download_is_cut_when_the_right_to_it_is_taken_back() {
    let door = Door::open().await;
    let files: Vec<Vec<u8>> =
        (1..=8).map(|n| Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}")).file()).collect();
    door.store(&files).await;
    let (doctor, consultation) = door.doctor_of("P-1").await;
    for taken_back in [false, true] {
        let request = Request::builder()
            .uri("/studies/1.1")
            .header(header::AUTHORIZATION, door.token_of(&doctor))
            .body(Body::empty());
        let answer = door.router.clone().oneshot(request.expect("request")).await.expect("answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let mut body = answer.into_body().into_data_stream();
        assert!(body.next().await.is_some_and(|bytes| bytes.is_ok()), "it begins");
        if taken_back {
            let cancel = ChangeConsultation::new(ConsultationCommand::Cancel);
            let database = door.archive.database();
            let scope = Scope::internal();
            database.change_consultation(&scope, consultation.id, cancel, &actor()).await.expect("done");
        }
        let mut whole = true;
        while let Some(bytes) = body.next().await {
            whole &= bytes.is_ok();
        }
        assert_eq!(whole, !taken_back);
    }
    assert_eq!(door.ask("/studies/1.1", &doctor).await.status, StatusCode::NOT_FOUND);
}

// threats.md section 7, A5.
#[tokio::test]
async fn a_paramedic_adds_to_own_studies_and_sees_no_others() {
    let door = Door::open().await;
    let (first, second) =
        (door.account(Role::Paramedic, None).await, door.account(Role::Paramedic, None).await);
    assert_eq!(door.store_as(&Sample::new("1.1", "1.1.1", "1.1.1.1"), &first).await.status, StatusCode::OK);
    assert_eq!(door.store_as(&Sample::new("1.1", "1.1.1", "1.1.1.2"), &first).await.status, StatusCode::OK);
    let foreign = door.store_as(&Sample::new("1.1", "1.1.1", "1.1.1.3"), &second).await;
    assert_eq!(foreign.status, StatusCode::CONFLICT, "{:?}", foreign.body);
    let other_series = door.store_as(&Sample::new("1.1", "1.1.9", "1.1.9.1"), &second).await;
    assert_eq!(other_series.status, StatusCode::CONFLICT);
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.4").file()]).await;
    let rows = async |who: &Principal| {
        door.ask("/instances", who).await.json().as_array().map(Vec::len).expect("rows")
    };
    assert_eq!((rows(&first).await, rows(&second).await), (3, 0));
}
