//! The words of inputs that come in any pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prime_fan::checks::words;

fuzz_target!(|script: &[u8]| words::slices(script));
