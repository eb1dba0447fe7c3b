//! The start of the workers' threads: without keeping the arbiter, and with errors where actix panics.
//!
//! `SyncArbiter` starts its threads itself and panics, loudly, when the operating system refuses one. That shows only
//! after the fact, so each worker's place is reserved first: by a thread with a stack of the same size, which does
//! nothing but wait. If all of them can be started, so can the workers in their places. Only the reservation is made on
//! the arbiter. To end a reserved thread takes until the processor gets to it, which on busy cores is milliseconds; so
//! a further thread, the starter, exchanges reserved threads for workers, one by one.

use std::collections::VecDeque;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use actix::{Actor, Addr, SyncArbiter, SyncContext, System};

use crate::engine::intake::{Run, WorkerGuard};
use crate::engine::settings::Threads;
use crate::error::{PipelineError, StartError};
use crate::protocol::Phase;
use crate::util::panic::{catch, discard};

/// How many reserved threads are on their way out at a time. More of them would save time where cores are busy, fewer
/// leave less room that others may take first.
const AHEAD: usize = 8;

impl Threads {
    /// A thread of this name, with a stack of the workers' size.
    fn builder(&self, name: String) -> Builder {
        let builder = Builder::new().name(name);
        match self.stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        }
    }

    fn worker(&self, worker: usize) -> Builder {
        self.builder(format!("{}-{worker}", self.name))
    }

    fn refused(&self, worker: usize, source: io::Error) -> StartError {
        StartError::Thread { worker, workers: self.workers, source }
    }
}

/// Starts the threads, each with an actor that `hire` makes of the worker's number and what all of them share. `ready`
/// is called with the address of all, soon, on another thread. It is dropped instead if that fails in the end; then the
/// pipeline has ended with an error.
///
/// # Errors
///
/// [`StartError::Thread`], where there is no place for so many threads and one more. Nothing was started then.
pub(crate) fn start_workers<A, S>(
    system: &System,
    threads: Threads,
    run: &Run,
    shared: Arc<S>,
    hire: impl Fn(usize, Arc<S>, WorkerGuard) -> A + Send + Sync + 'static,
    ready: impl FnOnce(Addr<A>) + Send + 'static,
) -> Result<(), StartError>
where
    A: Actor<Context = SyncContext<A>>,
    S: Send + Sync + 'static,
{
    let reserve = |worker| Reserved::start(threads.worker(worker)).map_err(|error| threads.refused(worker, error));
    let reserved: Vec<Reserved> = (0..threads.workers).map(reserve).collect::<Result<_, _>>()?;
    let starter = threads.builder(format!("{}-start", threads.name));
    let (system, run, its) = (system.clone(), run.clone(), threads.clone());
    let start = move || {
        System::set_current(system);
        let mut reserved = VecDeque::from(reserved);
        let room = |_| {
            reserved.iter_mut().take(AHEAD).for_each(Reserved::release);
            reserved.pop_front().expect("each worker has a place").join();
            Ok(())
        };
        man(&its, &run, shared, hire, room, ready);
    };
    starter.spawn(start).map(drop).map_err(|error| threads.refused(threads.workers - 1, error))
}

/// Starts the threads as soon as there is `room` for each.
fn man<A, S>(
    threads: &Threads,
    run: &Run,
    shared: Arc<S>,
    hire: impl Fn(usize, Arc<S>, WorkerGuard) -> A + Send + Sync + 'static,
    mut room: impl FnMut(usize) -> Result<(), String>,
    ready: impl FnOnce(Addr<A>),
) where
    A: Actor<Context = SyncContext<A>>,
    S: Send + Sync + 'static,
{
    let workers = threads.workers;
    let (mut started, mut refused) = (0, None);
    let builder = || {
        if let Err(message) = room(started) {
            refused = Some(message);
            // Ends the start without a call of the panic hook.
            resume_unwind(Box::new(()));
        }
        started += 1;
        threads.worker(started - 1)
    };
    let ids = AtomicUsize::new(0);
    // Each thread takes its share along, since actix lets go of this closure only after the last worker has ended. The
    // shares of threads that were never started are dropped with the closure: nobody waits for those workers.
    let shares =
        Mutex::new((0..workers).map(|_| (Arc::clone(&shared), WorkerGuard::of_worker(run))).collect::<Vec<_>>());
    drop(shared);
    let factory = move || {
        let share = shares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (shared, guard) = share.expect("a thread builds one worker");
        hire(ids.fetch_add(1, Relaxed), shared, guard)
    };
    match catch(|| SyncArbiter::start_with_thread_builder(workers, builder, factory)) {
        Ok(crew) => ready(crew),
        Err(panic) => {
            let message = refused.unwrap_or(panic);
            run.fail(PipelineError::WorkerThread { worker: started, workers, message }, Phase::Stopped);
            discard(ready);
        }
    }
}

/// A thread that keeps the place of a worker's. Dropped, it ends by itself.
struct Reserved {
    /// The thread waits for the end of this.
    stay: Option<Sender<()>>,
    thread: JoinHandle<()>,
}

impl Reserved {
    fn start(builder: Builder) -> io::Result<Self> {
        let (stay, released) = channel();
        let thread = builder.spawn(move || _ = released.recv())?;
        Ok(Self { stay: Some(stay), thread })
    }

    fn release(&mut self) {
        self.stay = None;
    }

    /// Returns when the thread is gone.
    fn join(mut self) {
        self.release();
        self.thread.join().expect("it only waits");
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::engine::intake::Core;
    use crate::pipeline::intake::SourceIntake;
    use crate::protocol::{BatchSize, Protocol};

    struct Idler(#[allow(dead_code, reason = "it is there to be dropped")] WorkerGuard);
    impl Actor for Idler {
        type Context = SyncContext<Self>;
    }

    #[test]
    fn a_thread_that_is_refused_late_ends_the_pipeline_and_nobody_waits_for_the_others() {
        let threads = Threads { workers: 5, name: "late".into(), stack_size: None };
        let core = Core::new(Protocol::new(5, 5, BatchSize::Fixed(1), 8), 5, None);
        let run = SourceIntake::new(core, Vec::new()).run();
        let shared = Arc::new(());
        let weak = Arc::downgrade(&shared);
        actix::System::new().block_on(async {
            let room = |worker| if worker < 2 { Ok(()) } else { Err("no room".to_owned()) };
            let ready = |_| panic!("it isn't ready");
            man(&threads, &run, shared, |_, _, guard| Idler(guard), room, ready);
            run.workers_stopped().await.unwrap();
        });
        let error = PipelineError::WorkerThread { worker: 2, workers: 5, message: "no room".into() };
        assert_eq!(run.state.error(), Some(&error));
        assert_eq!(error.to_string(), "worker thread 2 of 5 could not be started: no room");
        assert!(weak.upgrade().is_none());
        assert!(run.workers_stopped().now_or_never().is_some());
    }
}
