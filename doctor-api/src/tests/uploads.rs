//! X-rays and pictures of them that come over REST.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use model::access::Role;
use serde_json::{Value, json};

use super::{
    house::{Answer, House, request},
    part10,
};

async fn upload(house: &House, token: &str, parts: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head =
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    let request = Request::post("/xrays")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge");
    house.call(request.body(Body::from(body)).expect("request")).await
}

async fn picture(house: &House, token: &str, metadata: Value, file: &[u8]) -> Answer {
    upload(house, token, &[("metadata", metadata.to_string().as_bytes()), ("file", file)]).await
}

/// 24 x 16 pixels, the left half dark, with Exif that says which way up and where.
fn jpeg(orientation: u8) -> Vec<u8> {
    let pixels: Vec<u8> = (0..16 * 24).map(|at| if at % 24 < 12 { 10 } else { 240 }).collect();
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 95)
        .encode(&pixels, 24, 16, ExtendedColorType::L8)
        .expect("a JPEG");
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend_from_slice(b"GPSLatitude 5.6037");
    let mut segment = vec![0xFF, 0xE1];
    segment.extend_from_slice(&u16::try_from(exif.len() + 2).expect("short").to_be_bytes());
    segment.extend(exif);
    file.splice(2..2, segment);
    file
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn a_picture_of_a_phone_becomes_an_instance_that_tells_no_place() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, ada) = house.account(Role::Doctor, Some(doctor.id)).await;
    let (_, paramedic) = house.account(Role::Paramedic, None).await;
    let consultation = house.book(&paramedic, &doctor, "P1").await;
    let metadata = json!({
        "consultation_id": consultation, "body_part": "HAND", "view": "PA", "laterality": "L",
        "paramedic": "Owusu^Efua", "captured_at": "2026-05-03T09:00:00Z", "notes": "swollen"
    });
    for (orientation, syntax, size) in
        [(1, "1.2.840.10008.1.2.4.50", (16, 24)), (6, "1.2.840.10008.1.2.1", (24, 16))]
    {
        let made = picture(&house, &paramedic, metadata.clone(), &jpeg(orientation)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        assert_eq!(made.json()["linked"], true);
        let path = made.header(header::LOCATION).to_owned();
        let xray = house.get(&path, &ada).await.json();
        assert_eq!(xray["transfer_syntax_uid"], syntax);
        assert_eq!((&xray["rows"], &xray["columns"]), (&json!(size.0), &json!(size.1)), "{orientation}");
        assert_eq!(xray["study"]["patient"]["patient_id"], "P1");
        assert_eq!(
            (&xray["series"]["body_part_examined"], &xray["view_position"]),
            (&json!("HAND"), &json!("PA"))
        );
        assert_eq!((&xray["said"]["notes"], &xray["said"]["version"]), (&json!("swollen"), &json!(1)));
        let file = house.get(&format!("{path}/download"), &ada).await.body;
        assert!(!contains(&file, b"Exif") && !contains(&file, b"GPSLatitude"));
        assert_pictures(&house, &ada, &path, size).await;
        if orientation == 6 {
            // The dark half is on top now.
            let pixels = &file[file.len() - 24 * 16..];
            assert!(pixels[..16].iter().all(|value| *value < 60), "{:?}", &pixels[..16]);
            assert!(pixels[23 * 16..].iter().all(|value| *value > 190));
        }
    }
    let listed = house
        .get(&format!("/xrays?consultation_id={consultation}&body_part=HAND&from=2026-05-03"), &ada)
        .await;
    assert_eq!(listed.json()["items"].as_array().map(Vec::len), Some(2), "{:?}", listed.body);
    for query in ["body_part=FOOT", "from=2026-05-04"] {
        let none = house.get(&format!("/xrays?consultation_id={consultation}&{query}"), &ada).await;
        assert_eq!(none.json()["items"], json!([]), "{query}");
    }
}

