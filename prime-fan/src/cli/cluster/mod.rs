//! Nodes on other machines, with the feature `nats`: searches that are done by them, the node itself, and the checks of a
//! server.

mod doctor;
mod node;
mod wire;

use std::ops::RangeInclusive;
use std::path::Path;
use std::{fs, iter};

use actix_fan::remote::{Nats, Remote};
use actix_fan::{Blocking, FanIn, FanOut, FanOutExt};

use crate::Sieve;
use crate::cli::args::{Connection, Finder, Settings, What};
use crate::cli::commands::filter::{Sift, Sifted};
use crate::cli::commands::random::Prime;
use crate::cli::commands::range::Sieved;
use crate::cli::exit::Failure;
use crate::cli::format::Layout;
use crate::cli::search::in_order;
use crate::parse::input::{ReadError, Source, shown};
use crate::parse::slices::Slice;

pub(crate) use doctor::doctor;
pub(crate) use node::node;
use wire::{Piece, SegmentTask};

/// The kinds of work of a node. The version is raised when the items, their results or what is done with them change.
const PRIMES: &str = "primes/1";
const PRIMES_BY_TRIAL: &str = "primes-by-trial/1";
const SLICES: &str = "slices/1";
const SEGMENTS: &str = "segments/1";

/// About the most bytes of text that one item's result may have: a message has 1 MiB. The estimate of a segment's text may be
/// too low by a quarter.
const TEXT: usize = 640 << 10;

/// About the most bytes of a batch of text.
const BATCH: usize = 128 << 10;

/// The most bytes of a line about one word, without the name of its file, which it may have twice.
const LINE: usize = 160;

/// How many batches are with the nodes at a time.
const SLOTS: usize = 64;

/// How many segments may be in flight: those with the nodes, and some that wait to be printed.
const SEGMENTS_IN_FLIGHT: usize = 2 * SLOTS;

/// The nodes that a search is done by.
pub(crate) struct Cluster {
    nats: Nats,
    /// The name of the run, if it was given one.
    run: Option<String>,
}

impl Cluster {
    /// Connects, if the settings ask for nodes.
    pub(crate) async fn of(settings: &Settings) -> Result<Option<Self>, Failure> {
        let Some(cluster) = &settings.cluster else { return Ok(None) };
        let nats = connect(&cluster.connection, "coordinator").await?;
        Ok(Some(Self { nats, run: cluster.run.clone() }))
    }

    /// About the most bytes of text per segment.
    pub(crate) fn text_bytes(&self) -> u64 {
        TEXT as u64
    }

    /// Tests numbers that were drawn from a range with a seed.
    pub(crate) fn primes(
        &self,
        numbers: impl Iterator<Item = u64> + 'static,
        finder: Finder,
        ordered: bool,
        (seed, range): (Option<u64>, RangeInclusive<u64>),
    ) -> Result<FanIn<Prime>, Failure> {
        let kind = match finder {
            Finder::Fast => PRIMES,
            Finder::Trial => PRIMES_BY_TRIAL,
        };
        // Not how many are wanted: the same numbers are drawn for more or fewer of them.
        let run = self.run(format_args!("{kind} {seed:?} {range:?}"));
        Ok(self.over(in_order(numbers.fan_out(), ordered), run).run(kind)?)
    }

    /// Sieves a range in segments of at most `span` numbers.
    pub(crate) fn segments(
        &self,
        range: RangeInclusive<u64>,
        span: u64,
        what: Vec<What>,
        lines: Option<Layout>,
        down: bool,
    ) -> Result<FanIn<Sieved>, Failure> {
        let sieve = Sieve::with_span(range.clone(), span);
        let span = sieve.span();
        // Another machine may cut the range at other places, and then a run of it has other items.
        let run = self.run(format_args!("{SEGMENTS} {range:?} {:?} {what:?} {lines:?} {down}", sieve.cut()));
        let segments = if down { sieve.segments_down() } else { sieve.segments() };
        let task = move |segment| SegmentTask { range: range.clone(), span, segment, what: what.clone(), lines, down };
        let tasks = segments.map(task);
        // One segment per batch, as on one machine.
        let pool = tasks.fan_out().batch(1).window(SEGMENTS_IN_FLIGHT).ordered();
        Ok(self.over(pool, run).run(SEGMENTS)?)
    }

