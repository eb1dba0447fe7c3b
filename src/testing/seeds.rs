//! Seeds, and how a failure is replayed.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The environment variable that names the one seed to run.
const VARIABLE: &str = "ACTIX_FAN_SEED";

/// Runs `test` with each of the seeds. If one of them makes it panic, that seed is printed on the standard error and
/// the panic goes on. With a seed in the environment variable `ACTIX_FAN_SEED`, only that one is run.
///
/// # Panics
///
/// If the variable is set and holds no number from 0 to 2^64 - 1, and with whatever `test` panics with.
///
/// ```
/// use actix_fan::testing::{Faults, for_each_seed, simulate};
///
/// for_each_seed(0..100, |seed| {
///     let pipeline = simulate(0..50u64).seed(seed).workers(3).ordered();
///     let outcome = pipeline.map(|n| n * n).unwrap();
///     let squares = outcome.results.into_iter().map(Result::unwrap);
///     assert!(squares.is_sorted());
/// });
/// ```
pub fn for_each_seed(seeds: impl IntoIterator<Item = u64>, mut test: impl FnMut(u64)) {
    match env::var(VARIABLE) {
        Ok(text) => match text.parse() {
            Ok(seed) => test(seed),
            Err(_) => panic!("{VARIABLE} is {text:?}: it must be a number from 0 to {}", u64::MAX),
        },
        Err(_) => seeds.into_iter().for_each(|seed| run(seed, &mut test)),
    }
}

fn run(seed: u64, mut test: impl FnMut(u64)) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
        eprintln!("seed {seed} failed; {VARIABLE}={seed} runs it alone");
        resume_unwind(panic);
    }
}

/// The generator SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). It is
/// written out here so that a seed gives the same schedule after any update of a dependency.
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0. The bias is below `end / 2^64`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}
