//! Nodes that do the searches, over NATS: with the feature `nats`.

#[cfg(feature = "nats")]
pub(crate) use over_nats::Nodes;
#[cfg(not(feature = "nats"))]
pub(crate) use without::Nodes;

/// How many batches are with the nodes at a time, for each search.
pub(crate) const SLOTS: usize = 64;

#[cfg(feature = "nats")]
mod over_nats {
    use std::error::Error;

    use actix_fan::remote::Nats;
    use actix_fan::{FanIn, FanOutExt, StartError};
    use prime_fan::RandomIntegers;

    use super::SLOTS;
    use crate::finder::Finder;

    #[derive(Clone)]
    pub(crate) struct Nodes(Nats);

    impl Nodes {
        pub(crate) async fn connect(url: &str) -> Result<Self, Box<dyn Error>> {
            Ok(Self(Nats::builder(url).name("prime-fan page").connect().await?))
        }

        /// Has the nodes search for primes, each of which comes with its index among the numbers.
        pub(crate) fn primes(
            &self,
            numbers: RandomIntegers,
            finder: Finder,
            window: usize,
        ) -> Result<FanIn<(u64, u64)>, StartError> {
            // What `prime-fan node` serves.
            let kind = match finder {
                Finder::Fast => "primes/1",
                Finder::Trial => "primes-by-trial/1",
            };
            numbers.fan_out().window(window).over(&self.0).slots(SLOTS).run(kind)
        }
    }
}

#[cfg(not(feature = "nats"))]
mod without {
    use std::error::Error;

    use actix_fan::{FanIn, StartError};
    use prime_fan::RandomIntegers;

    use crate::finder::Finder;

    /// There are none.
    #[derive(Clone)]
    pub(crate) enum Nodes {}

    impl Nodes {
        #[expect(clippy::unused_async, reason = "as with the feature")]
        pub(crate) async fn connect(url: &str) -> Result<Self, Box<dyn Error>> {
            Err(format!("--nats {url}: this program was built without nodes; `--features nats` has them").into())
        }

        pub(crate) fn primes(&self, _: RandomIntegers, _: Finder, _: usize) -> Result<FanIn<(u64, u64)>, StartError> {
            match *self {}
        }
    }
}
