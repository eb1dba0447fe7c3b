//! What the workers do with an item.

pub(crate) mod closures;
pub(crate) mod turn;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use crate::error::{BoxError, ItemError, Stopped};
use crate::util::clock::CLOCK;
use crate::util::log;
use crate::util::panic::{catch, discard};

/// How often in a row a factory may panic.
pub(crate) const FACTORY_ATTEMPTS: u32 = 5;

/// Has the user's factory build a work for `whom`, again if it panics.
///
/// # Errors
///
/// The message of the last panic, if it has panicked [`FACTORY_ATTEMPTS`] times in a row.
pub(crate) fn call_factory<W>(factory: impl Fn() -> W, whom: fmt::Arguments<'_>) -> Result<W, String> {
    for attempt in 1.. {
        match catch(&factory) {
            Ok(work) => {
                log::debug!("{whom} has its work");
                return Ok(work);
            }
            Err(message) if attempt == FACTORY_ATTEMPTS => return Err(message),
            Err(message) => log::warn!("the factory of {whom} panicked, trying again: {message}"),
        }
    }
    unreachable!("the loop returns")
}

/// What runs an item, as the item sees it.
///
/// So a work need not know by what it is run: a pipeline, a pool or something remote.
pub(crate) trait Runner<O>: Sync {
    /// Returns true if the run was stopped, or the result of the item is not waited for any more.
    fn is_cancelled(&self) -> bool;

    /// Sends on what the item has emitted so far, if results may leave before their item has ended, and the consumer is
    /// not behind.
    fn flush(&self, _outbox: &mut Outbox<O>) {}
}

/// The results of items that one thread runs one after the other.
pub(crate) struct Outbox<O> {
    pub(crate) outputs: Vec<O>,
    /// Each with the number of outputs before it.
    pub(crate) failures: VecDeque<(usize, ItemError)>,
    /// How many outputs there were before the item that runs. Those after them are dropped if it fails or is skipped.
    pub(crate) mark: usize,
}

impl<O> Outbox<O> {
    pub(crate) fn new() -> Self {
        Self { outputs: Vec::new(), failures: VecDeque::new(), mark: 0 }
    }

    /// How many results the item that runs has emitted.
    #[inline]
    pub(crate) fn of_item(&self) -> usize {
        self.outputs.len() - self.mark
    }
}

/// What a worker does with each item, with state of its own.
///
/// Each thread of the pool has its own `Work`, built on that thread by the factory given to
/// [`FanOut::with`](crate::FanOut::with) or [`PoolBuilder::with`](crate::PoolBuilder::with); it need not be `Send`. For
/// work without state the closures of [`FanOut::map`](crate::FanOut::map) and its siblings are shorter.
///
/// # Panics
///
/// A panic in `run` fails that item only. The `Work` it left behind is dropped and the factory builds a new one.
///
/// # Examples
///
/// ```
/// use actix_fan::{BoxError, FanOutExt, Job, Work};
/// use futures::StreamExt;
///
/// struct Sums { buffer: Vec<u64> } // kept from item to item
///
/// impl Work<&'static str> for Sums {
///     type Output = u64;
///     fn run(
///         &mut self,
///         line: &'static str,
///         job: &mut Job<'_, u64>,
///     ) -> Result<(), BoxError> {
///         self.buffer.clear();
///         for word in line.split_whitespace() {
///             self.buffer.push(word.parse()?);
///         }
///         job.emit(self.buffer.iter().sum());
///         Ok(())
///     }
/// }
///
/// # actix::System::new().block_on(async {
/// let factory = || Sums { buffer: Vec::new() }; // called on each worker thread
/// let mut sums = ["1 2 3", "4 x"].fan_out().ordered().with(factory)?;
/// assert_eq!(sums.next().await.unwrap()?, 6);
/// let error = sums.next().await.unwrap().unwrap_err();
/// assert_eq!(error.index(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait Work<I>: 'static {
    /// The type of its results. It may emit any number of them per item, or none.
    type Output: Send + 'static;

    /// Works on `input` and hands results to `job`.
    ///
    /// # Errors
    ///
    /// An error fails the item: it reaches the consumer as the [`source`](std::error::Error::source) of one
    /// [`ItemError`](crate::ItemError), and what the item had emitted is dropped. An item yields all of its results or
    /// one failure, unless it [flushes](Job::flush). A [`Stopped`](crate::Stopped) from an item that saw [`Job::is_stopped`] is no failure: the item
    /// counts as skipped.
    fn run(&mut self, input: I, job: &mut Job<'_, Self::Output>) -> Result<(), BoxError>;
}

