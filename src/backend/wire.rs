//! Batches and their outcomes as bytes.
//!
//! Both begin with the version of the format. Values are in postcard's format. What comes from a network is not trusted:
//! every length is checked against the bytes that are there before memory is taken for it, every text is cut, and its
//! control characters are escaped.
//!
//! ```text
//! job:      version  head { first, items }  traceparent  tracestate  { length  item }*
//! outcomes: version  head { first, items, node, state, ran_nanos, verdict }  { 0 failure | 1 + n  output{n} }*
//! ```

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::backend::remote_error::RemoteError;
use crate::error::ItemError;
use crate::observe::TraceContext;

/// The format of this version of the crate. A message of another one is refused.
const VERSION: u8 = 2;

/// The longest text that is kept, in bytes, and the most texts of one failure.
const TEXT: usize = 1_000;
const TEXTS: usize = 8;

/// The most results of a batch whose results take no bytes: nothing else bounds their number.
const EMPTY_OUTPUTS: usize = 1 << 20;

/// Why a message was not understood.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum WireError {
    #[error("it has version {0} of the format, and this is version {VERSION}: the two run different releases")]
    Version(u8),
    #[error("it is empty")]
    Empty,
    #[error("its head is damaged")]
    Head,
    #[error("item {0} of its {1} is damaged")]
    Item(u32, u32),
    #[error("{0} bytes follow its last item")]
    Trailing(usize),
}

/// What a job says before its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobHead {
    /// Index in the source of the first item.
    pub(crate) first: u64,
    pub(crate) items: u32,
}

/// Items, encoded: each has its length before it, so that a batch can be cut without being decoded.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Items {
    bytes: Vec<u8>,
    items: u32,
}

impl Items {
    /// Adds an item.
    ///
    /// # Errors
    ///
    /// Why it can't be encoded, as its own `Serialize` says.
    pub(crate) fn push(&mut self, item: &impl Serialize) -> Result<(), String> {
        let encoded = postcard::to_allocvec(item).map_err(|error| error.to_string())?;
        put(&mut self.bytes, &(encoded.len() as u64));
        self.bytes.extend_from_slice(&encoded);
        self.items += 1;
        Ok(())
    }

    pub(crate) fn len(&self) -> u32 {
        self.items
    }

    /// How long the bytes are.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Cuts all but the first `keep` items off.
    pub(crate) fn split_off(&mut self, keep: u32) -> Self {
        let mut reader = Reader(&self.bytes);
        for _ in 0..keep {
            reader.item().expect("they were encoded here");
        }
        let at = self.bytes.len() - reader.0.len();
        let rest = Self { bytes: self.bytes.split_off(at), items: self.items - keep };
        self.items = keep;
        rest
    }

    /// The whole message. The trace of the run goes on where the job runs.
    pub(crate) fn job(&self, first: u64, trace: Option<&TraceContext>) -> Vec<u8> {
        let (parent, state) = trace.map_or(("", ""), |trace| (trace.traceparent(), trace.tracestate()));
        let mut bytes = Vec::with_capacity(self.bytes.len() + parent.len() + state.len() + 24);
        bytes.push(VERSION);
        put(&mut bytes, &JobHead { first, items: self.items });
        put(&mut bytes, &(parent, state));
        bytes.extend_from_slice(&self.bytes);
        bytes
    }
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} items in {} bytes", self.items, self.bytes.len())
    }
}

/// A job that was received.
#[derive(Debug)]
pub(crate) struct ReceivedJob<'a> {
    pub(crate) head: JobHead,
    /// The trace that it belongs to. A malformed one is ignored, and the job runs without it.
    pub(crate) trace: Option<TraceContext>,
    items: Reader<'a>,
}

