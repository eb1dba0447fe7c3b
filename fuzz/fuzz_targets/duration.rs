//! The time of `--timeout`.
#![no_main]

use actix_fan_fuzz::checks::values;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| values::duration(text));
