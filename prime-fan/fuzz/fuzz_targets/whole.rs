//! Parses a whole number such as the value of `--number`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prime_fan::checks::values;

// The bounds that the options use, and some others.
fuzz_target!(|text: &str| {
    for (min, max) in [(0, u64::MAX), (1, u64::MAX), (1, 4096), (1, 64), (7, 7)] {
        values::whole(text, min, max);
    }
});