impl<'a> ReceivedJob<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::of_version(bytes)?;
        let head: JobHead = reader.value().ok_or(WireError::Head)?;
        let (parent, state) = (reader.item().ok_or(WireError::Head)?, reader.item().ok_or(WireError::Head)?);
        // Each has at least its length.
        if head.items as usize > reader.0.len() || head.first.checked_add(u64::from(head.items)).is_none() {
            return Err(WireError::Head);
        }
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        Ok(Self { head, trace: TraceContext::new(text(parent), text(state)), items: reader })
    }

    /// The items, each as its bytes.
    pub(crate) fn items(&self) -> Result<Vec<&'a [u8]>, WireError> {
        let mut reader = Reader(self.items.0);
        let of = self.head.items;
        let items = (0..of).map(|at| reader.item().ok_or(WireError::Item(at, of))).collect::<Result<_, _>>()?;
        match reader.0.len() {
            0 => Ok(items),
            more => Err(WireError::Trailing(more)),
        }
    }
}

/// Decodes one item.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((item, [])) => Ok(item),
        Ok((_, rest)) => Err(format!("{} of its {} bytes are too many", rest.len(), bytes.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// Its items ran, and what came of each follows.
    Ran,
    /// It was not run, and will not be by any node: each of its items fails for this reason.
    Refused(String),
    /// It was delivered so often, and each node that had it was lost before it had ended.
    Poison { deliveries: u64 },
    /// Its results are too large for one message. It is to be sent again in parts.
    TooLarge { bytes: u64, most: u64 },
}

/// What a node tells of itself with each of its outcomes, which are not trusted: it is shown, and decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeState {
    /// How many batches it has at a time.
    pub(crate) slots: u32,
    /// How many it has, of all runs, with this one.
    pub(crate) in_flight: u32,
    /// It takes no more.
    pub(crate) is_draining: bool,
}

/// What outcomes say before the items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OutcomesHead {
    pub(crate) first: u64,
    pub(crate) items: u32,
    /// Of the node.
    pub(crate) node: String,
    pub(crate) state: NodeState,
    /// How long the items ran.
    pub(crate) ran_nanos: u64,
    pub(crate) verdict: Verdict,
}

/// How one item failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    Panicked(String),
    /// The texts of the error and of its causes.
    Failed(Vec<String>),
}

impl Failure {
    pub(crate) fn failed(texts: Vec<String>) -> Self {
        Self::Failed(texts.into_iter().take(TEXTS).map(|text| cut(&text)).collect())
    }

    pub(crate) fn panicked(message: &str) -> Self {
        Self::Panicked(cut(message))
    }

    fn into_error(self, index: u64) -> ItemError {
        match self {
            Self::Panicked(message) => ItemError::panicked(index, clean(&message)),
            Self::Failed(texts) => {
                let texts = texts.iter().take(TEXTS).map(|text| clean(text));
                ItemError::failed(index, Box::new(RemoteError::chain(texts)))
            }
        }
    }
}

/// The outcomes of items, encoded one by one.
#[derive(Debug, Default)]
pub(crate) struct OutcomesWriter {
    bytes: Vec<u8>,
    /// Where the last item begins.
    item: usize,
}

impl OutcomesWriter {
    /// What an item has emitted. Those that can't be encoded make the item fail.
    pub(crate) fn done<O: Serialize>(&mut self, outputs: &[O]) {
        self.item = self.bytes.len();
        put(&mut self.bytes, &(outputs.len() as u64 + 1));
        for output in outputs {
            if let Err(error) = postcard::to_extend(output, Extending(&mut self.bytes)) {
                return self.failed_instead(&Failure::failed(vec![format!("its result can't be sent: {error}")]));
            }
        }
    }

    /// The last call of [`done`](Self::done) panicked: what it has written is replaced.
    pub(crate) fn failed_instead(&mut self, failure: &Failure) {
        self.bytes.truncate(self.item);
        self.failed(failure);
    }

    pub(crate) fn failed(&mut self, failure: &Failure) {
        put(&mut self.bytes, &0_u64);
        put(&mut self.bytes, failure);
    }

    /// The whole message.
    pub(crate) fn outcomes(&self, head: &OutcomesHead) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 64);
        bytes.push(VERSION);
        put(&mut bytes, head);
        bytes.extend_from_slice(&self.bytes);
        bytes
    }
}

