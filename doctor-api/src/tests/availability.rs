//! When doctors see patients: hours, what is free of them, times that are held.

use axum::http::StatusCode;
use model::access::Role;
use serde_json::{Value, json};

use super::house::{Answer, House, request};

struct Clinic {
    house: House,
    doctor: String,
    ada: String,
    platform: String,
}

/// A doctor in Berlin.
async fn clinic() -> Clinic {
    let house = House::open().await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let made =
        house.post("/doctors", &admin, json!({ "name": "Ada", "time_zone": "Europe/Berlin" })).await.json();
    let doctor = made["id"].as_str().expect("id").to_owned();
    let (_, ada) = house.account(Role::Doctor, Some(doctor.parse().expect("id"))).await;
    let (_, platform) = house.account(Role::Service, None).await;
    Clinic { house, doctor, ada, platform }
}

impl Clinic {
    fn path(&self, rest: &str) -> String {
        format!("/doctors/{}/availability{rest}", self.doctor)
    }

    async fn put(&self, rest: &str, tag: &str, body: Value) -> Answer {
        self.house.with_header(("PUT", &self.path(rest)), &self.ada, ("if-match", tag), body).await
    }

    async fn starts(&self, query: &str) -> Vec<String> {
        let answer = self.house.get(&self.path(query), &self.platform).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        let slots = answer.json()["slots"].as_array().cloned().expect("slots");
        slots.iter().map(|slot| slot["starts_at"].as_str().expect("a start").to_owned()).collect()
    }
}

fn mornings() -> Value {
    json!({ "slot_minutes": 30, "weekly": [
        { "weekday": "sunday", "from": "09:00", "to": "10:00" },
        { "weekday": "monday", "from": "09:00", "to": "10:00" },
    ] })
}

#[tokio::test]
async fn free_slots_keep_their_hour_over_the_change_of_clocks_and_leave_out_what_is_taken() {
    let clinic = clinic().await;
    assert_eq!(clinic.put("/rules", "\"0\"", mornings()).await.status, StatusCode::OK);
    let week = "?from=2027-03-27T00:00:00Z&to=2027-03-30T00:00:00Z";
    let all = clinic.starts(week).await;
    assert_eq!(
        all,
        [
            "2027-03-28T09:00:00+02:00",
            "2027-03-28T09:30:00+02:00",
            "2027-03-29T09:00:00+02:00",
            "2027-03-29T09:30:00+02:00"
        ]
    );
    let elsewhere = clinic.starts(&format!("{week}&time_zone=Africa/Accra&duration=60")).await;
    assert_eq!(elsewhere, ["2027-03-28T07:00:00Z", "2027-03-29T07:00:00Z"]);
    let booking = json!({ "patient_id": "P1", "scheduled_at": "2027-03-28T07:00:00Z" });
    let path = format!("/doctors/{}/consultation", clinic.doctor);
    let booked = clinic.house.post(&path, &clinic.platform, booking).await;
    assert_eq!(booked.status, StatusCode::CREATED, "{:?}", booked.body);
    let hold = json!({ "scheduled_at": "2027-03-29T07:00:00Z", "minutes": 10 });
    let held = clinic.house.post(&clinic.path("/holds"), &clinic.platform, hold.clone()).await;
    assert_eq!(held.status, StatusCode::CREATED, "{:?}", held.body);
    assert_eq!(clinic.starts(week).await, [all[1].clone(), all[3].clone()]);
    let again = clinic.house.post(&clinic.path("/holds"), &clinic.ada, hold).await;
    assert_eq!(again.json()["type"], "urn:maxray:problem:doctor-taken");
    let id = held.json()["id"].as_str().expect("id").to_owned();
    let release = clinic.path(&format!("/holds/{id}"));
    assert_eq!(clinic.house.delete(&release, &clinic.ada).await.status, StatusCode::NOT_FOUND);
    assert_eq!(clinic.house.delete(&release, &clinic.platform).await.status, StatusCode::NO_CONTENT);
    assert_eq!(clinic.starts(week).await.len(), 3);
    let off = json!({ "exceptions": [
        { "kind": "time_off", "from": "2027-03-28T00:00:00Z", "to": "2027-03-29T00:00:00Z", "note": "family" }
    ] });
    assert_eq!(clinic.put("/exceptions", "\"0\"", off).await.status, StatusCode::OK);
    assert_eq!(clinic.starts(week).await, all[2..]);
    let found = async |at: &str| {
        let page = clinic.house.get(&format!("/doctors?available_at={at}"), &clinic.platform).await;
        page.json()["items"].as_array().map(Vec::len)
    };
    assert_eq!(found("2027-03-29T07:10:00Z").await, Some(1));
    assert_eq!(found("2027-03-28T07:40:00Z").await, Some(0), "time off");
}

