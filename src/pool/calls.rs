//! Closures of any type on a set of threads: a pool on it whose items are boxed closures.
//!
//! The box of a closure has room for its result, and is the result of its item: so a call takes one allocation more than
//! a submit, and no second channel.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;

use crate::engine::run::Core;
use crate::error::BoxError;
use crate::observe::{Observed, Observers, RunKind};
use crate::pool::assembly::{Assembled, item_bytes};
use crate::pool::error::{RunError, SubmitError};
use crate::pool::handle::Pool;
use crate::pool::run_future::RunFuture;
use crate::protocol::{BatchSize, Protocol, RunKey, default_window};
use crate::util::panic::discard;
use crate::work::{Job, Work};
use crate::workers::set::Set;

/// A closure, and its result once it was called.
pub(super) trait Call: Send {
    /// Calls the closure, the first time.
    fn call(&mut self, job: &Job<'_, Infallible>);

    /// An `Option` of the result's type.
    fn result(&mut self) -> &mut dyn Any;
}

pub(super) type BoxedCall = Box<dyn Call>;

struct Closure<F, T> {
    closure: Option<F>,
    result: Option<T>,
}

impl<F, T> Call for Closure<F, T>
where
    F: FnOnce(&Job<'_, Infallible>) -> T + Send,
    T: Send + 'static,
{
    fn call(&mut self, job: &Job<'_, Infallible>) {
        self.result = self.closure.take().map(|closure| closure(job));
    }

    fn result(&mut self) -> &mut dyn Any {
        &mut self.result
    }
}

/// Takes the result out of a closure that was called.
pub(super) fn take_result<T: 'static>(mut call: BoxedCall) -> T {
    let result = call.result().downcast_mut::<Option<T>>().and_then(Option::take);
    result.expect("it was called, and its result is of the type that its future names")
}

/// The work of the pool.
struct Calls;

impl Work<BoxedCall> for Calls {
    type Output = BoxedCall;

    fn run(&mut self, mut call: BoxedCall, job: &mut Job<'_, BoxedCall>) -> Result<(), BoxError> {
        job.without_results(|job| call.call(job));
        job.emit(call);
        Ok(())
    }
}

/// The pool of a set for closures. It belongs to no System, and its drop lets the set's threads end.
pub(crate) struct CallPool {
    pool: Pool<BoxedCall, BoxedCall>,
    key: RunKey,
}

impl CallPool {
    /// Joins the set. `window`: the most closures that are queued or run; `None` stands for the default.
    pub(crate) fn new(set: &Arc<Set>, window: Option<usize>, observers: &Observers) -> Self {
        let item_bytes = item_bytes::<BoxedCall, BoxedCall>();
        let threads = set.threads();
        let window = window.unwrap_or_else(|| default_window(item_bytes, threads));
        let observed = Observed::start(RunKind::Closures, None, window, threads, observers.clone());
        let protocol = Protocol::new(threads, window, BatchSize::Fixed(1), item_bytes);
        let core = Core::new(protocol, threads, None).named(None, observed);
        let Assembled { pool, stage, .. } = Assembled::new(core, || Calls, false);
        let key = stage.join(set, threads, false);
        Self { pool, key }
    }

    /// Queues a closure, or has it wait for room.
    pub(crate) fn run<T, F>(&self, f: F) -> RunFuture<T>
    where
        F: FnOnce(&Job<'_, Infallible>) -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.check_thread() {
            Ok(()) => RunFuture::pending(self.pool.submit(boxed(f))),
            Err(error) => {
                // Its `Drop` may panic, which must not unwind into the caller.
                discard(f);
                RunFuture::refused(error)
            }
        }
    }

    /// Queues a closure if there is room.
    pub(crate) fn try_run<T, F>(&self, f: F) -> Result<RunFuture<T>, RunError>
    where
        F: FnOnce(&Job<'_, Infallible>) -> T + Send + 'static,
        T: Send + 'static,
    {
        let call = boxed(f);
        if let Err(error) = self.check_thread() {
            discard(call);
            return Err(error);
        }
        self.pool.try_submit(call).map(RunFuture::pending).map_err(|error| match error {
            SubmitError::Full(call) => {
                discard(call);
                RunError::Full { expected_wait: self.pool.expected_wait() }
            }
            error => RunError::of(error),
        })
    }

    fn check_thread(&self) -> Result<(), RunError> {
        if self.pool.run().is_served_here() { Err(RunError::OwnWorkers) } else { Ok(()) }
    }

    /// The run on the set if no closure is in flight.
    pub(crate) fn idle_run(&self) -> Option<RunKey> {
        (self.pool.run().state.protocol().ledger().in_flight == 0).then_some(self.key)
    }
}

fn boxed<T, F>(f: F) -> BoxedCall
where
    F: FnOnce(&Job<'_, Infallible>) -> T + Send + 'static,
    T: Send + 'static,
{
    Box::new(Closure { closure: Some(f), result: None })
}
