//! Long answers end when the account of who reads them does, whoever proves it.

use axum::body::Body;
use database::{AuditActor, NewUser, UserChanges};
use futures_util::StreamExt as _;
use http::{Request, StatusCode, header};
use model::access::{Principal, Role};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{Door, instances::Sample};

/// So many that the metadata of all of them are more than the first piece.
const INSTANCES: u32 = 200;

/// Whether an account without a session, as those of another issuer are, gets all of an answer that has begun.
async fn is_whole(door: &Door, (path, accept): (&str, &str), is_deactivated: bool) -> bool {
    let (database, actor) = (door.archive.database(), AuditActor::default());
    let (username, password_hash) = (Uuid::now_v7().to_string(), "-".to_owned());
    let new = NewUser { username, password_hash, role: Role::Service, doctor_id: None };
    let user = database.create_user(new, &actor).await.expect("an account");
    let principal = Principal::new(user.id, Role::Service, None);
    let token = door.issuer.issue(&principal).expect("a token").access_token;
    let request = Request::builder()
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::ACCEPT, accept)
        .body(Body::empty());
    let answer = door.router.clone().oneshot(request.expect("a request")).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let mut body = answer.into_body().into_data_stream();
    assert!(body.next().await.is_some_and(|bytes| bytes.is_ok()), "{path} begins");
    if is_deactivated {
        let changes = UserChanges { active: Some(false), ..UserChanges::default() };
        database.change_user(user.id, changes, &actor).await.expect("deactivated");
    }
    let mut whole = true;
    while let Some(bytes) = body.next().await {
        whole &= bytes.is_ok();
    }
    whole
}

// threats.md row 42
#[tokio::test]
async fn what_runs_is_cut_when_an_account_without_a_session_is_deactivated() {
    let door = Door::open().await;
    let sample = |n| Sample { number: n, ..Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}")) };
    let files: Vec<Vec<u8>> = (1..=INSTANCES).map(|n| sample(n).file()).collect();
    assert_eq!(door.store(&files).await.status, StatusCode::OK);
    let xml = "multipart/related; type=\"application/dicom+xml\"";
    for what in [("/studies/1.1", "*/*"), ("/studies/1.1/metadata", xml)] {
        assert!(is_whole(&door, what, false).await, "{what:?}");
        assert!(!is_whole(&door, what, true).await, "{what:?}");
    }
}
