//! A bucket that fails or lies. threats.md row 60: nothing is acknowledged that is not stored, the sender hears of it
//! within 35 seconds, and the first store after the bucket has recovered works.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use tests::{
    ledger::{Ledger, retrieve},
    platform::{Options, Platform},
    qido,
    s3::{Fault, S3Server},
    scu::{Association, Proposal},
    session::{PASSWORD, Session},
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
};

/// Longest time until a sender hears that its instance was not stored.
const FAILURE_REPLY_MAX: Duration = Duration::from_secs(35);
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

fn store_beside(platform: &Platform, instance: &Synthetic) -> (Option<u16>, Duration) {
    let began = Instant::now();
    let status = tokio::task::block_in_place(|| store(platform, instance));
    (status, began.elapsed())
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
    let (status, _) = store_beside(platform, &instance);
    assert_eq!(status, Some(0), "{fault:?}: the bucket works again");
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
    let faults =
        [Fault::InternalError, Fault::SlowDown, Fault::Forbidden, Fault::ForgetsUploads, Fault::CutsUploads];
    for fault in faults {
        refuse_then_recover(whole, &s3, fault, SMALL).await;
    }
    for fault in [Fault::FailsCompletion, Fault::CutsUploads] {
        refuse_then_recover(whole, &s3, fault, IN_PARTS).await;
    }
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
