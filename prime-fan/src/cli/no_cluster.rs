//! What stands in for nodes on other machines in a program without the feature `nats`.

use std::ops::RangeInclusive;

use actix_fan::FanIn;

use crate::cli::args::{Doctor, Finder, Node, Settings, What};
use crate::cli::commands::filter::{Sift, Sifted};
use crate::cli::commands::random::Prime;
use crate::cli::commands::range::Sieved;
use crate::cli::exit::Failure;
use crate::cli::format::Layout;
use crate::cli::shutdown::Shutdown;
use crate::parse::input::{ReadError, Source};
use crate::parse::slices::Slice;

/// There is none.
pub(crate) enum Cluster {}

impl Cluster {
    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub(crate) async fn of(settings: &Settings) -> Result<Option<Self>, Failure> {
        if settings.cluster.is_some() { Err(Failure::WithoutNats) } else { Ok(None) }
    }

    pub(crate) fn text_bytes(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn primes(
        &self,
        _: impl Iterator<Item = u64>,
        _: Finder,
        _: bool,
        _: (Option<u64>, RangeInclusive<u64>),
    ) -> Result<FanIn<Prime>, Failure> {
        match *self {}
    }

    pub(crate) fn segments(
        &self,
        _: RangeInclusive<u64>,
        _: u64,
        _: Vec<What>,
        _: Option<Layout>,
        _: bool,
    ) -> Result<FanIn<Sieved>, Failure> {
        match *self {}
    }

    pub(crate) fn run_over(&self, _: &[Source]) -> Result<(), Failure> {
        match *self {}
    }

    pub(crate) fn pieces<I>(&self, slices: I, _: Sift) -> I
    where
        I: Iterator<Item = Result<Slice, ReadError>>,
    {
        slices
    }

    pub(crate) fn sifted<P>(&self, _: P, _: Sift, _: bool, (): ()) -> Result<FanIn<Sifted>, Failure> {
        match *self {}
    }
}

pub(crate) async fn node(_: Node, _: &Shutdown) -> Result<(), Failure> {
    Err(Failure::WithoutNats)
}

pub(crate) async fn doctor(_: Doctor) -> Result<(), Failure> {
    Err(Failure::WithoutNats)
}
