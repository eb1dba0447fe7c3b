//! What a node can run: works by name and version.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::node::Held;
use crate::backend::wire::{Failure, JobHead, OutcomesHead, OutcomesWriter, Verdict, decode};
use crate::error::{BoxError, Stopped, texts};
use crate::util::panic::{catch, discard};
use crate::work::{Job, Outbox, Runner, Work, call_factory};

/// The name and version of a work, as in `primes/1`: 1 to 32 of `a-z`, `0-9`, `-` and `_`, and a number.
///
/// It is also a part of the backend's names, which is why it is so narrow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kind(Arc<str>);

impl Kind {
    /// `None` if it is none.
    pub(crate) fn parse(kind: &str) -> Option<Self> {
        let (name, version) = kind.split_once('/')?;
        let is_name = (1..=32).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
        let is_version = (1..=9).contains(&version.len())
            && version.bytes().all(|byte| byte.is_ascii_digit())
            && (version == "0" || !version.starts_with('0'));
        (is_name && is_version).then(|| Self(kind.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// With another character between the name and the version.
    pub(crate) fn joined(&self, by: &str) -> String {
        self.0.replace('/', by)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The works of a node. Each thread makes its own of each kind.
#[derive(Clone, Default)]
pub(crate) struct Kinds(BTreeMap<Kind, Arc<dyn MakeRunner>>);

trait MakeRunner: Send + Sync {
    fn make(&self) -> Box<dyn RunBatch>;
}

/// Runs batches of one kind on one thread.
pub(crate) trait RunBatch {
    /// Runs the items, each as its bytes. Returns the message with their outcomes.
    fn run(&mut self, batch: &ReceivedBatch<'_>, is_cancelled: &(dyn Fn() -> bool + Sync)) -> Result<Vec<u8>, Stopped>;
}

/// A batch on a node.
pub(crate) struct ReceivedBatch<'a> {
    pub(crate) head: JobHead,
    pub(crate) items: Vec<&'a [u8]>,
    /// By this node.
    pub(crate) held: &'a Held,
    /// The longest message, in bytes.
    pub(crate) max_message: usize,
}

impl Kinds {
    /// Adds a kind. Returns the work that was registered under the name before.
    pub(crate) fn add<I, W, F>(&mut self, kind: Kind, factory: F) -> bool
    where
        I: DeserializeOwned + 'static,
        W: Work<I, Output: Serialize>,
        F: Fn() -> W + Send + Sync + 'static,
    {
        struct Makes<I, F>(Arc<F>, std::marker::PhantomData<fn(I)>);
        impl<I, W, F> MakeRunner for Makes<I, F>
        where
            I: DeserializeOwned + 'static,
            W: Work<I, Output: Serialize>,
            F: Fn() -> W + Send + Sync + 'static,
        {
            fn make(&self) -> Box<dyn RunBatch> {
                Box::new(Typed::<I, W, F> { factory: Arc::clone(&self.0), work: None, outbox: Outbox::new() })
            }
        }
        self.0.insert(kind, Arc::new(Makes(Arc::new(factory), std::marker::PhantomData))).is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.0.keys()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A runner for this thread; `None` if the kind is not registered.
    pub(crate) fn runner(&self, kind: &str) -> Option<Box<dyn RunBatch>> {
        Kind::parse(kind).and_then(|kind| self.0.get(&kind)).map(|makes| makes.make())
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A work with the types of its items.
struct Typed<I, W: Work<I>, F> {
    factory: Arc<F>,
    work: Option<W>,
    outbox: Outbox<W::Output>,
}

impl<I, W, F> RunBatch for Typed<I, W, F>
where
    I: DeserializeOwned + 'static,
    W: Work<I, Output: Serialize>,
    F: Fn() -> W + Send + Sync + 'static,
{
    fn run(&mut self, batch: &ReceivedBatch<'_>, is_cancelled: &(dyn Fn() -> bool + Sync)) -> Result<Vec<u8>, Stopped> {
        let (began, mut writer) = (Instant::now(), OutcomesWriter::default());
        let mut verdict = Verdict::Ran;
        for (item, index) in batch.items.iter().zip(batch.head.first..) {
            if is_cancelled() {
                return Err(Stopped);
            }
            if let Err(message) = self.prepare() {
                verdict = Verdict::Refused(format!("the factory of the work panicked: {message}"));
                writer = OutcomesWriter::default();
                break;
            }
            match self.run_item(item, index, is_cancelled) {
                // Its `Serialize` is code of the application as well.
                Ok(()) => {
                    if let Err(message) = catch(|| writer.done(&self.outbox.outputs)) {
                        // What it has written is cut off.
                        writer.failed_instead(&Failure::panicked(&message));
                    }
                }
                Err(Ended::Cancelled) => return Err(Stopped),
                Err(Ended::Failed(failure)) => writer.failed(&failure),
            }
            self.outbox.outputs.drain(..).for_each(discard);
        }
        let mut head = OutcomesHead {
            first: batch.head.first,
            items: batch.head.items,
            node: batch.held.node().to_owned(),
            state: batch.held.state(),
            ran_nanos: u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
            verdict,
        };
        let message = writer.outcomes(&head);
        if message.len() <= batch.max_message {
            return Ok(message);
        }
        head.verdict = Verdict::TooLarge { bytes: message.len() as u64, most: batch.max_message as u64 };
        Ok(OutcomesWriter::default().outcomes(&head))
    }
}

/// Why an item has no results.
enum Ended {
    Failed(Failure),
    Cancelled,
}

impl<I, W, F> Typed<I, W, F>
where
    I: DeserializeOwned,
    W: Work<I>,
    F: Fn() -> W,
{
    /// Builds a work if there is none.
    fn prepare(&mut self) -> Result<(), String> {
        if self.work.is_none() {
            self.work = Some(call_factory(&*self.factory, format_args!("a node"))?);
        }
        Ok(())
    }

    fn run_item(&mut self, item: &[u8], index: u64, is_cancelled: &(dyn Fn() -> bool + Sync)) -> Result<(), Ended> {
        let failed = |text: String| Err(Ended::Failed(Failure::failed(vec![text])));
        let input = match catch(|| decode::<I>(item)).unwrap_or_else(Err) {
            Ok(input) => input,
            Err(message) => return failed(format!("the item was not understood by the node: {message}")),
        };
        let Self { work, outbox, .. } = self;
        let work = work.as_mut().expect("it was prepared");
        let asks = Asks(is_cancelled);
        match catch(|| work.run(input, &mut Job::new(outbox, &asks, index))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_cancelled() && error.is::<Stopped>() => Err(Ended::Cancelled),
            Ok(Err(error)) => Err(Ended::Failed(failure(error))),
            Err(message) => {
                // What the panic left half done is not run again.
                discard(self.work.take());
                Err(Ended::Failed(Failure::panicked(&message)))
            }
        }
    }
}

impl<I, W: Work<I>, F> Drop for Typed<I, W, F> {
    fn drop(&mut self) {
        discard(self.work.take());
        self.outbox.outputs.drain(..).for_each(discard);
    }
}

fn failure(error: BoxError) -> Failure {
    let failure = Failure::failed(texts(&*error));
    discard(error);
    failure
}

struct Asks<'a>(&'a (dyn Fn() -> bool + Sync));

impl<O> Runner<O> for Asks<'_> {
    fn is_cancelled(&self) -> bool {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_names_and_versions() {
        for good in ["primes/1", "a/0", "resize-large_2/10"] {
            assert_eq!(Kind::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "primes", "primes/", "/1", "Primes/1", "a.b/1", "a/01", "a/1/2", "a b/1", "a/1234567890", "a/>"]
        {
            assert_eq!(Kind::parse(bad), None, "{bad}");
        }
        assert_eq!(Kind::parse(&format!("{}/1", "a".repeat(33))), None);
        assert_eq!(Kind::parse("primes/1").unwrap().joined("."), "primes.1");
    }
}
