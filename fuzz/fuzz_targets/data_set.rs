//! PS3.5 7, data sets.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dicom_header::fuzzing::data_set(input));
