//! What is taken: bit for bit, once, and the second version beside the first.

use bytes::Bytes;
use database::{ConflictPolicy, StoreOutcome};
use dicom_header::FileMetaReader;
use futures_util::future::join_all;
use model::transfer_syntax as syntax;

use super::{
    Kit,
    bytes_of::{Image, SOP_CLASS, deflate, element, encapsulated, noise},
    collect, explicit, in_syntax, origin, part10,
};
use crate::{ArchiveConfig, StoreError};

#[tokio::test]
async fn a_data_set_comes_back_bit_for_bit_however_it_was_cut() {
    let kit = Kit::open().await;
    let large = Image {
        sop: "1.2.3.4.6",
        rows: 2048,
        columns: 1536,
        pixel_data: element(0x7FE0_0010, *b"OB", &noise(2048 * 1536)),
        ..Image::default()
    };
    for (image, chunks) in [(Image::default(), &[1, 7, 1 << 20][..]), (large, &[4_001, 1 << 17, 1 << 23])] {
        let data_set = image.data_set();
        for (index, chunk) in chunks.iter().enumerate() {
            let stored = kit.store(explicit(), &data_set, *chunk).await.expect("store");
            assert_eq!(matches!(stored.outcome, StoreOutcome::Stored { .. }), index == 0);
            let (instance, _) = kit.instance(&stored).await;
            assert_eq!(instance.data_set_length_bytes, data_set.len() as u64);
            let archive = &kit.archive;
            assert!(collect(archive.read_data_set(&instance).await.expect("read")).await == data_set);
            assert!(archive.verify_instance(&instance).await.expect("verify"));

            let file = collect(archive.read_instance(&instance).await.expect("read")).await;
            let read = FileMetaReader::new().push(&file).expect("Part 10").expect("whole");
            assert!(read.data_set_start == data_set);
            assert_eq!(read.meta.transfer_syntax_uid.as_str(), syntax::EXPLICIT_VR_LITTLE_ENDIAN);
            assert_eq!(read.meta.media_storage_sop_class_uid.expect("there").as_str(), SOP_CLASS);
            assert_eq!(read.meta.media_storage_sop_instance_uid, Some(stored.sop_instance_uid));
            assert_eq!(read.meta.source_application_entity_title, origin().calling_ae);
        }
    }
    kit.assert_holds(2).await;
}

#[tokio::test]
async fn a_file_gets_our_file_meta_group_and_keeps_its_data_set() {
    let kit = Kit::open().await;
    let data_set = Image::default().data_set();
    let mut group = element(0x0002_0002, *b"UI", SOP_CLASS.as_bytes());
    group.extend(element(0x0002_0003, *b"UI", b"1.2.3.999"));
    group.extend(element(0x0002_0010, *b"UI", syntax::EXPLICIT_VR_LITTLE_ENDIAN.as_bytes()));
    group.extend(element(0x0002_0102, *b"OB", b"private"));
    let mut file = b"#!/bin/sh".to_vec();
    file.resize(128, 0x41);
    file.extend_from_slice(b"DICM");
    file.extend(element(0x0002_0000, *b"UL", &(group.len() as u32).to_le_bytes()));
    file.extend(group);
    file.extend(&data_set);
    for chunk in [3, 1 << 20] {
        let stored = kit.store(part10(Some("1.2.3")), &file, chunk).await.expect("store");
        assert!(stored.warnings.iter().any(|warning| warning.contains("file meta")), "{:?}", stored.warnings);
        let (instance, _) = kit.instance(&stored).await;
        let kept = collect(kit.archive.read_instance(&instance).await.expect("read")).await;
        assert_eq!(kept[instance.data_set_offset as usize..], data_set);
        assert_eq!(kept[..128], [0; 128], "nothing executable is kept in the preamble");
    }
    kit.assert_holds(1).await;
}

#[tokio::test]
async fn compressed_and_deflated_data_sets_are_kept_as_they_came() {
    let kit = Kit::open().await;
    let jpeg = Image { pixel_data: encapsulated(&[], &[b"\xFF\xD8\xFF\xD9"]), ..Image::default() }.data_set();
    let deflated = deflate(&Image { sop: "1.2.3.4.6", ..Image::default() }.data_set());
    for (uid, data_set) in
        [(syntax::JPEG_BASELINE, jpeg), (syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, deflated)]
    {
        let stored = kit.store(in_syntax(uid), &data_set, 100).await.expect("store");
        let (instance, _) = kit.instance(&stored).await;
        assert_eq!(instance.transfer_syntax_uid.as_str(), uid);
        assert_eq!(collect(kit.archive.read_data_set(&instance).await.expect("read")).await, data_set);
    }
    kit.assert_holds(2).await;
}

