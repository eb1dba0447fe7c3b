//! Parses the value of `--timeout`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prime_fan::checks::values;

fuzz_target!(|text: &str| values::duration(text));
