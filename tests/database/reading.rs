//! Reading instances and headers.

use database::InstanceKeys;
use model::{
    SeriesInstanceUid,
    access::{Action, Principal, Role, Scope},
};
use uuid::Uuid;

use crate::support::{Home, START, at, instance, sop_uid, study_uid, with_uids};

on_both_engines!(
    instances_come_in_reading_order,
    an_instance_comes_back_as_it_was,
    headers_come_in_the_order_asked,
    long_headers_are_read_a_few_at_a_time
);

async fn instances_come_in_reading_order(home: Home) {
    let place = |series: &str, sop: &str, series_number: Option<i32>, number: Option<i32>| {
        let mut new = with_uids("1.2", series, sop, 0);
        new.header.series.series_number = series_number;
        new.header.instance.instance_number = number;
        new
    };
    for new in [
        place("1.2.3", "1.2.3.1", None, Some(1)),
        place("1.2.2", "1.2.2.1", Some(2), Some(1)),
        place("1.2.1", "1.2.1.4", Some(1), None),
        place("1.2.1", "1.2.1.3", Some(1), Some(10)),
        place("1.2.1", "1.2.1.2", Some(1), Some(2)),
        place("1.2.1", "1.2.1.1", Some(1), Some(10)),
    ] {
        home.put(new).await;
    }
    let (database, scope, study) = (&home.database, Scope::internal(), study_uid("1.2"));
    let uids = |found: Vec<database::StoredInstance>| -> Vec<String> {
        found.into_iter().map(|instance| instance.sop_instance_uid.into()).collect()
    };
    let all = database.instances(&scope, &study, None, None).await.expect("instances");
    assert_eq!(uids(all), ["1.2.1.2", "1.2.1.1", "1.2.1.3", "1.2.1.4", "1.2.2.1", "1.2.3.1"]);
    let series = SeriesInstanceUid::parse("1.2.2").expect("a UID");
    let one = database.instances(&scope, &study, Some(&series), None).await.expect("instances");
    assert_eq!(uids(one), ["1.2.2.1"]);
    let sop = sop_uid("1.2.1.3");
    let one = database.instances(&scope, &study, None, Some(&sop)).await.expect("instances");
    assert_eq!(uids(one), ["1.2.1.3"]);
    let none = database.instances(&scope, &study, Some(&series), Some(&sop)).await.expect("instances");
    assert!(none.is_empty());
    let studies = [study, study_uid("1.9")];
    for (series, instances, limit, expected) in [
        (&[][..], &[][..], 3, &["1.2.1.2", "1.2.1.1", "1.2.1.3"][..]),
        (&["1.2.2", "1.2.3"], &[], 9, &["1.2.2.1", "1.2.3.1"]),
        (&[], &["1.2.3.1", "1.2.1.2", "1.2.1.1"], 9, &["1.2.1.2", "1.2.1.1", "1.2.3.1"]),
        (&["1.2.1"], &["1.2.3.1", "1.2.1.2"], 9, &["1.2.1.2"]),
    ] {
        let keys = InstanceKeys { studies: &studies, series, instances };
        let found = database.listed_instances(&scope, keys, limit).await.expect("instances");
        assert_eq!(uids(found), expected);
        let found = database.listed_instances(&nothing(), keys, limit).await.expect("instances");
        assert!(found.is_empty());
    }
}

/// The reach of an account that nothing was granted to.
fn nothing() -> Scope {
    let viewer = Principal::new(Uuid::now_v7(), Role::Viewer, None);
    viewer.authorize(Action::ReadStudy).expect("a scope")
}

async fn an_instance_comes_back_as_it_was(home: Home) {
    let new = instance("1.2", 7);
    home.put(new.clone()).await;
    let found =
        home.database.instance_by_id(&Scope::internal(), new.id).await.expect("a read").expect("there");
    let header = &new.header;
    assert_eq!(found.study_instance_uid, header.study.study_instance_uid);
    assert_eq!(found.series_instance_uid, header.series.series_instance_uid);
    assert_eq!(found.sop_class_uid, header.instance.sop_class_uid);
    assert_eq!(found.transfer_syntax_uid, header.instance.transfer_syntax_uid);
    assert_eq!((found.object_key, found.data_set_sha256), (new.object_key, new.data_set_sha256));
    assert_eq!(
        (found.object_length_bytes, found.data_set_offset, found.data_set_length_bytes),
        (1_132, 132, 1_000)
    );
    assert_eq!((found.instance_number, found.number_of_frames, found.rows), (Some(7), None, Some(4)));
    assert_eq!((found.current, found.stored_at, &*found.modality), (true, at(START), "CR"));
    let kept = home.database.header(new.id).await.expect("a read").expect("there");
    assert_eq!(kept.json, header.json);
    assert_eq!(kept.bulk_data, header.bulk_data);
    assert_eq!(kept.pixel_module, header.pixel_module);
    assert_eq!(kept.frame_table, header.frame_table);
    assert_eq!(home.database.instance_by_id(&Scope::internal(), Uuid::now_v7()).await.expect("a read"), None);
}

async fn headers_come_in_the_order_asked(home: Home) {
    let mut ids = Vec::new();
    for number in 0..20 {
        let mut new = instance("1.2", number);
        // Large enough to be packed on another thread.
        new.header.json = format!(r#"{{"n":{number},"x":"{}"}}"#, "y".repeat(20_000 * number as usize));
        ids.push(home.put(new).await);
    }
    ids.reverse();
    ids.insert(3, Uuid::now_v7());
    let headers = home.database.headers(&ids).await.expect("headers");
    assert_eq!(headers.len(), 20);
    for (index, header) in headers.iter().enumerate() {
        assert!(header.json.starts_with(&format!(r#"{{"n":{},"#, 19 - index)), "{index}");
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = home.database.all_instances(after, 6).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|instance| instance.id));
    }
    assert_eq!(seen.len(), 20);
}

/// What strangers have sent bounds no memory: 64 headers that do not pack well may be a gigabyte.
async fn long_headers_are_read_a_few_at_a_time(home: Home) {
    let mut ids = Vec::new();
    for number in 0..6_u64 {
        let mut new = instance("1.2", number as i32);
        let mut state = number + 1;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + (state >> 58) as u8)
        };
        let text: String = (0..4 << 20).map(|_| noise()).filter(|sign| *sign != '\\').collect();
        new.header.json = format!(r#"{{"n":{number},"x":"{text}"}}"#);
        ids.push(home.put(new).await);
    }
    ids.insert(1, Uuid::now_v7());
    let (mut read, mut pieces) = (0, 0);
    let mut found = Vec::new();
    while read < ids.len() {
        let (headers, covered) = home.database.first_headers(&ids[read..]).await.expect("headers");
        for header in headers {
            assert!(header.json().expect("unpacks").starts_with(&format!(r#"{{"n":{},"#, found.len())));
            found.push(header.instance_id());
        }
        (read, pieces) = (read + covered, pieces + 1);
    }
    ids.remove(1);
    assert_eq!(found, ids);
    assert!((3..=4).contains(&pieces), "two or three of them at once: {pieces}");
    let (headers, covered) = home.database.first_headers(&[]).await.expect("nothing");
    assert_eq!((headers.count(), covered), (0, 0));
}
