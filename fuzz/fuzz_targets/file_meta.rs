//! PS3.10 7.1, the head of a file.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dicom_header::fuzzing::file_meta(input));
