//! Prime numbers: fast and slow primality tests, a sieve for ranges, and random integers. The library of the program
//! `prime-fan`.
//!
//! - [`is_prime`]: trial division and at most two strong Fermat tests; less than a microsecond for a 64-bit prime.
//! - [`is_prime_by_trial_division`]: seconds for a 64-bit prime; [`trial_division()`] is the same, but can be
//!   cancelled.
//! - [`Sieve`]: a segmented sieve of Eratosthenes, for all numbers of a range; nanoseconds per number.
//!
//! All of them are deterministic and correct for every `u64`. The cost of trial division differs by a factor of a
//! billion between numbers, which makes it a good test of how work is distributed.
//!
//! [`is_probable_prime`] tests numbers up to 2^128; below [`PROVEN_BELOW`], about 2^81.5, its result is proven. A
//! [`Verdict`] tells the two apart. [`number`] parses numbers as the program does, and [`RandomIntegers`] draws them.
//!
//! # Examples
//!
//! The first ten primes among random numbers, searched on all processors with
//! [actix-fan](https://docs.rs/actix-fan):
//!
//! ```
//! use actix_fan::FanOutExt;
//! use futures::{StreamExt, TryStreamExt};
//! use prime_fan::{RandomIntegers, is_prime};
//!
//! # actix::System::new().block_on(async {
//! let numbers = RandomIntegers::new(0..=u64::MAX)?.seeded(1);
//! let primes = numbers
//!     .fan_out()
//!     .ordered()
//!     .filter_map(|n| is_prime(n).then_some(n))?;
//! let primes: Vec<u64> = primes.take(10).try_collect().await?;
//! assert!(primes.len() == 10 && primes.iter().all(|&n| is_prime(n)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! Trial division in a pipeline. When the stream is dropped, the items that run are cancelled within about a
//! millisecond:
//!
//! ```
//! use actix_fan::{FanOutExt, Job, work_fn};
//! use futures::StreamExt;
//! use prime_fan::{RandomIntegers, trial_division};
//!
//! # actix::System::new().block_on(async {
//! let numbers = RandomIntegers::new(1 << 40..=1 << 41)?.seeded(1);
//! let mut primes = numbers.fan_out().with(|| {
//!     work_fn(|n, job: &mut Job<'_, u64>| {
//!         if trial_division(n, || job.is_stopped()) == Some(true) {
//!             job.emit(n);
//!         }
//!         Ok(())
//!     })
//! })?;
//! let first = primes.next().await.unwrap()?;
//! assert!((1 << 40..=1 << 41).contains(&first));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Features
//!
//! - `cli` (default): the program and its dependencies. With `default-features = false` only the library is built, with
//!   the dependencies machine-prime, rand, thiserror and, on x86-64, raw-cpuid.
//! - `nats`: nodes on other machines, over NATS JetStream.

#[cfg(any(all(test, feature = "cli"), feature = "checks"))]
#[doc(hidden)]
pub mod checks;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod neighbours;
#[cfg_attr(not(feature = "nats"), allow(dead_code, reason = "the program uses the rest, some of it for nodes alone"))]
mod parse;
mod primality;
mod random_integers;
mod sieve;
mod trial_division;
mod verdict;

pub use neighbours::{next_prime, previous_prime};
pub use parse::grammar::{NumberError, number};
pub use primality::{PROVEN_BELOW, is_prime, is_probable_prime};
pub use random_integers::{EmptyRange, RandomIntegers};
pub use sieve::{Segment, Segments, Sieve};
pub use trial_division::{is_prime_by_trial_division, trial_division};
pub use verdict::Verdict;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
