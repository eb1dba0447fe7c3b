//! Parses the range of `prime-fan range`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prime_fan::checks::values;

fuzz_target!(|text: &str| values::range(text));
