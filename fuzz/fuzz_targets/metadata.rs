//! Senders of metadata and pictures to the DICOMweb door: see `dicomweb::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dicomweb::fuzzing::metadata(input));
