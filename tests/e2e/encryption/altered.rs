//! Who changes what is stored gets nobody to see it (row 56).

use tests::{
    ledger::Ledger,
    platform::{Options, Platform},
    session::Session,
    synthetic::Synthetic,
};

use super::{instance_path, retrieve, send, wait_for_objects};

/// The first frame, when it comes.
async fn frame(session: &Session, instance: &Synthetic) -> Option<Vec<u8>> {
    let accept = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";
    let answer = session.get_as(&format!("{}/frames/1", instance_path(instance)), accept).await;
    if answer.status() != 200 {
        assert_eq!(answer.status(), 500);
        return None;
    }
    answer.bytes().await.ok().map(|body| body.to_vec())
}

#[tokio::test]
async fn every_byte_of_a_stored_instance_counts() {
    // No previews: every object is an instance.
    let platform = Platform::start(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")).await;
    let viewer = platform.user("viewer", "viewer").await;
    let ledger = Ledger::default();
    let instance = Synthetic::cr("FLIP-1", 8, 8);
    send(&platform, &ledger, std::slice::from_ref(&instance));
    let object = platform.stored_objects().pop().expect("an object");
    let stored = platform.read_object(&object);
    let right = retrieve(&viewer, &instance).await.expect("it is readable");
    for index in 0..stored.len() {
        let mut changed = stored.clone();
        changed[index] ^= 1 << (index % 8);
        platform.write_object(&object, &changed);
        assert_eq!(retrieve(&viewer, &instance).await, None, "byte {index} of {}", stored.len());
    }
    platform.write_object(&object, &stored);
    assert_eq!(retrieve(&viewer, &instance).await, Some(right));
    let counted = platform.metric("maxray_objects_altered_total").await;
    assert!(counted >= stored.len() as f64, "{counted} of {}", stored.len());
    assert!(platform.log().contains("an object is not what was stored"), "{}", platform.log());
}

#[tokio::test]
async fn swapped_cut_and_old_objects_are_found() {
    let mut platform = Platform::start(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")).await;
    let viewer = platform.user("viewer", "viewer").await;
    let ledger = Ledger::default();
    // The same patient, study, series and size: nothing but the objects themselves tells them apart.
    let instances = Synthetic::cr("SWAP-1", 200, 200).series(2);
    send(&platform, &ledger, &instances);
    let objects = platform.stored_objects();
    let contents: Vec<Vec<u8>> = objects.iter().map(|object| platform.read_object(object)).collect();
    let put = |platform: &Platform, one: &[u8], other: &[u8]| {
        platform.write_object(&objects[0], one);
        platform.write_object(&objects[1], other);
    };
    put(&platform, &contents[1], &contents[0]);
    for instance in &instances {
        assert_eq!(retrieve(&viewer, instance).await, None, "swapped");
        assert_eq!(frame(&viewer, instance).await, None, "swapped");
    }
    // Cut behind the frame's chunk, too: the length of the whole is looked at by every read.
    put(&platform, &contents[0][..contents[0].len() - 1], &contents[1][..contents[1].len() - 70_000]);
    for instance in &instances {
        assert_eq!(retrieve(&viewer, instance).await, None, "cut");
        assert_eq!(frame(&viewer, instance).await, None, "cut");
    }
    put(&platform, &contents[0], &contents[1]);
    ledger.check(&viewer, "all is back").await;

    // Sealed anew with another key; then the old content is put under the new name.
    platform.stop().await;
    let rotated = platform
        .command(&["key", "rotate", "--patient", "SWAP-1"])
        .env("MAXRAY_KEYS__ROTATION_GRACE_MS", "0")
        .output()
        .expect("runs");
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    platform.restart().await;
    let viewer = viewer.moved_to(&platform);
    ledger.check(&viewer, "after the rotation").await;
    let new = platform.stored_objects();
    assert!(new.len() == 2 && new.iter().all(|path| !objects.contains(path)), "{new:?}");
    for (object, content) in new.iter().zip(&contents) {
        platform.write_object(object, content);
    }
    for instance in &instances {
        assert_eq!(retrieve(&viewer, instance).await, None, "an old version");
    }
}

/// A preview that was changed is not shown, and is made again.
#[tokio::test]
async fn a_changed_preview_is_made_again() {
    let platform = Platform::start(Options::default()).await;
    let viewer = platform.user("viewer", "viewer").await;
    let ledger = Ledger::default();
    let instance = Synthetic::cr("PREVIEW-1", 200, 200);
    send(&platform, &ledger, std::slice::from_ref(&instance));
    wait_for_objects(&platform, 3).await;
    let path = format!("{}/thumbnail", instance_path(&instance));
    let right = viewer.get_as(&path, "image/jpeg").await.bytes().await.expect("a picture");
    for object in platform.stored_objects() {
        let mut content = platform.read_object(&object);
        // The instance is much longer than its pictures.
        if content.len() < 60_000 {
            content[100] ^= 1;
            platform.write_object(&object, &content);
        }
    }
    let answer = viewer.get_as(&path, "image/jpeg").await;
    assert_eq!(answer.status(), 200, "it is rendered while the new one is made");
    assert!(answer.bytes().await.expect("a picture").starts_with(&[0xff, 0xd8]));
    assert!(platform.metric("maxray_objects_altered_total").await > 0.0);
    wait_for_objects(&platform, 5).await;
    let again = viewer.get_as(&path, "image/jpeg").await.bytes().await.expect("a picture");
    assert_eq!(again, right);
}