/// As a picture of full size, in both forms; not of a frame that is not there, and not in others.
async fn assert_pictures(house: &House, token: &str, path: &str, (rows, columns): (u32, u32)) {
    for (format, media_type, extension) in [("jpeg", "image/jpeg", "jpg"), ("png", "image/png", "png")] {
        let shown = house.get(&format!("{path}/download?format={format}"), token).await;
        assert_eq!((shown.status, shown.header(header::CONTENT_TYPE)), (StatusCode::OK, media_type));
        assert!(shown.header(header::CONTENT_DISPOSITION).ends_with(&format!(".{extension}\"")));
        let picture = image::load_from_memory(&shown.body).expect("a picture").to_luma8();
        assert_eq!(picture.dimensions(), (columns, rows));
        // The corner of the first pixel is dark, the opposite one light.
        assert!(picture.get_pixel(0, 0)[0] < 60 && picture.get_pixel(columns - 1, rows - 1)[0] > 190);
    }
    for (query, status) in [
        ("format=png&frame=2", StatusCode::NOT_FOUND),
        ("format=png&frame=0", StatusCode::BAD_REQUEST),
        ("format=gif", StatusCode::BAD_REQUEST),
    ] {
        let refused = house.get(&format!("{path}/download?{query}"), token).await;
        assert_eq!(refused.status, status, "{query}: {:?}", refused.body);
    }
}

