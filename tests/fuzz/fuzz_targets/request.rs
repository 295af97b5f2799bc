//! `bodies/request.rs`, with inputs that the fuzzer makes.

#![no_main]

#[path = "../bodies/request.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &str| body::check(input));