#[tokio::test]
async fn hours_that_cannot_be_are_refused_field_by_field() {
    let clinic = clinic().await;
    let monday = |from: &str, to: &str| json!({ "weekday": "monday", "from": from, "to": to });
    for (body, fields) in [
        (json!({ "weekly": [monday("09:00", "12:00"), monday("11:00", "13:00")] }), vec!["weekly[1]"]),
        (
            json!({ "slot_minutes": 1, "weekly": [monday("12:00", "09:00")] }),
            vec!["slot_minutes", "weekly[0].to"],
        ),
        (json!({ "weekly": [monday("9", "12:00")] }), vec!["weekly[0].from"]),
        (
            json!({ "weekly": [{ "weekday": "funday", "from": "09:00", "to": "10:00" }] }),
            vec!["weekly[0].weekday"],
        ),
        (json!({ "weekly": [], "zone": "UTC" }), vec!["zone"]),
    ] {
        let refused = clinic.put("/rules", "\"0\"", body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.refused(), fields);
    }
    let backwards = json!({ "exceptions": [
        { "kind": "time_off", "from": "2027-03-29T00:00:00Z", "to": "2027-03-28T00:00:00Z" }
    ] });
    assert_eq!(clinic.put("/exceptions", "\"0\"", backwards).await.refused(), ["exceptions[0].to"]);
    for (query, field) in [
        ("", "from"),
        ("?from=2027-03-27T00:00:00Z&to=2027-05-29T00:00:00Z", "to"),
        ("?from=2027-03-27T00:00:00Z&to=2027-03-26T00:00:00Z", "to"),
        ("?from=2027-03-27T00:00:00Z&to=2027-03-28T00:00:00Z&duration=4", "duration"),
        ("?from=2027-03-27T00:00:00Z&to=2027-03-28T00:00:00Z&time_zone=Mars/Base", "time_zone"),
    ] {
        let refused = clinic.house.get(&clinic.path(query), &clinic.platform).await;
        assert_eq!(
            (refused.status, refused.refused()),
            (StatusCode::BAD_REQUEST, vec![field.to_owned()]),
            "{query}"
        );
    }
}

#[tokio::test]
async fn hours_are_changed_by_their_doctor_on_what_was_read() {
    let clinic = clinic().await;
    let other = clinic.house.doctor("Ben").await;
    let (_, ben) = clinic.house.account(Role::Doctor, Some(other.id)).await;
    let rules = clinic.path("/rules");
    let bare = clinic.house.call(request("PUT", &rules, &clinic.ada, Some(mornings()))).await;
    assert_eq!(bare.status, StatusCode::PRECONDITION_REQUIRED);
    let foreign = clinic.house.with_header(("PUT", &rules), &ben, ("if-match", "\"0\""), mornings()).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert_eq!(clinic.put("/rules", "\"0\"", mornings()).await.status, StatusCode::OK);
    assert_eq!(clinic.put("/rules", "\"0\"", mornings()).await.status, StatusCode::PRECONDITION_FAILED);
    let read = clinic.house.get(&rules, &clinic.platform).await;
    assert_eq!((read.header("etag"), &read.json()["weekly"][1]["to"]), ("\"1\"", &json!("10:00")));
    for (token, status) in [(&clinic.platform, StatusCode::FORBIDDEN), (&ben, StatusCode::NOT_FOUND)] {
        assert_eq!(clinic.house.get(&clinic.path("/exceptions"), token).await.status, status);
    }
}
