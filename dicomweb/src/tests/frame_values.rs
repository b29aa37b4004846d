//! Enhanced multi-frame instances (PS3.3 C.7.6.16): a picture of a frame is made with the frame's own values.

use std::io::Cursor;

use dicom_header::{VR, element_header};
use http::StatusCode;

use super::{Answer, Door, instances::Sample};

const INSTANCE: &str = "/studies/1.1/series/1.1.1/instances/1.1.1.1";
const URI: &str =
    "/wado?requestType=WADO&studyUID=1.1&seriesUID=1.1.1&objectUID=1.1.1.1&contentType=image/png";
const SHARED: u32 = 0x5200_9229;
const PER_FRAME: u32 = 0x5200_9230;
const PIXEL_VALUE_TRANSFORMATION: u32 = 0x0028_9145;
const FRAME_VOI_LUT: u32 = 0x0028_9132;

fn element(tag: u32, vr: VR, text: &str) -> Vec<u8> {
    let mut value = text.as_bytes().to_vec();
    value.resize(value.len().next_multiple_of(2), b' ');
    [element_header(false, tag, vr, Some(value.len() as u32)), value].concat()
}

/// A sequence whose length, and that of each item, is said at its beginning or by a delimiter.
fn sequence(is_defined: bool, tag: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let mut content = Vec::new();
    for item in items {
        let length = if is_defined { item.len() as u32 } else { u32::MAX };
        content.extend_from_slice(b"\xfe\xff\x00\xe0");
        content.extend_from_slice(&length.to_le_bytes());
        content.extend_from_slice(item);
        if !is_defined {
            content.extend_from_slice(b"\xfe\xff\x0d\xe0\0\0\0\0");
        }
    }
    let length = is_defined.then_some(content.len() as u32);
    if !is_defined {
        content.extend_from_slice(b"\xfe\xff\xdd\xe0\0\0\0\0");
    }
    [element_header(false, tag, VR::SQ, length), content].concat()
}

fn rescale(is_defined: bool, intercept: &str, slope: &str) -> Vec<u8> {
    let item = [element(0x0028_1052, VR::DS, intercept), element(0x0028_1053, VR::DS, slope)].concat();
    sequence(is_defined, PIXEL_VALUE_TRANSFORMATION, &[item])
}

fn window(is_defined: bool, center: &str, width: &str, function: &str) -> Vec<u8> {
    let mut item = [element(0x0028_1050, VR::DS, center), element(0x0028_1051, VR::DS, width)].concat();
    if !function.is_empty() {
        item.extend(element(0x0028_1056, VR::CS, function));
    }
    sequence(is_defined, FRAME_VOI_LUT, &[item])
}

/// Three frames, each pixel of which is stored as 100.
fn enhanced(groups: &[Vec<u8>]) -> Vec<u8> {
    let frames = vec![[100_u8, 0].repeat(8); 3];
    let file = Sample { frames, ..Sample::new("1.1", "1.1.1", "1.1.1.1") }.file();
    let at = file.windows(6).position(|window| window == b"\xe0\x7f\x10\x00OW").expect("pixel data");
    [&file[..at], &groups.concat(), &file[at..]].concat()
}

/// The grey that the whole picture has.
fn grey(answer: &Answer) -> u8 {
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let mut reader = png::Decoder::new(Cursor::new(&answer.body[..])).read_info().expect("a PNG");
    let mut levels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut levels).expect("rows");
    assert!(levels.iter().all(|level| *level == levels[0]), "{levels:?}");
    levels[0]
}

async fn greys(groups: &[Vec<u8>]) -> [u8; 3] {
    let door = Door::open().await;
    let stored = door.store(&[enhanced(groups)]).await;
    assert_eq!(stored.status, StatusCode::OK, "{:?}", stored.body);
    let mut greys = [0; 3];
    for (index, found) in greys.iter_mut().enumerate() {
        let number = index + 1;
        *found = grey(&door.get(&format!("{INSTANCE}/frames/{number}/rendered"), "image/png").await);
        let by_uri = door.get(&format!("{URI}&frameNumber={number}"), "*/*").await;
        let thumbnail = door.get(&format!("{INSTANCE}/frames/{number}/thumbnail"), "image/png").await;
        assert_eq!((grey(&by_uri), grey(&thumbnail)), (*found, *found), "{number}");
    }
    greys
}

#[tokio::test]
async fn each_frame_has_its_own_window_and_rescale() {
    for is_defined in [true, false] {
        let frame = |(intercept, slope), (center, width, function)| {
            let voi = window(is_defined, center, width, function);
            [voi, rescale(is_defined, intercept, slope)].concat()
        };
        let frames = [
            // 100 is the middle of 0 to 200.
            frame(("0", "1"), ("100", "200", "LINEAR_EXACT")),
            // 210 is a quarter of the way from 160 to 360.
            frame(("10", "2"), ("260", "200", "LINEAR_EXACT")),
            // LINEAR, where nothing is said: 50 is three quarters of the way from -25 to 75.
            frame(("0", "0.5"), ("25.5", "101", "")),
        ];
        // What is said for all frames is not meant for those that say it themselves.
        let shared = rescale(is_defined, "0", "7");
        let groups = [sequence(is_defined, SHARED, &[shared]), sequence(is_defined, PER_FRAME, &frames)];
        assert_eq!(greys(&groups).await, [128, 64, 191], "{is_defined}");
    }
}

#[tokio::test]
async fn what_is_said_for_all_frames_is_meant_for_all() {
    let all = [window(true, "260", "200", "LINEAR_EXACT"), rescale(true, "10", "2")].concat();
    let shared = sequence(true, SHARED, &[all]);
    assert_eq!(greys(std::slice::from_ref(&shared)).await, [64; 3]);
    // Items that say something else, where it lies.
    let position = sequence(true, 0x0020_9113, &[element(0x0020_0032, VR::DS, "0\\0\\1")]);
    let frames = sequence(true, PER_FRAME, &[position.clone(), position.clone(), position]);
    assert_eq!(greys(&[shared, frames]).await, [64; 3]);
}

#[tokio::test]
async fn items_that_make_no_sense_are_no_obstacle() {
    let all = [window(true, "260", "200", "LINEAR_EXACT"), rescale(true, "10", "2")].concat();
    let shared = sequence(true, SHARED, &[all]);
    let wrong_vr = element(FRAME_VOI_LUT, VR::LO, "x");
    let no_numbers = [window(true, "x", "y", "z"), rescale(true, "x", "y")].concat();
    let no_items = sequence(false, PIXEL_VALUE_TRANSFORMATION, &[]);
    let mut items = vec![wrong_vr, no_numbers, no_items];
    items.resize(100_000, Vec::new());
    for is_defined in [true, false] {
        let frames = sequence(is_defined, PER_FRAME, &items);
        assert_eq!(greys(&[shared.clone(), frames]).await, [64; 3], "{is_defined}");
    }
    // No sequence at all.
    assert_eq!(greys(&[shared, element(PER_FRAME, VR::LO, "x")]).await, [64; 3]);
}