/// The item that runs, as its [`Work`] sees it.
pub struct Job<'a, O> {
    outbox: &'a mut Outbox<O>,
    runner: &'a dyn Runner<O>,
    index: u64,
}

impl<'a, O> Job<'a, O> {
    /// The item of this index, whose results go into `outbox`.
    #[inline]
    pub(crate) fn new(outbox: &'a mut Outbox<O>, runner: &'a dyn Runner<O>, index: u64) -> Self {
        Self { outbox, runner, index }
    }

    /// How many results it has emitted that are here yet.
    #[inline]
    pub(crate) fn emitted(&self) -> usize {
        self.outbox.of_item()
    }

    /// The same job for a closure that returns its result instead of emitting it.
    pub(crate) fn without_results<R>(&self, run: impl FnOnce(&Job<'_, Infallible>) -> R) -> R {
        struct Asks<'a, O>(&'a dyn Runner<O>);
        impl<O> Runner<Infallible> for Asks<'_, O> {
            fn is_cancelled(&self) -> bool {
                self.0.is_cancelled()
            }
        }
        run(&Job { outbox: &mut Outbox::new(), runner: &Asks(self.runner), index: self.index })
    }
}

impl<O> Job<'_, O> {
    /// Adds a result. An item's results leave together, when it returns or [flushes](Self::flush): they are all held in
    /// memory until then.
    ///
    /// A loop around this should ask [`is_stopped`](Self::is_stopped), or nothing ends it before it ends itself;
    /// [`emit_all`](Self::emit_all) does.
    #[inline]
    pub fn emit(&mut self, output: O) {
        self.outbox.outputs.push(output);
    }

    /// Adds every result of an iterator, and asks before each whether the item was stopped. The iterator's
    /// [`size_hint`](Iterator::size_hint) is not relied on: memory is taken for the results that there are.
    ///
    /// ```
    /// use actix_fan::{FanOutExt, Job, work_fn};
    /// use futures::StreamExt;
    ///
    /// # actix::System::new().block_on(async {
    /// let divisors = [12u32, 13].fan_out().with(|| {
    ///     work_fn(|n: u32, job: &mut Job<'_, u32>| {
    ///         job.emit_all((1..=n).filter(|d| n % d == 0))?;
    ///         Ok(())
    ///     })
    /// })?;
    /// assert_eq!(divisors.count().await, 6 + 2);
    /// # Ok::<(), actix_fan::StartError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`Stopped`], to be returned from the work: the item then counts as skipped. What it emitted and the rest of the
    /// iterator are dropped; a panic in their `Drop` is contained.
    #[inline]
    pub fn emit_all(&mut self, outputs: impl IntoIterator<Item = O>) -> Result<(), Stopped> {
        let mut outputs = outputs.into_iter();
        // No `extend`: it asks nothing between two results, and reserves memory for as many as the iterator claims to
        // have.
        loop {
            if self.is_stopped() {
                // The results that it still holds are dropped like those that were emitted: a panic of theirs does not
                // turn the skipped item into a failed one.
                discard(outputs);
                return Err(Stopped);
            }
            match outputs.next() {
                Some(output) => self.emit(output),
                None => return Ok(()),
            }
        }
    }

    /// Adds results of the iterator until it ends, there are `most` with those of the items before, or `due` by the
    /// coarse clock is reached. Returns true if it ended.
    #[inline]
    pub(crate) fn emit_some(&mut self, outputs: &mut impl Iterator<Item = O>, most: usize, due: u64) -> bool {
        let Outbox { outputs: emitted, .. } = &mut *self.outbox;
        // Whether the item was stopped is asked when this returns, which is soon enough.
        for output in outputs {
            emitted.push(output);
            if emitted.len() >= most || CLOCK.has_reached(due) {
                return false;
            }
        }
        true
    }

    /// Sends on what the item has emitted so far, while it goes on: for long items of which the first results are worth
    /// having early.
    ///
    /// It does not wait. While the consumer has not taken as many results as the window has items, those emitted stay
    /// with the item, until the next flush or until it ends. In a pool, and in a
    /// [simulation](crate::testing::simulate), it does nothing: an item has one result there, or all results leave
    /// together.
    ///
    /// An item that fails, panics or is skipped after a flush does not take back what has left: its failure comes behind
    /// these results, in its place in the order.
    ///
    /// ```
    /// use actix_fan::{FanOutExt, Job, work_fn};
    /// use futures::StreamExt;
    ///
    /// # actix::System::new().block_on(async {
    /// let mut found = [1_000u64].fan_out().with(|| {
    ///     work_fn(|most: u64, job: &mut Job<'_, u64>| {
    ///         for n in 1..=most {
    ///             if n % 250 == 0 {
    ///                 job.emit(n);
    ///                 job.flush();
    ///             }
    ///         }
    ///         Err("no more".into())
    ///     })
    /// })?;
    /// for n in [250, 500, 750, 1000] {
    ///     assert_eq!(found.next().await.unwrap()?, n);
    /// }
    /// assert!(found.next().await.unwrap().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn flush(&mut self) {
        if self.outbox.of_item() > 0 {
            self.runner.flush(self.outbox);
        }
    }

    /// Returns true if the pipeline or the pool was stopped, or the result of this item is not waited for any more:
    /// then a long item should return [`Stopped`](crate::Stopped). Stays false during a drain, which waits for what is
    /// in flight.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.runner.is_cancelled()
    }

    /// The index of the item in the source, or in the order in which the pool took items in, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }
}

