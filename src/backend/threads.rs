//! The start of the worker threads, which doesn't block the arbiter and returns an error where actix panics.
//!
//! `SyncArbiter` spawns its threads itself, and panics when the operating system refuses one. To find out before, each
//! worker first has a placeholder: a thread with a stack of the same size that only waits. If all placeholders can be
//! spawned, so can the workers that take their places. Only the placeholders are spawned on the arbiter. A placeholder
//! ends when it next gets processor time, which takes milliseconds on busy cores; so another thread, the starter,
//! replaces placeholders by workers, one by one.

use std::collections::VecDeque;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use actix::{Actor, Addr, SyncArbiter, SyncContext, System};

use crate::engine::run::{Run, WorkerGuard};
use crate::engine::settings::Threads;
use crate::error::{PipelineError, StartError};
use crate::protocol::Phase;
use crate::util::panic::{catch, discard};

/// How many placeholders may be ending at a time. More would save time on busy cores; fewer leave less room that other
/// processes could take before the workers do.
const ENDING_AHEAD: usize = 8;

impl Threads {
    /// Builds a thread of this name, with a stack of the workers' size.
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

/// Starts the worker threads. On each of them `new_worker` makes an actor, of the worker's number and of `shared`.
///
/// This returns before the workers run. When they do, `ready` is called with their address, on the starter's thread. If
/// a worker is refused after all, `ready` is dropped instead, and the run has failed.
///
/// # Errors
///
/// [`StartError::Thread`] if the operating system refuses so many threads and the starter. Then no worker was started.
pub(crate) fn start_workers<A, S>(
    system: &System,
    threads: Threads,
    run: &Run,
    shared: Arc<S>,
    new_worker: impl Fn(usize, Arc<S>, WorkerGuard) -> A + Send + Sync + 'static,
    ready: impl FnOnce(Addr<A>) + Send + 'static,
) -> Result<(), StartError>
where
    A: Actor<Context = SyncContext<A>>,
    S: Send + Sync + 'static,
{
    let reserve = |worker| Placeholder::spawn(threads.worker(worker)).map_err(|error| threads.refused(worker, error));
    let placeholders: Vec<Placeholder> = (0..threads.workers).map(reserve).collect::<Result<_, _>>()?;
    let starter = threads.builder(format!("{}-start", threads.name));
    let (system, run, worker_threads) = (system.clone(), run.clone(), threads.clone());
    let start = move || {
        System::set_current(system);
        let mut placeholders = VecDeque::from(placeholders);
        let make_room = |_| {
            placeholders.iter_mut().take(ENDING_AHEAD).for_each(Placeholder::release);
            placeholders.pop_front().expect("each worker has a placeholder").join();
            Ok(())
        };
        spawn_workers(&worker_threads, &run, shared, new_worker, make_room, ready);
    };
    starter.spawn(start).map(drop).map_err(|error| threads.refused(threads.workers - 1, error))
}

/// Spawns the worker threads, and calls `make_room` before each.
fn spawn_workers<A, S>(
    threads: &Threads,
    run: &Run,
    shared: Arc<S>,
    new_worker: impl Fn(usize, Arc<S>, WorkerGuard) -> A + Send + Sync + 'static,
    mut make_room: impl FnMut(usize) -> Result<(), String>,
    ready: impl FnOnce(Addr<A>),
) where
    A: Actor<Context = SyncContext<A>>,
    S: Send + Sync + 'static,
{
    let workers = threads.workers;
    let (mut started, mut refused) = (0, None);
    let builder = || {
        if let Err(message) = make_room(started) {
            refused = Some(message);
            // Leaves `SyncArbiter`, which takes no error, without a call of the panic hook.
            resume_unwind(Box::new(()));
        }
        started += 1;
        threads.worker(started - 1)
    };
    let ids = AtomicUsize::new(0);
    // Each worker takes its reference and its guard out of the factory, which actix keeps until the last worker has
    // ended: a run must be able to end before that. If a thread is refused, the rest are dropped with the factory, so
    // no task waits for workers that never started.
    let shares =
        Mutex::new((0..workers).map(|_| (Arc::clone(&shared), WorkerGuard::of_worker(run))).collect::<Vec<_>>());
    drop(shared);
    let factory = move || {
        let share = shares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (shared, guard) = share.expect("each thread makes one worker");
        new_worker(ids.fetch_add(1, Relaxed), shared, guard)
    };
    match catch(|| SyncArbiter::start_with_thread_builder(workers, builder, factory)) {
        Ok(addr) => ready(addr),
        Err(panic) => {
            let message = refused.unwrap_or(panic);
            run.fail(PipelineError::WorkerThread { worker: started, workers, message }, Phase::Stopped);
            discard(ready);
        }
    }
}

/// A thread that only waits, in the place of a worker thread. It ends when this is dropped.
struct Placeholder {
    /// The thread waits until this is dropped.
    stay: Option<Sender<()>>,
    thread: JoinHandle<()>,
}

impl Placeholder {
    fn spawn(builder: Builder) -> io::Result<Self> {
        let (stay, released) = channel();
        let thread = builder.spawn(move || _ = released.recv())?;
        Ok(Self { stay: Some(stay), thread })
    }

    /// Tells the thread to end soon.
    fn release(&mut self) {
        self.stay = None;
    }

    /// Returns when the thread has ended.
    fn join(mut self) {
        self.release();
        self.thread.join().expect("a placeholder can't panic");
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::engine::run::Core;
    use crate::pipeline::intake::SourceIntake;
    use crate::protocol::{BatchSize, Protocol};

    struct IdleWorker(#[allow(dead_code, reason = "only its drop matters")] WorkerGuard);
    impl Actor for IdleWorker {
        type Context = SyncContext<Self>;
    }

    #[test]
    fn a_worker_refused_after_others_have_started_fails_the_run_and_is_not_waited_for() {
        let threads = Threads { workers: 5, name: "late".into(), stack_size: None };
        let core = Core::new(Protocol::new(5, 5, BatchSize::Fixed(1), 8), 5, None);
        let run = SourceIntake::new(core, Vec::new()).run();
        let shared = Arc::new(());
        let weak = Arc::downgrade(&shared);
        actix::System::new().block_on(async {
            let make_room = |worker| if worker < 2 { Ok(()) } else { Err("no room".to_owned()) };
            let ready = |_| panic!("the workers are not ready");
            spawn_workers(&threads, &run, shared, |_, _, guard| IdleWorker(guard), make_room, ready);
            run.workers_stopped().await.unwrap();
        });
        let error = PipelineError::WorkerThread { worker: 2, workers: 5, message: "no room".into() };
        assert_eq!(run.state.error(), Some(&error));
        assert_eq!(error.to_string(), "worker thread 2 of 5 could not be started: no room");
        assert!(weak.upgrade().is_none());
        assert!(run.workers_stopped().now_or_never().is_some());
    }
}
