//! A bucket that fails, lies or is slow. threats.md rows 60 and 108: nothing is acknowledged that is not stored, the sender
//! hears of it within 35 seconds, at once when it goes on, and soon after the bucket has recovered storing works.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use tests::{
    ledger::{Ledger, retrieve},
    load::{Load, Shape},
    platform::{Options, Platform},
    qido,
    s3::{Fault, Habits, S3Server},
    scu::{Association, Proposal},
    session::{PASSWORD, Session},
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
    wait,
};

/// Longest time until a sender hears that its instance was not stored.
const FAILURE_REPLY_MAX: Duration = Duration::from_secs(35);
/// Longest time until a bucket that works again is asked again, with a busy machine's time for asking.
const RECOVERY_MAX: Duration = Duration::from_secs(15);
/// Columns and rows of an instance that goes in one PUT, and of one that goes in parts.
const SMALL: u16 = 64;
const IN_PARTS: u16 = 2300;

/// Sends one instance: its status, or `None` when the association ended instead.
fn store(platform: &Platform, instance: &Synthetic) -> Option<u16> {
    let proposal = Proposal::new(CR_IMAGE_STORAGE, &instance.transfer_syntax_uid);
    let association = Association::request(platform.dicom(), "MAXRAY", std::slice::from_ref(&proposal));
    let mut association = association.expect("an association, whatever the bucket does");
    let status = association.store(&proposal, &instance.sop_instance_uid, &instance.data_set()).ok();
    let _ended_already = association.release();
    status
}

pub(super) fn store_beside(platform: &Platform, instance: &Synthetic) -> (Option<u16>, Duration) {
    let began = Instant::now();
    let status = tokio::task::block_in_place(|| store(platform, instance));
    (status, began.elapsed())
}