impl<O> fmt::Debug for Job<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("index", &self.index).field("is_stopped", &self.is_stopped()).finish()
    }
}

/// A [`Work`] from a closure that sees its [`Job`]: for long items that ask whether they were stopped.
///
/// ```
/// use actix_fan::{FanOutExt, Job, Stopped, work_fn};
/// use futures::StreamExt;
///
/// # actix::System::new().block_on(async {
/// let countdowns = [3u64, 5].fan_out().with(|| {
///     work_fn(|mut n: u64, job: &mut Job<'_, &str>| {
///         while n > 0 {
///             if job.is_stopped() {
///                 return Err(Stopped.into());
///             }
///             n -= 1;
///         }
///         job.emit("done");
///         Ok(())
///     })
/// })?;
/// assert_eq!(countdowns.count().await, 2);
/// # Ok::<(), actix_fan::StartError>(())
/// # }).unwrap();
/// ```
pub fn work_fn<I, O, F>(f: F) -> WorkFn<F, O>
where
    F: FnMut(I, &mut Job<'_, O>) -> Result<(), BoxError> + 'static,
    O: Send + 'static,
{
    WorkFn { f, output: PhantomData }
}

/// What [`work_fn`] returns.
pub struct WorkFn<F, O> {
    f: F,
    output: PhantomData<fn() -> O>,
}

impl<F, O> fmt::Debug for WorkFn<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkFn").finish_non_exhaustive()
    }
}

impl<I, O, F> Work<I> for WorkFn<F, O>
where
    F: FnMut(I, &mut Job<'_, O>) -> Result<(), BoxError> + 'static,
    O: Send + 'static,
{
    type Output = O;

    #[inline]
    fn run(&mut self, input: I, job: &mut Job<'_, O>) -> Result<(), BoxError> {
        (self.f)(input, job)
    }
}
