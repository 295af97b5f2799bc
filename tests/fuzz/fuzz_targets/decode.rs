//! `bodies/decode.rs`, with inputs that the fuzzer makes.

#![no_main]

#[path = "../bodies/decode.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::check(input));
