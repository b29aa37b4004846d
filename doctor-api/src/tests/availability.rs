//! When doctors see patients: hours, what is free of them, times that are held.

mod calendars;

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
        ("?from=-262143-01-01T00:00:00Z&to=-262143-01-02T00:00:00Z", "from"),
        ("?from=2027-03-27T00:00:00Z&to=2027-03-28T00:00:00Z&duration=4", "duration"),
        ("?from=2027-03-27T00:00:00Z&to=2027-03-28T00:00:00Z&time_zone=Mars/Base", "time_zone"),
    ] {
        let refused = clinic.house.get(&clinic.path(query), &clinic.platform).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(refused.refused().first().map(String::as_str), Some(field), "{query}");
    }
}

#[tokio::test]
async fn years_that_no_calendar_reaches_are_refused_wherever_a_time_is_asked_for() {
    let clinic = clinic().await;
    let (house, platform) = (&clinic.house, &clinic.platform);
    let (_, admin) = house.account(Role::Admin, None).await;
    let consultations = format!("/doctors/{}/consultations", clinic.doctor);
    for year in ["-262143", "%2B262142", "1899", "%2B10000"] {
        let at = format!("{year}-01-01T00:00:00Z");
        for (path, token, field) in [
            (format!("/doctors?available_at={at}"), platform, "available_at"),
            (clinic.path(&format!("?from={at}&to={at}")), platform, "from"),
            (format!("{consultations}?from={at}"), &clinic.ada, "from"),
            (format!("/audit?to={at}"), &admin, "to"),
        ] {
            let refused = house.get(&path, token).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}: {:?}", refused.body);
            assert_eq!(refused.refused().first().map(String::as_str), Some(field), "{path}");
        }
    }
    // The last hours of what people write for "never".
    let last = "from=9999-12-31T00:00:00Z&to=9999-12-31T23:59:59Z";
    for path in
        [clinic.path(&format!("?{last}&time_zone=Pacific/Kiritimati")), format!("{consultations}?{last}")]
    {
        assert_eq!(house.get(&path, &clinic.ada).await.status, StatusCode::OK, "{path}");
    }
    let off = json!({ "exceptions": [
        { "kind": "time_off", "from": "-262143-01-01T00:00:00Z", "to": "+262142-01-01T00:00:00Z" }
    ] });
    let refused = clinic.put("/exceptions", "\"0\"", off).await;
    assert_eq!(refused.refused(), ["exceptions[0].from", "exceptions[0].to"]);
    let (id, _) = house.store("P1", 1).await;
    let said = json!({ "captured_at": "-262143-01-01T00:00:00Z" });
    let path = format!("/xrays/{id}");
    let refused = house.with_header(("PATCH", &path), platform, ("if-match", "\"0\""), said).await;
    assert_eq!(refused.refused(), ["captured_at"]);
}

#[tokio::test]
async fn an_account_holds_twenty_times_and_no_more() {
    let clinic = clinic().await;
    let hold = async |token: &str, minute: u32| {
        let at = format!("2027-03-29T{:02}:{:02}:00Z", 7 + minute / 60, minute % 60);
        let body = json!({ "scheduled_at": at, "duration_minutes": 5 });
        clinic.house.post(&clinic.path("/holds"), token, body).await
    };
    for number in 0..20 {
        let held = hold(&clinic.platform, number * 5).await;
        assert_eq!(held.status, StatusCode::CREATED, "{number}: {:?}", held.body);
    }
    let more = hold(&clinic.platform, 100).await;
    assert_eq!(more.status, StatusCode::CONFLICT);
    assert_eq!(more.json()["type"], "urn:maxray:problem:too-many-holds");
    let other = hold(&clinic.ada, 100).await;
    assert_eq!(other.status, StatusCode::CREATED, "another account: {:?}", other.body);
}

