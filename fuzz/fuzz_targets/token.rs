//! RFC 9068, access tokens: see `service::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| service::fuzzing::token(input));