/// A bucket that failed is asked nothing for a while.
async fn store_when_it_can(platform: &Platform, instance: &Synthetic) {
    let began = Instant::now();
    loop {
        let (status, _) = store_beside(platform, instance);
        if status == Some(0) {
            return;
        }
        assert!(began.elapsed() < RECOVERY_MAX, "the bucket works again, and the sender hears {status:04X?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn platform_on(s3: &S3Server, more: &[(&str, &str)]) -> (Platform, Session) {
    let mut options = Options::default();
    options.environment.extend(s3.settings());
    for (name, value) in more {
        options = options.with(&format!("MAXRAY_OBJECT_STORAGE__S3__{name}"), value);
    }
    let platform = Platform::start(options).await;
    platform.add_user("reader", "viewer");
    let reader = platform.sign_in("reader", PASSWORD).await;
    (platform, reader)
}

/// Stores with the fault, then without: refused and invisible, then stored and whole.
async fn refuse_then_recover(
    (platform, reader): (&Platform, &Session),
    s3: &S3Server,
    fault: Fault,
    size: u16,
) {
    let instance = Synthetic::cr(&format!("{fault:?}-{size}"), size, size);
    s3.fail(fault);
    let (status, took) = store_beside(platform, &instance);
    eprintln!("{fault:?}, {size}: {status:04X?} after {} ms", took.as_millis());
    assert_ne!(status, Some(0), "{fault:?}: acknowledged and not stored");
    assert!(took < FAILURE_REPLY_MAX, "{fault:?}: the sender waited {took:?}");
    s3.heal();
    assert!(
        qido::locate(reader, &instance.sop_instance_uid).await.is_none(),
        "{fault:?}: what was refused is visible"
    );
    store_when_it_can(platform, &instance).await;
    let ledger = Ledger::default();
    ledger.acknowledge_synthetic(&instance, &instance.data_set());
    ledger.check(reader, &format!("after {fault:?}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_or_lying_bucket_is_never_acknowledged() {
    let s3 = S3Server::start().await;
    let quick = [("REQUEST_TIMEOUT_MS", "4000"), ("OPERATION_TIMEOUT_MS", "8000")];
    let (platform, reader) = platform_on(&s3, &quick).await;
    let whole = (&platform, &reader);
    let able = "altered uploads refused yes, checksum of uploads named SHA-256, multipart yes";
    assert!(platform.log().contains(able), "the start says what the bucket can do: {}", platform.log());
    let faults = [
        Fault::InternalError,
        Fault::SlowDown,
        Fault::Forbidden,
        Fault::ForgetsUploads,
        Fault::CutsUploads,
        Fault::FlipsUploads,
    ];
    for fault in faults {
        refuse_then_recover(whole, &s3, fault, SMALL).await;
    }
    for fault in [Fault::FailsCompletion, Fault::CutsUploads, Fault::FlipsUploads] {
        refuse_then_recover(whole, &s3, fault, IN_PARTS).await;
    }
}

/// A bucket that looks at no checksum and names none: what was uploaded is read back before it is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_vouches_for_nothing_is_read_back() {
    let s3 = S3Server::start_with(Habits { checks: false, names_checksums: false }).await;
    let (platform, reader) = platform_on(&s3, &[]).await;
    assert!(platform.log().contains("every object is read back"), "{}", platform.log());
    for size in [SMALL, IN_PARTS] {
        refuse_then_recover((&platform, &reader), &s3, Fault::FlipsUploads, size).await;
    }
}

/// Whoever stores while the bucket fails again and again hears of it at once, and the bucket is not asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_fails_again_and_again_is_left_alone_for_a_while() {
    let s3 = S3Server::start().await;
    let (platform, _) = platform_on(&s3, &[("BREAKER_OPEN_MS", "8000")]).await;
    s3.fail(Fault::InternalError);
    let refused = async || {
        let instance = Synthetic::cr("BREAKER", SMALL, SMALL);
        let (status, took) = store_beside(&platform, &instance);
        assert_eq!(status, Some(0xA700), "out of resources: the sender tries again");
        took
    };
    // It opens within the first ones, whose requests are repeated.
    let opened = "asked nothing for a while";
    let began = Instant::now();
    while !platform.log().contains(opened) {
        assert!(began.elapsed() < FAILURE_REPLY_MAX, "it never opens: {}", platform.log());
        refused().await;
    }
    let asked = s3.requests();
    let took = refused().await;
    assert!(took < Duration::from_secs(3), "refused after {took:?}");
    assert!(s3.requests() <= asked + 1, "{} requests to a bucket that is left alone", s3.requests() - asked);
    s3.heal();
    store_when_it_can(&platform, &Synthetic::cr("BREAKER", SMALL, SMALL)).await;
    assert!(platform.log().contains("the bucket answers again"), "{}", platform.log());
}

/// A bucket that sends byte by byte keeps nobody waiting longer than one that says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_trickles_is_given_up() {
    let s3 = S3Server::start().await;
    let quick = [("REQUEST_TIMEOUT_MS", "3000"), ("OPERATION_TIMEOUT_MS", "5000")];
    let (platform, reader) = platform_on(&s3, &quick).await;
    for size in [SMALL, IN_PARTS] {
        let instance = Synthetic::cr(&format!("TRICKLES-{size}"), size, size);
        store_when_it_can(&platform, &instance).await;
        let ledger = Ledger::default();
        ledger.acknowledge_synthetic(&instance, &instance.data_set());
        s3.fail(Fault::Trickles);
        let entry = &ledger.entries()[&instance.sop_instance_uid];
        let began = Instant::now();
        retrieve(&reader, entry, &instance.sop_instance_uid)
            .await
            .expect_err("it does not come in this time");
        assert!(began.elapsed() < RECOVERY_MAX, "{size}: given up after {:?}", began.elapsed());
        s3.heal();
        ledger.check(&reader, "when it trickles no more").await;
    }
}

/// One request that is never answered keeps a reader waiting for a second, not for a time-out: it is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_not_answered_is_asked_for_again() {
    let s3 = S3Server::start().await;
    // Nobody else reads.
    let mut options = s3.options(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false"));
    options.environment.extend([
        ("MAXRAY_OBJECT_STORAGE__S3__REQUEST_TIMEOUT_MS".to_owned(), "20000".to_owned()),
        ("MAXRAY_OBJECT_STORAGE__S3__HEDGE_PERCENT_MAX".to_owned(), "10".to_owned()),
    ]);
    let platform = Platform::start(options).await;
    platform.add_user("reader", "viewer");
    let reader = platform.sign_in("reader", PASSWORD).await;
    let instance = Synthetic::cr("HEDGED", SMALL, SMALL);
    assert_eq!(store_beside(&platform, &instance).0, Some(0));
    let ledger = Ledger::default();
    ledger.acknowledge_synthetic(&instance, &instance.data_set());
    s3.fail(Fault::LosesFirstReads);
    let began = Instant::now();
    ledger.check(&reader, "with its first request lost").await;
    assert!(began.elapsed() < Duration::from_secs(15), "asked again after {:?}", began.elapsed());
}

/// The least memory there can be, and more senders than it has places: they wait for each other, and all are served.
#[tokio::test(flavor = "multi_thread")]
async fn senders_wait_for_memory_and_never_for_each_other() {
    let s3 = S3Server::start().await;
    let (platform, reader) = platform_on(&s3, &[("UPLOAD_MEMORY_MAX_BYTES", "16777216")]).await;
    let peer = platform.dicom();
    let shapes = [IN_PARTS, SMALL, IN_PARTS, 1024, IN_PARTS, 1024].map(|side| Shape { side, instances: 2 });
    let load = tokio::task::block_in_place(|| Load::run(peer, "MEMORY", &shapes));
    assert_eq!((load.ledger.len(), load.refused().len()), (12, 0), "{}", platform.log());
    load.check(&reader, "with little memory").await;
    assert_eq!(s3.open_uploads(), 0);
}

/// With the settings as they come: the bucket takes connections and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_bucket_is_a_failure_within_the_time_promised() {
    let s3 = S3Server::start().await;
    let (platform, reader) = platform_on(&s3, &[]).await;
    refuse_then_recover((&platform, &reader), &s3, Fault::Silent, SMALL).await;
}

