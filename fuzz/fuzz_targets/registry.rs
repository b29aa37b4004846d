//! FHIR R4, answers of a Patient Service and what it is asked: see `service::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| service::fuzzing::registry(input));
