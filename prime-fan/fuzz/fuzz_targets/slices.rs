//! Reads the words of inputs that are split into reads in any way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prime_fan::checks::words;

fuzz_target!(|script: &[u8]| words::slices(script));
