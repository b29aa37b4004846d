//! Calendars that doctors import: see `doctor_api::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| doctor_api::fuzzing::calendar(input));