    /// The name of a run over these inputs, which must be files if the run is to be resumed.
    pub(crate) fn run_over(&self, sources: &[Source]) -> Result<Option<String>, Failure> {
        if self.run.is_none() {
            return Ok(None);
        }
        let mut inputs = String::new();
        for source in sources {
            let input = match source {
                Source::Number(number) => number.clone(),
                Source::Stdin => return Err(Failure::NoFile("the standard input".to_owned())),
                Source::File(path) => match fs::metadata(path) {
                    Ok(metadata) if !metadata.is_file() => return Err(Failure::NoFile(shown(path))),
                    Ok(metadata) => format!("{path:?} {} {:?}", metadata.len(), metadata.modified().ok()),
                    // It is reported when it is read.
                    Err(error) => format!("{path:?} {error}"),
                },
            };
            inputs += &format!("{input}\n");
        }
        Ok(Some(inputs))
    }

    /// Cuts slices into pieces whose results fit into a message, whatever the words are.
    pub(crate) fn pieces<I>(&self, slices: I, sift: Sift) -> impl Iterator<Item = Result<Piece, ReadError>> + use<I>
    where
        I: Iterator<Item = Result<Slice, ReadError>>,
    {
        slices.flat_map(move |slice| -> Box<dyn Iterator<Item = _> + Send> {
            match slice {
                Ok(slice) => {
                    Box::new(Piece::all_of(&slice, sift, piece_bytes(slice.file.as_deref())).into_iter().map(Ok))
                }
                Err(error) => Box::new(iter::once(Err(error))),
            }
        })
    }

    /// Sifts pieces. `inputs` tells what they are cut from, if the run is to be resumed.
    pub(crate) fn sifted(
        &self,
        pieces: Blocking<Result<Piece, ReadError>>,
        sift: Sift,
        ordered: bool,
        inputs: Option<String>,
    ) -> Result<FanIn<Sifted>, Failure> {
        let run = self.run(format_args!("{SLICES} {sift:?} {inputs:?}"));
        let batch = BATCH / piece_bytes(None);
        let pool = pieces.try_fan_out().batch(batch).window(2 * SLOTS * batch);
        Ok(self.over(in_order(pool, ordered), run).run(SLICES)?)
    }

    fn over<S>(&self, pool: FanOut<S>, run: Option<String>) -> Remote<S> {
        let remote = pool.over(&self.nats).slots(SLOTS);
        match run {
            Some(run) => remote.run_id(run),
            None => remote,
        }
    }

    /// The name of the run, if it was given one, with a fingerprint of what decides its items and their results: so a run
    /// with other arguments does not take these results over.
    fn run(&self, arguments: std::fmt::Arguments<'_>) -> Option<String> {
        let run = self.run.as_ref()?;
        let version = env!("CARGO_PKG_VERSION");
        Some(format!("{run}-{:016x}", fingerprint(&format!("{version} {arguments}"))))
    }
}

/// How long the pieces of a file are: each word has two bytes at least, and adds at most one line to the result.
fn piece_bytes(file: Option<&Path>) -> usize {
    // A byte of the name may be written as up to six characters.
    let name = file.map_or(0, |file| 6 * file.as_os_str().len());
    (2 * TEXT / (LINE + name)).max(64)
}

/// The FNV-1a hash: it is the same in each build, other than that of the standard library.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Connects to the server. `role` is a part of what the server calls the connection.
async fn connect(connection: &Connection, role: &str) -> Result<Nats, Failure> {
    let Connection { nats, creds, nkey, tls_ca, tls_cert, tls_key, inbox_prefix } = connection.clone();
    let url = nats.expect("the options require each other");
    let mut builder = Nats::builder(url).name(format!("prime-fan {role}"));
    if let Some(path) = creds {
        builder = builder.credentials_file(path);
    }
    if let Some(path) = nkey {
        builder = builder.nkey_file(path);
    }
    if let Some(path) = tls_ca {
        builder = builder.tls_ca_file(path);
    }
    if let (Some(certificate), Some(key)) = (tls_cert, tls_key) {
        builder = builder.tls_client_files(certificate, key);
    }
    if let Some(prefix) = inbox_prefix {
        builder = builder.inbox_prefix(prefix);
    }
    builder.connect().await.map_err(|error| Failure::Server(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_the_same_kinds() {
        let page = include_str!("../../../examples/page/nodes.rs");
        for kind in [PRIMES, PRIMES_BY_TRIAL] {
            assert!(page.contains(&format!("{kind:?}")), "{kind}");
        }
    }

    #[test]
    fn a_fingerprint_is_the_same_in_each_build() {
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("foobar"), 0x8594_4171_f739_67e8);
    }
}