#[tokio::test]
async fn png_and_tiff_keep_every_sample_and_dicom_every_byte() {
    let house = House::open().await;
    let (_, platform) = house.account(Role::Service, None).await;
    let mut png = std::io::Cursor::new(Vec::new());
    let pixels =
        image::ImageBuffer::<image::Luma<u16>, _>::from_fn(2, 2, |x, y| image::Luma([(x * 256 + y) as u16]));
    pixels.write_to(&mut png, image::ImageFormat::Png).expect("a PNG");
    let made = picture(&house, &platform, json!({ "patient_id": "P1" }), png.get_ref()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let file = house.get(&format!("{}/download", made.header(header::LOCATION)), &platform).await.body;
    assert!(file.ends_with(&[0, 0, 0, 1, 1, 0, 1, 1]));
    let mut tiff = std::io::Cursor::new(Vec::new());
    let mut scanner = tiff::encoder::TiffEncoder::new(&mut tiff).expect("an encoder");
    scanner.write_image::<tiff::encoder::colortype::Gray16>(2, 2, pixels.as_raw()).expect("a TIFF");
    let made = picture(&house, &platform, json!({ "patient_id": "P1" }), tiff.get_ref()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let file = house.get(&format!("{}/download", made.header(header::LOCATION)), &platform).await.body;
    assert!(file.ends_with(&[0, 0, 0, 1, 1, 0, 1, 1]));
    let dicom = part10::file("P9", "1.2.3", "1.2.3.4", "1.2.3.4.5");
    let stored = picture(&house, &platform, json!({}), &dicom).await;
    assert_eq!(stored.status, StatusCode::CREATED, "{:?}", stored.body);
    let kept = house.get(&format!("{}/download", stored.header(header::LOCATION)), &platform).await.body;
    assert!(kept.ends_with(&part10::data_set("P9", "1.2.3", "1.2.3.4", "1.2.3.4.5")));
    // Without its last element, the pixels, it is an instance all the same, and no picture.
    let whole = part10::file("P9", "1.2.3", "1.2.3.4", "1.2.3.4.6");
    let bare = picture(&house, &platform, json!({}), &whole[..whole.len() - 16]).await;
    assert_eq!(bare.status, StatusCode::CREATED, "{:?}", bare.body);
    let path = format!("{}/download?format=jpeg", bare.header(header::LOCATION));
    let refused = house.get(&path, &platform).await;
    assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE);
    assert_eq!(refused.json()["type"], "urn:maxray:problem:not-renderable");
    let again = picture(&house, &platform, json!({}), &dicom).await;
    assert_eq!((again.status, &again.json()["id"]), (StatusCode::OK, &stored.json()["id"]));
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_said_and_nothing_is_kept() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (_, for_ada) = house.account(Role::Doctor, Some(ada.id)).await;
    let (_, for_ben) = house.account(Role::Doctor, Some(ben.id)).await;
    let (_, platform) = house.account(Role::Service, None).await;
    let good = jpeg(1);
    let of = json!({ "patient_id": "P1" });
    for (metadata, file, field) in [
        (of.clone(), &b"GIF89a"[..], "file"),
        (of.clone(), &good[..good.len() / 2], "file"),
        (of.clone(), &b"\x89PNG\r\n\x1a\n and no more"[..], "file"),
        (of.clone(), &b"II*\0 and no more"[..], "file"),
        (json!({}), &good, "patient_id"),
        (json!({ "patient_id": "P1", "laterality": "left" }), &good, "laterality"),
        (json!({ "patient_id": "P1", "body_part": "hand" }), &good, "body_part"),
        (json!({ "patient_id": "P1", "role": "admin" }), &good, "role"),
    ] {
        let refused = picture(&house, &platform, metadata, file).await;
        assert_eq!(
            (refused.status.as_u16(), refused.refused()),
            (422, vec![field.to_owned()]),
            "{:?}",
            refused.body
        );
    }
    assert_eq!(picture(&house, &for_ada, of.clone(), &good).await.refused(), ["consultation_id"]);
    let consultation = json!({ "consultation_id": house.book(&for_ada, &ada, "P1").await });
    assert_eq!(picture(&house, &for_ben, consultation, &good).await.status, StatusCode::NOT_FOUND);
    let text = of.to_string();
    let backwards = upload(&house, &platform, &[("file", &good), ("metadata", text.as_bytes())]).await;
    assert_eq!(backwards.refused(), ["metadata"]);
    let no_form = house.post("/xrays", &platform, json!({})).await;
    assert_eq!(no_form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let kept = house.get("/patients/P1/studies", &platform).await.json();
    assert_eq!(kept["items"], json!([]));
}

#[tokio::test]
async fn what_is_said_of_an_xray_is_changed_on_what_was_read() {
    let house = House::open().await;
    let (_, platform) = house.account(Role::Service, None).await;
    let (_, paramedic) = house.account(Role::Paramedic, None).await;
    let (id, _) = house.store("P1", 1).await;
    let path = format!("/xrays/{id}");
    let patch = json!({ "notes": "seen", "laterality": "R" });
    let bare = house.call(request("PATCH", &path, &platform, Some(patch.clone()))).await;
    assert_eq!(bare.status, StatusCode::PRECONDITION_REQUIRED);
    let said = house.with_header(("PATCH", &path), &platform, ("if-match", "\"0\""), patch.clone()).await;
    assert_eq!((said.status, said.header(header::ETAG)), (StatusCode::OK, "\"1\""));
    let late = house.with_header(("PATCH", &path), &platform, ("if-match", "\"0\""), patch.clone()).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(house.get(&path, &platform).await.json()["said"]["laterality"], "R");
    let theirs = house.with_header(("PATCH", &path), &paramedic, ("if-match", "\"1\""), patch).await;
    assert_eq!(theirs.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_there_already_is_not_described_by_whom_it_does_not_belong_to() {
    let house = House::open().await;
    let (_, platform) = house.account(Role::Service, None).await;
    let (_, stranger) = house.account(Role::Paramedic, None).await;
    let (id, study) = house.store("P1", 1).await;
    let file = part10::file("P1", &study, &format!("{study}.1"), &format!("{study}.1.1"));
    let said = json!({ "notes": "not mine", "paramedic": "Nobody" });
    let again = picture(&house, &stranger, said.clone(), &file).await;
    assert_eq!(again.status, StatusCode::OK, "{:?}", again.body);
    let path = format!("/xrays/{id}");
    assert_eq!(house.get(&path, &platform).await.json()["said"]["version"], 0, "nothing was said");
    assert_eq!(picture(&house, &platform, said, &file).await.status, StatusCode::OK);
    assert_eq!(house.get(&path, &platform).await.json()["said"]["version"], 1, "within reach it may be");
}

#[tokio::test]
async fn a_file_of_another_patient_is_refused_for_a_doctor_and_not_put_to_the_consultation() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, ada) = house.account(Role::Doctor, Some(doctor.id)).await;
    let (_, paramedic) = house.account(Role::Paramedic, None).await;
    let (_, platform) = house.account(Role::Service, None).await;
    let of = json!({ "consultation_id": house.book(&paramedic, &doctor, "P1").await });
    let file = part10::file("P9", "1.2.9", "1.2.9.1", "1.2.9.1.1");
    let refused = picture(&house, &ada, of.clone(), &file).await;
    assert_eq!((refused.status.as_u16(), refused.refused()), (422, vec!["file".to_owned()]));
    assert_eq!(house.get("/patients/P9/studies", &platform).await.json()["items"], json!([]));
    let own = part10::file("P1", "1.2.1", "1.2.1.1", "1.2.1.1.1");
    let stored = picture(&house, &ada, of.clone(), &own).await;
    assert_eq!((stored.status, &stored.json()["linked"]), (StatusCode::CREATED, &json!(true)));
    let said = house.get(stored.header(header::LOCATION), &platform).await.json()["said"].clone();
    assert_eq!(said["consultation_id"], of["consultation_id"]);
    let stored = picture(&house, &paramedic, of, &file).await;
    assert_eq!((stored.status, &stored.json()["linked"]), (StatusCode::CREATED, &json!(false)));
    let said = house.get(stored.header(header::LOCATION), &platform).await.json()["said"].clone();
    assert_eq!(said["consultation_id"], Value::Null, "it is none of the consultation's");
}

#[tokio::test]
async fn a_form_is_bounded_around_its_file_and_not_by_the_file() {
    let house = House::open().await;
    let (_, token) = house.account(Role::Service, None).await;
    let send = async |body: Vec<u8>| {
        let request = Request::post("/xrays")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge");
        house.call(request.body(Body::from(body)).expect("request")).await
    };
    let padding = vec![b'x'; 200 << 10];
    let metadata = b"--edge\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{}\r\n";
    let file = part10::file("P1", "1.2.3", "1.2.3.1", "1.2.3.1.1");
    let part = b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n";
    let whole = |before: &[u8], header: &[u8], file: &[u8]| {
        [before, b"\r\n", metadata, part, header, b"\r\n", file, b"\r\n--edge--\r\n"].concat()
    };
    let header = [b"X-Long: ", &padding[..], b"\r\n"].concat();
    for (what, body) in [("before", whole(&padding, b"", &file)), ("header", whole(b"", &header, &file))] {
        let refused = send(body).await;
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{what}: {:?}", refused.body);
        assert!(refused.json()["detail"].as_str().expect("detail").contains("beside the file"), "{what}");
    }
    let kept = house.get("/patients/P1/studies", &token).await.json();
    assert_eq!(kept["items"], json!([]));
    let mut noise = 1u32;
    let pixels = image::ImageBuffer::<image::Luma<u8>, _>::from_fn(700, 700, |_, _| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Luma([(noise >> 24) as u8])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut png, image::ImageFormat::Png).expect("a PNG");
    assert!(png.get_ref().len() > 400 << 10);
    let made = picture(&house, &token, json!({ "patient_id": "P1" }), png.get_ref()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let stored = house.get(&format!("{}/download", made.header(header::LOCATION)), &token).await.body;
    assert!(stored.ends_with(pixels.as_raw()), "every sample");
    assert!(contains(&stored, b"\x08\0\x01\x02SH\x06\0+0000"), "times are UTC, and it says so");
}
