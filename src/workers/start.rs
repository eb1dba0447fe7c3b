//! The start of a set's threads, which doesn't block the arbiter and returns an error where actix panics.
//!
//! `SyncArbiter` spawns its threads itself, and panics when the operating system refuses one. To find out before, each
//! thread of a private set first has a placeholder: a thread with a stack of the same size that only waits. If all
//! placeholders can be spawned, so can the threads that take their places. Only the placeholders are spawned on the
//! arbiter. A placeholder ends when it next gets processor time, which takes milliseconds on busy cores; so another
//! thread, the starter, replaces placeholders by workers, one by one.
//!
//! A shared set is started by its first user, which may be a handler on an arbiter, and has a thread per core: its
//! threads are not reserved. If one of them is refused, so are the runs that join the set.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder, JoinHandle};

use actix::{Actor, SyncArbiter, SyncContext, System};

use crate::engine::home;
use crate::engine::settings::Threads;
use crate::error::{PipelineError, StartError};
use crate::observe::{Observers, ThreadInfo};
use crate::util::panic::catch;
use crate::workers::set::Set;

/// How many placeholders may be ending at a time. More would save time on busy cores; fewer leave less room that other
/// processes could take before the workers do.
const ENDING_AHEAD: usize = 8;

/// What the application does on each thread of a set.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_start: Option<Hook>,
    pub(crate) on_stop: Option<Hook>,
    pub(crate) observers: Observers,
}

pub(crate) type Hook = Arc<dyn Fn(usize) + Send + Sync>;

impl Hooks {
    fn call(hook: Option<&Hook>, id: usize) {
        if let Some(hook) = hook {
            // The panic hook has reported it, and the thread goes on.
            let _ = catch(|| hook(id));
        }
    }
}

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

/// Makes a set and starts its threads. This returns before they run. If a thread is refused after all, the runs of the
/// set fail.
///
/// # Errors
///
/// [`StartError::Thread`] if the operating system refuses the starter, or, with `reserve`, so many threads. Then none
/// was started.
pub(crate) fn start(threads: Threads, hooks: Hooks, reserve: bool) -> Result<Arc<Set>, StartError> {
    let home = home::start().map_err(|error| threads.refused(0, error))?;
    let placeholder =
        |worker| Placeholder::spawn(threads.worker(worker)).map_err(|error| threads.refused(worker, error));
    let reserved = if reserve { threads.workers } else { 0 };
    let placeholders: Vec<Placeholder> = (0..reserved).map(placeholder).collect::<Result<_, _>>()?;
    let set = Set::new(threads.workers);
    let starter = threads.builder(format!("{}-start", threads.name));
    let (starting, worker_threads) = (Arc::clone(&set), threads.clone());
    let start = move || {
        match home.system() {
            Ok(system) => System::set_current(system),
            Err(message) => {
                // No thread can start, not only this one.
                drop(placeholders);
                let workers = worker_threads.workers;
                return starting.refuse(&PipelineError::WorkerThread { worker: 0, workers, message }, 0);
            }
        }
        let mut placeholders = VecDeque::from(placeholders);
        let make_room = || {
            placeholders.iter_mut().take(ENDING_AHEAD).for_each(Placeholder::release);
            if let Some(placeholder) = placeholders.pop_front() {
                placeholder.join();
            }
        };
        spawn_workers(&worker_threads, &starting, hooks, make_room);
    };
    starter.spawn(start).map_err(|error| threads.refused(threads.workers - 1, error))?;
    Ok(set)
}

/// One of the actors of a `SyncArbiter`. It serves the runs of its set from its start to the set's end, and handles no
/// message. Messages would pass through an arbiter: one more thread to wait for.
struct Worker {
    /// `None` when actix starts the actor again.
    life: Option<(Arc<Set>, ThreadInfo, Hooks)>,
}

impl Actor for Worker {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        if let Some((set, thread, hooks)) = self.life.take() {
            let id = thread.worker;
            Hooks::call(hooks.on_start.as_ref(), id);
            hooks.observers.thread_started(&thread);
            set.work(id);
            hooks.observers.thread_stopped(&thread);
            Hooks::call(hooks.on_stop.as_ref(), id);
        }
    }
}

/// Spawns the threads, and calls `make_room` before each.
fn spawn_workers(threads: &Threads, set: &Arc<Set>, hooks: Hooks, mut make_room: impl FnMut()) {
    let workers = threads.workers;
    let mut spawning = 0;
    let builder = || {
        make_room();
        spawning += 1;
        threads.worker(spawning - 1)
    };
    // Each worker takes its references out of the factory, which actix keeps until the last worker has ended.
    let lives = Mutex::new((0..workers).map(|_| (Arc::clone(set), hooks.clone())).collect::<Vec<_>>());
    drop(hooks);
    let name: Arc<str> = threads.name.as_str().into();
    let factory = move || {
        let life = lives.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // The number in the thread's name. Threads may come here in another order than they were spawned in.
        let id = thread::current().name().and_then(|name| name.rsplit('-').next()?.parse().ok());
        let thread = || ThreadInfo { set: Arc::clone(&name), worker: id.expect("the builder named it") };
        Worker { life: life.map(|(set, hooks)| (set, thread(), hooks)) }
    };
    // Their address is dropped: they get no messages.
    if let Err(message) = catch(|| drop(SyncArbiter::start_with_thread_builder(workers, builder, factory))) {
        // The last one that was to be spawned is the one that the operating system refused.
        let worker = spawning.saturating_sub(1);
        set.refuse(&PipelineError::WorkerThread { worker, workers, message }, worker);
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
