//! The range of `prime-fan range`.
#![no_main]

use actix_fan_fuzz::checks::values;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| values::range(text));