/// What was stored once is read whole or not at all, even when the bucket breaks off.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_cut_short_or_altered_is_an_error_never_other_bytes() {
    let s3 = S3Server::start().await;
    let quick = [("REQUEST_TIMEOUT_MS", "4000"), ("OPERATION_TIMEOUT_MS", "8000")];
    let (platform, reader) = platform_on(&s3, &quick).await;
    let instance = Synthetic::cr("READS", SMALL, SMALL);
    let (status, _) = store_beside(&platform, &instance);
    assert_eq!(status, Some(0));
    let ledger = Ledger::default();
    ledger.acknowledge_synthetic(&instance, &instance.data_set());
    ledger.check(&reader, "whole").await;
    s3.fail(Fault::CutsReads);
    let entry = &ledger.entries()[&instance.sop_instance_uid];
    retrieve(&reader, entry, &instance.sop_instance_uid).await.expect_err("half an object is no object");
    s3.heal();
    // The breaker may be open for some seconds more.
    wait::until("the bucket to be asked again", async || {
        retrieve(&reader, entry, &instance.sop_instance_uid).await.ok()
    })
    .await;
    ledger.check(&reader, "whole again").await;
}

/// One frame of 10 MB, bare.
async fn frame(reader: &Session, path: &str, range: Option<&str>) -> reqwest::Response {
    let request = reader.request(Method::GET, path).header("Accept", "application/octet-stream");
    let request = range.into_iter().fold(request, |request, range| request.header("Range", range));
    request.send().await.expect("an answer")
}

/// A long frame is passed on as it is read: when its beginning was altered it is refused, further on the answer is cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_frame_that_was_altered_is_refused_or_cut() {
    let s3 = S3Server::start().await;
    let (platform, reader) = platform_on(&s3, &[]).await;
    let instance = Synthetic::cr("LONG", IN_PARTS, IN_PARTS);
    assert_eq!(store_beside(&platform, &instance).0, Some(0));
    let place = qido::locate(&reader, &instance.sop_instance_uid).await.expect("found");
    let path = format!(
        "/dicomweb/studies/{}/series/{}/instances/{}/frames/1",
        place.study_instance_uid, place.series_instance_uid, instance.sop_instance_uid
    );
    let length = usize::from(IN_PARTS).pow(2) * 2;
    let data_set = instance.data_set();
    let pixels = &data_set[data_set.len() - length..];
    let whole = frame(&reader, &path, None).await;
    assert_eq!((whole.status(), whole.content_length()), (StatusCode::OK, Some(length as u64)));
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert!(whole.bytes().await.expect("a body") == pixels, "the frame is another one");
    let part = frame(&reader, &path, Some("bytes=5000000-5000009")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.expect("a body"), &pixels[5_000_000..5_000_010]);

    let objects = s3.objects();
    let (key, object) = objects.iter().max_by_key(|(_, object)| object.len()).expect("an object");
    let altered_at = |at: usize| {
        let mut altered = object.to_vec();
        altered[at] ^= 1;
        s3.put(key, altered.into());
    };
    altered_at(object.len() - 1_000);
    let cut = frame(&reader, &path, None).await;
    assert_eq!(cut.status(), StatusCode::OK);
    cut.bytes().await.expect_err("half a frame is no frame");
    // Sealed in chunks of 64 KiB: the first, in which the frame begins, is opened before the answer begins.
    altered_at(20_000);
    let refused = frame(&reader, &path, None).await;
    assert!(refused.status().is_server_error(), "{}", refused.status());
}
