//! Peers of the DICOM door: see `pacs::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| pacs::fuzzing::identifier(input));