#[tokio::test]
async fn the_same_again_is_a_success_and_no_second_object() {
    let kit = Kit::open().await;
    let data_set = Image::default().data_set();
    let at_once = join_all((0..8).map(|_| kit.store_data_set(&data_set))).await;
    let outcomes: Vec<_> = at_once.into_iter().map(|result| result.expect("success").outcome).collect();
    let stored: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            StoreOutcome::Stored { id } => Some(*id),
            StoreOutcome::Duplicate { .. } => None,
            StoreOutcome::Conflict { .. } => panic!("same content"),
        })
        .collect();
    assert_eq!(stored.len(), 1);
    let later = kit.store_data_set(&data_set).await.expect("success").outcome;
    for outcome in outcomes.into_iter().chain([later]).filter(|o| !matches!(o, StoreOutcome::Stored { .. })) {
        assert_eq!(outcome, StoreOutcome::Duplicate { id: stored[0] });
    }
    kit.assert_holds(1).await;
}

/// After the first, which nobody expects, they are told by looking.
#[tokio::test]
async fn of_what_comes_again_nothing_is_written() {
    let kit = Kit::open().await;
    let images = ["1.2.3.4.6", "1.2.3.4.7"].map(|sop| Image { sop, ..Image::default() }.data_set());
    for data_set in &images {
        kit.store_data_set(data_set).await.expect("store");
    }
    kit.store_data_set(&images[0]).await.expect("known");
    kit.assert_holds(2).await;
    std::fs::remove_dir(kit.root.path().join("spool")).expect("empty");
    for data_set in &images {
        let again = kit.store_data_set(data_set).await.expect("nothing is written");
        assert!(matches!(again.outcome, StoreOutcome::Duplicate { .. }));
    }
    let third = Image { sop: "1.2.3.4.8", ..Image::default() }.data_set();
    kit.store_data_set(&third).await.expect_err("a new one has to be written");
}

#[tokio::test]
async fn another_content_is_kept_beside_the_first() {
    let kit = Kit::open().await;
    let first = Image::default();
    let pixel_data = element(0x7FE0_0010, *b"OB", &[7; 64]);
    let second = Image { pixel_data, ..first.clone() };
    let stored = kit.store_data_set(&first.data_set()).await.expect("store");
    let conflict = kit.store_data_set(&second.data_set()).await.expect("kept");
    assert!(matches!(conflict.outcome, StoreOutcome::Conflict { .. }));
    let again = kit.store_data_set(&second.data_set()).await.expect("known");
    assert!(matches!(again.outcome, StoreOutcome::Duplicate { .. }));
    let (instance, _) = kit.instance(&stored).await;
    assert_eq!(collect(kit.archive.read_data_set(&instance).await.expect("read")).await, first.data_set());
    kit.assert_holds(2).await;
}

#[tokio::test]
async fn another_content_is_refused_when_the_settings_say_so() {
    let kit =
        Kit::with(ArchiveConfig { conflict_policy: ConflictPolicy::Refuse, ..Default::default() }).await;
    let first = Image::default();
    kit.store_data_set(&first.data_set()).await.expect("store");
    let second = Image { pixel_data: element(0x7FE0_0010, *b"OB", &[7; 64]), ..first };
    let error = kit.store_data_set(&second.data_set()).await.expect_err("refused");
    assert!(matches!(error, StoreError::ConflictRefused), "{error}");
    assert_eq!(error.dimse_status(), 0x0111);
    kit.assert_holds(1).await;
}

#[tokio::test]
async fn a_commit_whose_caller_went_away_goes_on() {
    let kit = Kit::open().await;
    let data_set = Image::default().data_set();
    let mut writer = kit.archive.store_instance(origin(), explicit());
    writer.write(Bytes::from(data_set.clone())).await.expect("write");
    let cut = tokio::time::timeout(std::time::Duration::ZERO, writer.commit()).await;
    assert!(cut.is_err(), "the commit needs longer than no time");
    for _ in 0..1_000 {
        if kit.archive.database().counts().await.expect("counts").instances == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    kit.assert_holds(1).await;
    let again = kit.store_data_set(&data_set).await.expect("known");
    assert!(matches!(again.outcome, StoreOutcome::Duplicate { .. }));
}
