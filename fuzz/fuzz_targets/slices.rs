//! The words of inputs that come in any pieces.
#![no_main]

use actix_fan_fuzz::checks::words;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| words::slices(script));
