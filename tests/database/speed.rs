//! How fast instances are stored: `cargo nextest run --release -p tests --test database --run-ignored only speed`.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};

use crate::support::{Home, with_uids};

on_both_engines!(
    #[ignore = "measures"]
    instances_per_second
);

/// Like a modality's: some hundred elements.
fn header_json() -> String {
    let elements: Vec<String> =
        (0..150).map(|n| format!(r#""0029{n:04X}":{{"vr":"LO","Value":["value {n} of it"]}}"#)).collect();
    format!("{{{}}}", elements.join(","))
}

async fn instances_per_second(home: Home) {
    const INSTANCES: i32 = 20_000;
    let json = header_json();
    let make = |index: i32| {
        let study = format!("1.{}", index / 8);
        let series = format!("{study}.{}", index % 2);
        let mut new = with_uids(&study, &series, &format!("{series}.{index}"), index);
        new.header.patient.patient_id = format!("P{}", index / 16);
        new.header.json.clone_from(&json);
        new
    };
    for senders in [1, 8, 64, 256] {
        let count = if senders == 1 { 500 } else { INSTANCES / 4 };
        let start = Instant::now();
        stream::iter(0..count)
            .map(|index| home.store(make(senders * INSTANCES + index)))
            .buffer_unordered(senders as usize)
            .for_each(|outcome| async move { assert!(outcome.is_ok(), "{outcome:?}") })
            .await;
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        eprintln!("{senders} senders: {rate:.0} instances/s");
    }
}