/// Outcomes that were received.
#[derive(Debug)]
pub(crate) struct ReceivedOutcomes<'a> {
    pub(crate) head: OutcomesHead,
    items: Reader<'a>,
}

/// The results of a batch's items, and their failures, each with the number of results before it.
#[derive(Debug)]
pub(crate) struct Results<O> {
    pub(crate) values: Vec<O>,
    pub(crate) failures: VecDeque<(usize, ItemError)>,
}

impl<'a> ReceivedOutcomes<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::of_version(bytes)?;
        let mut head: OutcomesHead = reader.value().ok_or(WireError::Head)?;
        if head.first.checked_add(u64::from(head.items)).is_none() {
            return Err(WireError::Head);
        }
        head.node = clean(&head.node);
        if let Verdict::Refused(reason) = &mut head.verdict {
            *reason = clean(reason);
        }
        Ok(Self { head, items: reader })
    }

    /// The results of the items from the number `skip` on, `items` of them: an earlier coordinator may have cut its
    /// batches in other places. They go into `values`, which is empty.
    pub(crate) fn results<O: DeserializeOwned>(
        &self,
        skip: u32,
        items: u32,
        mut values: Vec<O>,
    ) -> Result<Results<O>, WireError> {
        let of = self.head.items;
        let mut reader = Reader(self.items.0);
        let mut failures = VecDeque::new();
        let end = skip.saturating_add(items).min(of);
        for at in 0..end {
            if at == skip {
                values.clear();
                failures.clear();
            }
            let damaged = || WireError::Item(at, of);
            match reader.value::<u64>().ok_or_else(damaged)? {
                0 => {
                    let failure: Failure = reader.value().ok_or_else(damaged)?;
                    failures.push_back((values.len(), failure.into_error(self.head.first + u64::from(at))));
                }
                outputs => {
                    for _ in 1..outputs {
                        let left = reader.0.len();
                        values.push(reader.value().ok_or_else(damaged)?);
                        if reader.0.len() == left && values.len() > EMPTY_OUTPUTS {
                            return Err(damaged());
                        }
                    }
                }
            }
        }
        if end <= skip {
            values.clear();
            failures.clear();
        }
        if end == of && !reader.0.is_empty() {
            return Err(WireError::Trailing(reader.0.len()));
        }
        Ok(Results { values, failures })
    }
}

/// The bytes that are left.
#[derive(Clone, Copy, Debug)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn of_version(bytes: &'a [u8]) -> Result<Self, WireError> {
        match bytes {
            [] => Err(WireError::Empty),
            [VERSION, rest @ ..] => Ok(Self(rest)),
            [version, ..] => Err(WireError::Version(*version)),
        }
    }

    fn value<T: DeserializeOwned>(&mut self) -> Option<T> {
        let (value, rest) = postcard::take_from_bytes(self.0).ok()?;
        self.0 = rest;
        Some(value)
    }

    fn item(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.value::<u64>()?).ok()?;
        let (item, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(item)
    }
}

/// Adds a value of this file's types, whose encoding can't fail.
fn put(bytes: &mut Vec<u8>, value: &impl Serialize) {
    postcard::to_extend(value, Extending(bytes)).expect("it has no part that can't be encoded");
}

struct Extending<'a>(&'a mut Vec<u8>);

impl Extend<u8> for Extending<'_> {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        self.0.extend(bytes);
    }
}

/// The text up to the longest length.
fn cut(text: &str) -> String {
    match text.len() {
        ..=TEXT => text.to_owned(),
        _ => {
            let end = (0..=TEXT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            format!("{}...", &text[..end])
        }
    }
}

/// A text from outside: cut, and its control characters escaped, since it may be shown on a terminal.
fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(TEXT));
    for c in cut(text).chars() {
        if c.is_control() { cleaned.extend(c.escape_default()) } else { cleaned.push(c) }
    }
    cleaned
}
