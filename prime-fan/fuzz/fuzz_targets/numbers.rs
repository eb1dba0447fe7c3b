//! Parses a word of the input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prime_fan::checks::words;

fuzz_target!(|text: &[u8]| words::numbers(text));
