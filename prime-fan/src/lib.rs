//! Prime numbers: finders for one `u64`, fast and slow, a sieve for ranges, and random numbers to search.
//!
//! | | finds out whether a number is prime by | for a 64-bit prime |
//! |---|---|---|
//! | [`is_prime`] | trial division and at most two strong Fermat tests | under a microsecond |
//! | [`is_prime_by_trial_division`] | dividing by every odd number up to the root | seconds |
//! | [`trial_division()`] | the same, until it is told to give up | seconds |
//! | [`Sieve`] | striking out the multiples of smaller ones, for all numbers of a range at once | nanoseconds |
//!
//! All of them are deterministic and right for every `u64`. Trial division is what makes a fan-out worth watching: its
//! cost differs by a factor of a billion from one number to the next.
//!
//! Above 2^64, [`is_probable_prime`] goes on to 2^128, with a proof up to [`PROVEN_BELOW`], and a [`Verdict`] says which it
//! is. [`number`] reads numbers as the program `prime-fan` does, whose library this is; [`RandomIntegers`] draws them.
//!
//! # Examples
//!
//! The first primes among random numbers, as many as are asked for, found by every processor at once with
//! [actix-fan](https://docs.rs/actix-fan):
//!
//! ```
//! use actix_fan::FanOutExt;
//! use futures::{StreamExt, TryStreamExt};
//! use prime_fan::{RandomIntegers, is_prime};
//!
//! # actix::System::new().block_on(async {
//! let numbers = RandomIntegers::new(0..=u64::MAX)?.seeded(1);
//! let primes = numbers.fan_out().ordered().filter_map(|n| is_prime(n).then_some(n))?;
//! let primes: Vec<u64> = primes.take(10).try_collect().await?;
//! assert!(primes.len() == 10 && primes.iter().all(|&n| is_prime(n)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! The slow finder in a pipeline. The items that run when the stream is dropped give up within a millisecond or so:
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
//! - `cli` (default): the program and what only it needs. `default-features = false` leaves the library: machine-prime, rand
//!   and thiserror are its dependencies.

#[cfg(any(all(test, feature = "cli"), feature = "checks"))]
#[doc(hidden)]
pub mod checks;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the program uses the rest of it"))]
mod parse;
mod primality;
mod random_integers;
mod sieve;
mod trial_division;
mod verdict;

pub use parse::grammar::{NumberError, number};
pub use primality::{PROVEN_BELOW, is_prime, is_probable_prime};
pub use random_integers::{EmptyRange, RandomIntegers};
pub use sieve::{Segment, Segments, Sieve};
pub use trial_division::{is_prime_by_trial_division, trial_division};
pub use verdict::Verdict;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