#[tokio::test]
async fn each_of_several_doctors_is_free_or_not_by_the_own_calendar() {
    let clinic = clinic().await;
    let house = &clinic.house;
    let (_, admin) = house.account(Role::Admin, None).await;
    let mut doctors = vec![clinic.doctor.clone()];
    for name in ["Ben", "Cy"] {
        let body = json!({ "name": name, "time_zone": "Europe/Berlin" });
        doctors
            .push(house.post("/doctors", &admin, body).await.json()["id"].as_str().expect("id").to_owned());
    }
    for doctor in &doctors {
        let path = format!("/doctors/{doctor}/availability/rules");
        let put = house.with_header(("PUT", &path), &admin, ("if-match", "\"0\""), mornings()).await;
        assert_eq!(put.status, StatusCode::OK, "{:?}", put.body);
    }
    let booking = json!({ "patient_id": "P1", "scheduled_at": "2027-03-29T07:00:00Z" });
    let path = format!("/doctors/{}/consultation", doctors[1]);
    assert_eq!(house.post(&path, &clinic.platform, booking).await.status, StatusCode::CREATED);
    let names = async |at: &str| {
        let page = house.get(&format!("/doctors?available_at={at}"), &clinic.platform).await.json();
        let items = page["items"].as_array().cloned().expect("items");
        items.iter().map(|item| item["name"].as_str().expect("name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("2027-03-29T07:10:00Z").await, ["Ada", "Cy"]);
    assert_eq!(names("2027-03-29T07:40:00Z").await, ["Ada", "Ben", "Cy"]);
}

// The tests look at 3 doctors at once, and at 30 altogether.
#[tokio::test]
async fn whoever_is_free_is_found_however_many_come_before() {
    let house = House::open().await;
    let (_, admin) = house.account(Role::Admin, None).await;
    for number in 1..=31 {
        let doctor = house.doctor(&format!("Dr {number:02}")).await;
        if [5, 29, 31].contains(&number) {
            let path = format!("/doctors/{}/availability/rules", doctor.id);
            let put = house.with_header(("PUT", &path), &admin, ("if-match", "\"0\""), mornings()).await;
            assert_eq!(put.status, StatusCode::OK, "{:?}", put.body);
        }
    }
    for (query, names, more) in [
        ("", vec!["Dr 05", "Dr 29"], true),
        ("&limit=1", vec!["Dr 05"], true),
        ("&limit=1&offset=1", vec!["Dr 29"], true),
        ("&q=Dr%200", vec!["Dr 05"], false),
        ("&q=Dr%203", vec!["Dr 31"], false),
    ] {
        let path = format!("/doctors?available_at=2027-03-29T09:10:00Z{query}");
        let page = house.get(&path, &admin).await.json();
        let items = page["items"].as_array().cloned().expect("items");
        let found: Vec<&str> = items.iter().map(|item| item["name"].as_str().expect("name")).collect();
        assert_eq!((found, &page["more"]), (names, &json!(more)), "{query}");
    }
}

#[tokio::test]
async fn a_slot_is_free_or_not_however_far_is_asked() {
    let clinic = clinic().await;
    let days = ["monday", "tuesday"].map(|day| json!({ "weekday": day, "from": "00:00", "to": "24:00" }));
    let rules = json!({ "slot_minutes": 480, "buffer_minutes": 240, "weekly": days });
    assert_eq!(clinic.put("/rules", "\"0\"", rules).await.status, StatusCode::OK);
    let near = "?from=2027-03-29T06:00:00Z&to=2027-03-29T06:30:00Z&duration=480";
    assert_eq!(clinic.starts(near).await, ["2027-03-29T08:00:00+02:00"]);
    // Three hours after the slot, within its buffer.
    let booking = json!({ "patient_id": "P1", "scheduled_at": "2027-03-29T17:00:00Z" });
    let path = format!("/doctors/{}/consultation", clinic.doctor);
    assert_eq!(clinic.house.post(&path, &clinic.platform, booking).await.status, StatusCode::CREATED);
    let far = "?from=2027-03-29T06:00:00Z&to=2027-03-30T00:00:00Z&duration=480";
    assert_eq!(clinic.starts(far).await, ["2027-03-30T00:00:00+02:00"]);
    assert_eq!(clinic.starts(near).await, [""; 0]);
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
