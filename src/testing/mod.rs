//! A test kit: for tests of this crate, and of what is built on it.
//!
//! With the feature `testing`, for `[dev-dependencies]`. None of it sleeps, and all that is random comes from a seed.
//!
//! - [`simulate`] runs a pipeline over *your* [`Work`](crate::Work) on one thread, step by step, in an order drawn from
//!   a seed and on a clock of its own. All decisions are made by the code that makes them on real threads; only the
//!   threads and the actors' mailboxes are replaced. After every step it checks that every item is accounted for, the
//!   window is kept, nothing begins after a stop, and a further step is possible. It needs no actix System, and runs
//!   inside of one as well.
//! - [`Faults`] makes chosen items panic, fail, or stop the pipeline, in a simulation or on real threads.
//! - [`Gate`] holds items on real threads where the test wants them; [`paced`] makes a consumer as slow as the test
//!   wants.
//! - [`assert_accounted`] and [`assert_all_ended`] check the accounting of any [`Stats`](crate::Stats).
//! - [`for_each_seed`] runs a test with many seeds and says which one failed.
//!
//! ```
//! use actix_fan::testing::{Consumer, Faults, When};
//! use actix_fan::testing::{assert_all_ended, for_each_seed, simulate};
//! use actix_fan::{BoxError, Job, Stop, Work};
//!
//! struct Halves; // your work
//! impl Work<u64> for Halves {
//!     type Output = u64;
//!     fn run(&mut self, n: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
//!         if n % 2 == 0 {
//!             job.emit(n / 2);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! for_each_seed(0..50, |seed| {
//!     let outcome = simulate(0u64..)
//!         .seed(seed)
//!         .workers(3)
//!         .window(16)
//!         .ordered()
//!         .faults(Faults::new().panic_at(13))
//!         .consumer(Consumer::Slow)
//!         .stop(When::Taken(20), Stop::Drain)
//!         .run(|| Halves)
//!         .unwrap();
//!     assert_all_ended(&outcome.stats);
//!     assert_eq!(outcome.stats.failed, 1);
//!     assert!(outcome.results.len() >= 20);
//! });
//! ```
//!
//! One item alone is a pipeline of one item: `simulate([input]).run(factory)`.
//!
//! # What it can't show
//!
//! Pools, chains of stages and merged streams are not simulated, and a source can wait neither for another thread nor
//! for a timer.
//!
//! A simulation runs one step at a time, and the work on an item is one step. So it finds errors that depend on the
//! order of steps, not those inside of a step, such as a data race in your work. [`Faults::stop_at`] shows what a stop
//! does to a work that is in the middle of an item.

mod accounting;
#[cfg(feature = "nats")]
mod cluster;
mod faults;
mod gate;
mod paced;
mod seeds;
mod simulation;

pub use accounting::{assert_accounted, assert_all_ended};
#[cfg(feature = "nats")]
pub use cluster::{ClusterEvent, ClusterOutcome, ClusterSimulation, Network, simulate_cluster};
pub use faults::{Faults, Faulty};
pub use gate::Gate;
pub use paced::{Pace, Paced, paced};
pub use seeds::for_each_seed;
pub use simulation::{Consumer, Outcome, Simulated, Simulation, Step, When, simulate};
