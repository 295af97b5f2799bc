//! `bodies/frame.rs`, with inputs that the fuzzer makes.

#![no_main]

#[path = "../bodies/frame.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| body::check(input));
