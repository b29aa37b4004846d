//! Nothing is answered that is not in the audit trail. threats.md section 5.

use axum::body::Body;
use database::{AuditOutcome, AuditRow};
use http::{Method, Request, StatusCode, header};
use model::access::Role;

use super::{Door, instances::Sample};
use crate::router::routes;

async fn rows(door: &Door) -> Vec<AuditRow> {
    door.archive.database().audit_page(0, 1_000).await.expect("audit")
}

fn path(template: &str, study: &str) -> String {
    template
        .replace("{study}", study)
        .replace("{series}", &format!("{study}.1"))
        .replace("{instance}", &format!("{study}.1.1"))
        .replace("{frames}", "1")
        .replace("{path}", "7FE00010")
        .replace(
            "/wado",
            &format!("/wado?requestType=WADO&studyUID={study}&seriesUID={study}.1&objectUID={study}.1.1"),
        )
}

#[tokio::test]
async fn every_route_is_recorded_for_whom_it_serves_and_whom_it_refuses() {
    for (template, _) in routes() {
        // A door each: one record covers the same look for five minutes.
        let door = Door::open().await;
        door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
        let stored = rows(&door).await.len();
        let answer = door.get(&path(template, "1.1"), "*/*").await;
        assert!(answer.status.is_success(), "{template}: {}", answer.status);
        let all = rows(&door).await;
        let [record] = &all[stored..] else { panic!("{template}: {:?}", &all[stored..]) };
        assert_eq!(record.record.outcome, AuditOutcome::Success, "{template}");
        assert!(record.record.actor.user_id.is_some() && record.record.actor.role == "service", "{template}");
        if template.contains("{study}") || *template == *"/wado" {
            assert_eq!(record.record.study_instance_uid, "1.1", "{template}");
            assert!(record.record.patient.is_some(), "{template}");
            let absent = door.get(&path(template, "9.9"), "*/*").await;
            let last = rows(&door).await.pop().expect("a record").record;
            let refused = last.outcome == AuditOutcome::Refused && last.study_instance_uid == "9.9";
            // A search of what is not there finds nothing.
            assert!(
                refused || absent.status == StatusCode::OK || absent.status == StatusCode::NO_CONTENT,
                "{template}"
            );
        }
        let before = rows(&door).await.len();
        let request = Request::builder()
            .uri(path(template, "1.1"))
            .header(header::AUTHORIZATION, door.token(Role::Admin, None))
            .body(Body::empty());
        assert_eq!(door.send(request.expect("request")).await.status, StatusCode::FORBIDDEN, "{template}");
        let all = rows(&door).await;
        let [record] = &all[before..] else { panic!("{template}: {:?}", &all[before..]) };
        assert_eq!(record.record.outcome, AuditOutcome::Refused, "{template}");
    }
}

#[tokio::test]
async fn storing_without_the_right_is_recorded() {
    let door = Door::open().await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/studies/1.1")
        .header(header::AUTHORIZATION, door.token(Role::Viewer, None))
        .header(header::CONTENT_TYPE, "application/dicom")
        .body(Body::from("x"));
    assert_eq!(door.send(request.expect("request")).await.status, StatusCode::FORBIDDEN);
    let record = rows(&door).await.pop().expect("a record").record;
    assert_eq!((record.action.as_str(), record.outcome), ("store_instance", AuditOutcome::Refused));
}

#[tokio::test]
async fn a_search_is_recorded_without_its_words() {
    let door = Door::open().await;
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
    door.get("/studies?PatientName=Phantom*&limit=5", "application/dicom+json").await;
    let record = rows(&door).await.pop().expect("a record").record;
    assert_eq!(record.action, "search_archive");
    assert!(record.detail.starts_with("filter ") && record.detail.ends_with(" found"), "{}", record.detail);
    assert!(!format!("{record:?}").contains("Phantom"));
}
