//! What is refused, and that nothing of it is left.

use bytes::Bytes;
use dicom_header::{HeaderError, Identity};
use model::{SopClassUid, SopInstanceUid, transfer_syntax as syntax};

use super::{
    Kit,
    bytes_of::{Image, SOP_CLASS, deflate, element, noise},
    explicit, in_syntax, origin, part10, transfer_syntax,
};
use crate::{ArchiveConfig, Form, StoreError};

fn expecting(sop_class: &str, sop_instance: &str) -> Form {
    let expected = Some(Identity {
        sop_class_uid: SopClassUid::parse(sop_class).expect("UID"),
        sop_instance_uid: SopInstanceUid::parse(sop_instance).expect("UID"),
    });
    Form::DataSet { transfer_syntax: transfer_syntax(syntax::EXPLICIT_VR_LITTLE_ENDIAN), expected }
}

#[tokio::test]
async fn the_command_and_the_data_set_must_agree() {
    let kit = Kit::open().await;
    let data_set = Image::default().data_set();
    for (class, instance) in [(SOP_CLASS, "1.2.3.4.6"), ("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4.5")] {
        let error = kit.store(expecting(class, instance), &data_set, 64).await.expect_err("refused");
        assert!(matches!(error, StoreError::IdentityMismatch { .. }), "{error}");
        assert_eq!(error.dimse_status(), 0xA900);
        kit.assert_holds(0).await;
    }
    kit.store(expecting(SOP_CLASS, "1.2.3.4.5"), &data_set, 64).await.expect("they agree");
    kit.assert_holds(1).await;
}

#[tokio::test]
async fn the_path_and_the_data_set_must_agree() {
    let kit = Kit::open().await;
    let mut file = dicom_header::encode_file_meta(
        &SopClassUid::parse(SOP_CLASS).expect("UID"),
        &SopInstanceUid::parse("1.2.3.4.5").expect("UID"),
        &transfer_syntax(syntax::EXPLICIT_VR_LITTLE_ENDIAN),
        None,
    );
    file.extend(Image::default().data_set());
    let error = kit.store(part10(Some("1.2.4")), &file, 1 << 20).await.expect_err("refused");
    assert!(matches!(error, StoreError::WrongStudy), "{error}");
    kit.assert_holds(0).await;
    kit.store(part10(Some("1.2.3")), &file, 1 << 20).await.expect("they agree");
}

#[tokio::test]
async fn uids_do_not_move() {
    let kit = Kit::open().await;
    let image = Image::default();
    kit.store_data_set(&image.data_set()).await.expect("store");
    let foreign_study = Image { study: "1.2.9", series: "1.2.9.1", ..image.clone() };
    let error = kit.store_data_set(&foreign_study.data_set()).await.expect_err("refused");
    assert!(matches!(error, StoreError::ForeignStudy), "{error}");
    let foreign_series = Image { study: "1.2.9", sop: "1.2.9.9", ..image };
    let error = kit.store_data_set(&foreign_series.data_set()).await.expect_err("refused");
    assert!(matches!(error, StoreError::ForeignSeries), "{error}");
    kit.assert_holds(1).await;
}

/// A cut between two elements cannot be seen: a bare data set does not say how long it is. The lengths around it
/// do (PDV flags, multipart boundaries), and the doors look at them.
#[tokio::test]
async fn a_data_set_cut_inside_an_element_is_refused_and_nothing_is_left() {
    let kit = Kit::open().await;
    let elements = Image::default().elements();
    let data_set = elements.concat();
    let series_element = 6;
    let mut whole = 0;
    let mut boundaries = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        whole += element.len();
        if index >= series_element {
            boundaries.push(whole);
        }
    }
    for end in 0..data_set.len() {
        if !boundaries.contains(&end) {
            let error = kit.store_data_set(&data_set[..end]).await.expect_err("refused");
            assert_eq!(error.dimse_status(), 0xC000, "cut at {end}");
        }
    }
    kit.assert_holds(0).await;
}

#[tokio::test]
async fn a_deflated_data_set_cut_short_is_refused() {
    let kit = Kit::open().await;
    let deflated = deflate(&Image::default().data_set());
    for end in [0, 1, 10, deflated.len() / 2, deflated.len() - 8] {
        let form = in_syntax(syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN);
        let error = kit.store(form, &deflated[..end], 50).await.expect_err("refused");
        assert_eq!(error.dimse_status(), 0xC000, "cut at {end}");
    }
    kit.assert_holds(0).await;
}

#[tokio::test]
async fn what_is_no_dicom_is_refused() {
    let kit = Kit::open().await;
    for (form, bytes) in [
        (explicit(), b"GIF89a is no data set".to_vec()),
        (explicit(), Vec::new()),
        (part10(None), Vec::new()),
        (part10(None), noise(5_000)),
        (part10(None), vec![0; 300]),
        (part10(None), [vec![0; 128], b"DICM".to_vec()].concat()),
        (explicit(), element(0x0008_0060, *b"CS", b"OT")),
    ] {
        let error = kit.store(form, &bytes, 100).await.expect_err("refused");
        assert!(matches!(error, StoreError::Header(_)), "{error}");
    }
    kit.assert_holds(0).await;
}

#[tokio::test]
async fn uids_that_never_come_do_not_fill_the_memory() {
    let kit = Kit::open().await;
    let mut data_set = Vec::new();
    for _ in 0..40 {
        data_set.extend(element(0x0008_0008, *b"UN", &noise(60_000)));
    }
    let error = kit.store_data_set(&data_set).await.expect_err("refused");
    assert!(matches!(error, StoreError::Header(HeaderError::MissingUid(_) | HeaderError::Malformed { .. })));
    kit.assert_holds(0).await;
}

#[tokio::test]
async fn an_instance_longer_than_the_setting_is_refused_at_once() {
    let kit = Kit::with(ArchiveConfig { object_length_max_bytes: 3 << 20, ..Default::default() }).await;
    let image = Image {
        rows: 2_000,
        columns: 2_000,
        pixel_data: element(0x7FE0_0010, *b"OB", &noise(4_000_000)),
        ..Image::default()
    };
    let mut writer = kit.archive.store_instance(origin(), explicit());
    let mut refused = None;
    for part in image.data_set().chunks(1 << 18) {
        if let Err(error) = writer.write(Bytes::copy_from_slice(part)).await {
            refused.get_or_insert(error);
        }
    }
    let error = refused.expect("refused");
    assert_eq!(error.dimse_status(), 0xA700);
    assert_eq!(writer.identity().expect("known").sop_instance_uid.as_str(), "1.2.3.4.5");
    assert!(matches!(writer.commit().await, Err(StoreError::GivenUp)));
    kit.assert_holds(0).await;
}

#[tokio::test]
async fn a_writer_given_up_leaves_nothing() {
    let kit = Kit::open().await;
    let image = Image {
        rows: 2_000,
        columns: 2_000,
        pixel_data: element(0x7FE0_0010, *b"OB", &noise(4_000_000)),
        ..Image::default()
    };
    let mut writer = kit.archive.store_instance(origin(), explicit());
    writer.write(Bytes::from(image.data_set())).await.expect("write");
    writer.abort().await;
    kit.assert_holds(0).await;
}
