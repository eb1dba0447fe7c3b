//! A word of the input.
#![no_main]

use actix_fan_fuzz::checks::words;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| words::numbers(text));
