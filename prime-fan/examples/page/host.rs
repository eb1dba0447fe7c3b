//! What does the searches: threads of this process, which all of them share, or nodes on other machines.

use actix_fan::{BoxError, FanIn, FanOutExt, Job, StartError, StopHandle, Workers, work_fn};
use futures::future::Either;
use futures::{Stream, StreamExt};
use prime_fan::RandomIntegers;

use crate::finder::Finder;
use crate::nodes::Nodes;
use crate::panics::Panics;
use crate::search::{Capacity, Search};

#[derive(Clone)]
pub(crate) enum Host {
    Threads { set: Workers, threads: usize },
    Nodes(Nodes),
}

impl Host {
    pub(crate) fn capacity(&self) -> Capacity {
        match self {
            Self::Threads { threads, .. } => Capacity::Threads(*threads),
            Self::Nodes(_) => Capacity::Nodes,
        }
    }

    /// Starts a search among these numbers. Returns its primes, and its handle.
    pub(crate) fn primes(
        &self,
        numbers: RandomIntegers,
        search: Search,
        panics: Panics,
    ) -> Result<(impl Stream<Item = <FanIn<u64> as Stream>::Item> + Unpin + use<>, StopHandle), StartError> {
        let (Search { finder, .. }, window) = (search, search.window(self.capacity()));
        Ok(match self {
            Self::Threads { set, threads } => {
                let find = move |n, job: &mut Job<'_, u64>| find(n, job, finder, &panics);
                let pipeline = numbers.fan_out().on(set).concurrency(search.concurrency(*threads)).window(window);
                let primes = pipeline.with(move || work_fn(find.clone()))?;
                let stop = primes.stop_handle();
                (Either::Left(primes), stop)
            }
            Self::Nodes(nodes) => {
                let primes = nodes.primes(numbers, finder, window)?;
                let stop = primes.stop_handle();
                // Each comes with its index.
                (Either::Right(primes.map(|prime| prime.map(|(prime, _)| prime))), stop)
            }
        })
    }
}

/// The work on an item: tests a number, and emits it if it is prime.
fn find(n: u64, job: &mut Job<'_, u64>, finder: Finder, panics: &Panics) -> Result<(), BoxError> {
    panics.at(job.index());
    if finder.is_prime(n, job)? {
        job.emit(n);
    }
    Ok(())
}
