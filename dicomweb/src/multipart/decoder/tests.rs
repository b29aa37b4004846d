//! What `decoder` must hold.

use super::*;

/// Payloads of the parts, after feeding the bytes in chunks of one size.
fn decode(boundary: &str, bytes: &[u8], chunk: usize) -> Result<Vec<Vec<u8>>, MultipartError> {
    let mut decoder = Decoder::new(boundary, 100)?;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut chunks = bytes.chunks(chunk);
    loop {
        match decoder.poll()? {
            Event::Part(_) => parts.push(Vec::new()),
            Event::Data(data) => parts.last_mut().expect("a part").extend_from_slice(&data),
            Event::PartEnd => {}
            Event::End => return Ok(parts),
            Event::NeedMore => match chunks.next() {
                Some(bytes) => decoder.feed(bytes),
                None => return Err(MultipartError::Truncated),
            },
        }
    }
}

fn check(boundary: &str, bytes: &[u8], expected: &[&[u8]]) {
    for chunk in [1, 2, 3, 7, 64, bytes.len()] {
        let parts = decode(boundary, bytes, chunk).unwrap_or_else(|e| panic!("chunk {chunk}: {e}"));
        assert_eq!(parts, expected, "chunk {chunk}");
    }
}

#[test]
fn dcmjs_begins_with_a_line_break_and_ends_without_one() {
    let bytes = b"\r\n--dcmjs\r\nContent-Type: application/dicom\r\n\r\nABC\r\n--dcmjs--";
    check("dcmjs", bytes, &[b"ABC"]);
}

#[test]
fn python_begins_with_the_delimiter() {
    let bytes = b"--0f3cf5c0\r\nContent-Type: application/dicom\r\n\r\nABC\r\n--0f3cf5c0\r\nContent-Type: application/dicom\r\n\r\nDEF\r\n--0f3cf5c0--";
    check("0f3cf5c0", bytes, &[b"ABC", b"DEF"]);
}

#[test]
fn weasis_ends_with_a_line_break() {
    let bytes = b"\r\n--weasisDicomBoundary\r\nContent-Type: application/dicom\r\n\r\nABC\r\n--weasisDicomBoundary--\r\n";
    check("weasisDicomBoundary", bytes, &[b"ABC"]);
}

#[test]
fn dcm4chee_writes_more_header_fields() {
    let bytes = b"--myBoundary\r\nContent-Type: application/dicom;transfer-syntax=1.2.840.10008.1.2.1\r\nContent-Length: 3\r\n\r\nABC\r\n--myBoundary--\r\nepilogue";
    check("myBoundary", bytes, &[b"ABC"]);
}

#[test]
fn preamble_padding_empty_headers_and_empty_parts() {
    let bytes = b"this is\r\n--bNot\r\nthe preamble\r\n--b \t\r\n\r\n1\r\n--b\r\n\r\n\r\n--b--";
    check("b", bytes, &[b"1", b""]);
}

#[test]
fn what_only_begins_like_a_delimiter_is_data() {
    let bytes = b"--bound\r\n\r\nx\r\n--bouny\r\n--boundary\r\n-\r\n\r\n--bound-\r\n\r\n--bound--";
    check("bound", bytes, &[b"x\r\n--bouny\r\n--boundary\r\n-\r\n\r\n--bound-\r\n"]);
}

#[test]
fn malformed_payloads_are_refused() {
    assert!(matches!(decode("b", b"--b\r\n\r\nABC", 3), Err(MultipartError::Truncated)));
    assert!(matches!(decode("b", b"", 1), Err(MultipartError::Truncated)));
    let junk = vec![b'x'; 20_000];
    assert!(matches!(decode("b", &junk, 4096), Err(MultipartError::DelimiterMissing)));
    let mut header = b"--b\r\nContent-Type: ".to_vec();
    header.extend(std::iter::repeat_n(b'a', 9000));
    assert!(matches!(decode("b", &header, 4096), Err(MultipartError::PartHeaderTooLong)));
    let many = b"--b\r\n\r\n\r\n".repeat(101);
    assert!(matches!(decode("b", &many, 4096), Err(MultipartError::TooManyParts(100))));
    for boundary in ["", "a\r\nb", "a\"b", &"x".repeat(71), "a "] {
        assert!(matches!(Decoder::new(boundary, 1), Err(MultipartError::BoundaryInvalid)), "{boundary}");
    }
}

#[test]
fn near_repeats_of_the_delimiter_cost_linear_time() {
    let boundary = "-".repeat(70);
    let time = |count: usize| {
        let mut bytes = format!("--{boundary}\r\n\r\n").into_bytes();
        bytes.extend(format!("\r\n--{}", &boundary[1..]).repeat(count).bytes());
        bytes.extend(format!("\r\n--{boundary}--").bytes());
        let start = std::time::Instant::now();
        assert_eq!(decode(&boundary, &bytes, 100).expect("valid").len(), 1);
        start.elapsed()
    };
    time(1000);
    let (small, large) = (time(5_000), time(40_000));
    assert!(large < small * 40, "8 times the bytes took {large:?} after {small:?}");
}

#[test]
fn arbitrary_bytes_survive() {
    let payload: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut bytes = b"--q\r\nContent-Type: application/dicom\r\n\r\n".to_vec();
    bytes.extend(&payload);
    bytes.extend(b"\r\n--q--\r\n");
    for chunk in [1, 13, 4096] {
        assert_eq!(
            decode("q", &bytes, chunk).expect("valid"),
            std::slice::from_ref(&payload),
            "chunk {chunk}"
        );
    }
}
