//! Batches and their outcomes as bytes.
//!
//! Both begin with the version of the format. Values are in postcard's format. What comes from a network is not trusted:
//! every length is checked against the bytes that are there before memory is taken for it, every text is cut, and its
//! control characters are escaped.
//!
//! ```text
//! job:      version  head { first, items }               { length  item }*
//! outcomes: version  head { first, items, node, ran_nanos, verdict }  { 0 failure | 1 + n  output{n} }*
//! ```

use std::collections::VecDeque;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::backend::remote_error::RemoteError;
use crate::error::ItemError;

/// The format of this version of the crate. A message of another one is refused.
const VERSION: u8 = 1;

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

    /// The whole message.
    pub(crate) fn job(&self, first: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 24);
        bytes.push(VERSION);
        put(&mut bytes, &JobHead { first, items: self.items });
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
    items: Reader<'a>,
}

impl<'a> ReceivedJob<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::of_version(bytes)?;
        let head: JobHead = reader.value().ok_or(WireError::Head)?;
        // Each has at least its length.
        if head.items as usize > reader.0.len() || head.first.checked_add(u64::from(head.items)).is_none() {
            return Err(WireError::Head);
        }
        Ok(Self { head, items: reader })
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

/// What outcomes say before the items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OutcomesHead {
    pub(crate) first: u64,
    pub(crate) items: u32,
    /// Of the node.
    pub(crate) node: String,
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

#[cfg(test)]
mod properties {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A job's message, with items of all lengths.
    fn jobs() -> impl Strategy<Value = Vec<u8>> {
        (any::<u64>(), vec(vec(any::<u8>(), 0..20), 0..20)).prop_map(|(first, inputs)| {
            let mut items = Items::default();
            inputs.iter().for_each(|input| items.push(input).unwrap());
            items.job(first)
        })
    }

    fn verdicts() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            4 => Just(Verdict::Ran),
            1 => ".{0,40}".prop_map(Verdict::Refused),
            1 => any::<u64>().prop_map(|deliveries| Verdict::Poison { deliveries }),
            1 => any::<(u64, u64)>().prop_map(|(bytes, most)| Verdict::TooLarge { bytes, most }),
        ]
    }

    fn failures() -> impl Strategy<Value = Failure> {
        prop_oneof![
            ".{0,40}".prop_map(|message| Failure::panicked(&message)),
            vec(".{0,40}", 0..12).prop_map(Failure::failed),
        ]
    }

    /// A message with outcomes.
    fn outcomes() -> impl Strategy<Value = Vec<u8>> {
        let item = prop_oneof![vec(any::<u64>(), 0..5).prop_map(Ok), failures().prop_map(Err)];
        (any::<u64>(), verdicts(), ".{0,40}", vec(item, 0..20)).prop_map(|(first, verdict, node, ended)| {
            let mut writer = OutcomesWriter::default();
            for item in &ended {
                match item {
                    Ok(outputs) => writer.done(outputs),
                    Err(failure) => writer.failed(failure),
                }
            }
            let (items, ran_nanos) = (ended.len() as u32, 7);
            writer.outcomes(&OutcomesHead { first, items, node, ran_nanos, verdict })
        })
    }

    /// What a network may make of a message: bytes changed, inserted, or cut off.
    fn damaged(messages: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
        let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
        (messages, vec(change, 1..6)).prop_map(|(mut bytes, changes)| {
            for (at, byte, how) in changes {
                let at = at.index(bytes.len() + 1);
                match how {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, byte),
                    _ if at < bytes.len() => bytes[at] = byte,
                    _ => bytes.push(byte),
                }
            }
            bytes
        })
    }

    /// Reads it as a node does. What is read takes no more memory than the message has bytes, but for a factor.
    fn read_job(bytes: &[u8]) {
        let Ok(job) = ReceivedJob::parse(bytes) else { return };
        assert!(job.head.items as usize <= bytes.len());
        let Ok(items) = job.items() else { return };
        assert_eq!(items.len(), job.head.items as usize);
        assert!(items.iter().map(|item| item.len() + 1).sum::<usize>() <= bytes.len());
        for item in items {
            if let Ok(decoded) = decode::<Vec<u8>>(item) {
                assert!(decoded.len() <= item.len());
            }
        }
    }

    /// Reads them as a coordinator does, which has a batch of `items` there.
    fn read_outcomes(bytes: &[u8], skip: u32, items: u32) {
        let Ok(received) = ReceivedOutcomes::parse(bytes) else { return };
        assert!(received.head.node.len() <= TEXT * 10);
        assert!(received.head.node.chars().all(|c| !c.is_control()));
        if let Ok(results) = received.results::<u64>(skip, items, Vec::new()) {
            assert!(results.values.len() + results.failures.len() <= bytes.len());
            assert!(results.failures.len() <= items as usize);
            let texts = results.failures.iter().map(|(_, error)| format!("{error:?}"));
            assert!(texts.map(|text| text.len()).sum::<usize>() <= 1_000 * bytes.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in vec(any::<u8>(), 0..200), is_of_version in any::<bool>()) {
            if is_of_version && let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            read_job(&bytes);
            read_outcomes(&bytes, 0, u32::MAX);
        }

        #[test]
        fn a_damaged_job_is_read_or_refused(bytes in damaged(jobs())) {
            read_job(&bytes);
        }

        #[test]
        fn damaged_outcomes_are_read_or_refused(bytes in damaged(outcomes()), skip in 0..8_u32, items in 0..30_u32) {
            read_outcomes(&bytes, skip, items);
        }

        #[test]
        fn what_was_written_is_read(job in jobs(), outcomes in outcomes()) {
            // A job that ends behind the last index is refused.
            if let Ok(job) = ReceivedJob::parse(&job) {
                prop_assert!(job.items().is_ok());
            }
            if let Ok(received) = ReceivedOutcomes::parse(&outcomes) {
                let results = received.results::<u64>(0, received.head.items, Vec::new()).unwrap();
                prop_assert!(results.failures.len() <= received.head.items as usize);
            }
        }
    }

    /// A message whose first item has so many results.
    fn outcomes_of(first: u64, outputs: u64) -> Vec<u8> {
        let head = OutcomesHead { first, items: 1, node: "node".to_owned(), ran_nanos: 0, verdict: Verdict::Ran };
        let mut bytes = OutcomesWriter::default().outcomes(&head);
        put(&mut bytes, &(outputs + 1));
        bytes
    }

    #[test]
    fn results_without_bytes_are_bounded_and_others_by_their_bytes() {
        let bytes = outcomes_of(0, 1 << 60);
        let received = ReceivedOutcomes::parse(&bytes).unwrap();
        assert_eq!(received.results::<()>(0, 1, Vec::new()).unwrap_err(), WireError::Item(0, 1));
        assert_eq!(received.results::<u8>(0, 1, Vec::new()).unwrap_err(), WireError::Item(0, 1));
    }

    #[test]
    fn outcomes_behind_the_last_index_are_refused() {
        assert_eq!(ReceivedOutcomes::parse(&outcomes_of(u64::MAX, 0)).unwrap_err(), WireError::Head);
    }
}
