//! MXE1, how objects are kept: see `object_storage::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| object_storage::fuzzing::object_format(input));
