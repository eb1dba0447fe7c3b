//! The System of this crate: a thread, `fan-system`, started once per process, and a few arbiters beside it.
//!
//! Worker threads are started on it: a `SyncArbiter` belongs to the System on which it was started. On the application's
//! it would end with that, and a program under plain tokio has none. And the actors of detached pipelines live on its
//! arbiters.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use actix::{Arbiter, ArbiterHandle, System};

use crate::util::panic::catch;

/// Results whose consumer is gone may be dropped on the thread, by code of users.
const STACK: usize = 2 * 1024 * 1024;

/// The most arbiters for detached pipelines. Each is started when all others have pipelines. More than one, so that a
/// source that is slow to compute an item holds up a part of the other pipelines only; few, since sources are asked for
/// items and don't compute, and threads that compete for the cores slow the workers down.
const ARBITERS: usize = 4;

static HOME: OnceLock<Home> = OnceLock::new();

thread_local! {
    /// Of the System's thread alone.
    static BESIDE: RefCell<Vec<Beside>> = const { RefCell::new(Vec::new()) };
}

/// An arbiter for detached pipelines.
struct Beside {
    arbiter: ArbiterHandle,
    /// Each pipeline that lives there has a clone.
    seats: Seat,
}

/// The place of a detached pipeline on its arbiter, until this is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seat {
    #[allow(dead_code, reason = "its references are counted")]
    arbiter: Arc<()>,
}

type Start = Box<dyn FnOnce() + Send>;

/// The System of this crate, whose thread may still be starting.
pub(crate) struct Home {
    inner: Mutex<Inner>,
    started: Condvar,
}

enum Inner {
    /// With what is to be run once it has started.
    Starting(Vec<Start>),
    Started(System),
    /// Its runtime could not be made, as where no file descriptor is left; with the message.
    Failed(String),
}

/// Starts the System unless it runs. It is not waited for: its thread may have to wait for a processor.
///
/// # Errors
///
/// That of the operating system, if it refuses the thread.
pub(crate) fn start() -> io::Result<&'static Home> {
    static STARTING: Mutex<()> = Mutex::new(());
    if let Some(home) = HOME.get() {
        return Ok(home);
    }
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(home) = HOME.get() {
        return Ok(home);
    }
    let thread = thread::Builder::new().name("fan-system".to_owned()).stack_size(STACK);
    thread.spawn(|| {
        let runner = catch(System::new);
        // The starter sets it next, if it has not yet.
        let home = HOME.wait();
        let runner = match runner {
            Ok(runner) => runner,
            Err(message) => return home.become_ready(Inner::Failed(message)),
        };
        home.become_ready(Inner::Started(System::current()));
        // An error if the System was stopped with a code. No reference to it leaves this crate but on worker threads and
        // to the sources of detached pipelines, where `System::current().stop()` is the application's own doing.
        let _ = runner.run();
    })?;
    let home = Home { inner: Mutex::new(Inner::Starting(Vec::new())), started: Condvar::new() };
    Ok(HOME.get_or_init(|| home))
}

impl Home {
    fn become_ready(&self, ready: Inner) {
        let before = std::mem::replace(&mut *self.lock(), ready);
        self.started.notify_all();
        if let Inner::Starting(waiting) = before {
            waiting.into_iter().for_each(spawn);
        }
    }

    /// The System. Waits until its thread runs, so it is not to be called on an arbiter.
    ///
    /// # Errors
    ///
    /// Why its runtime could not be made.
    pub(crate) fn system(&self) -> Result<System, String> {
        let mut inner = self.lock();
        loop {
            match &*inner {
                Inner::Started(system) => return Ok(system.clone()),
                Inner::Failed(message) => return Err(message.clone()),
                Inner::Starting(_) => inner = self.started.wait(inner).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `f` on the System's thread, soon, also if that is still starting. If the System was stopped, or can't start,
/// `f` is dropped.
pub(crate) fn spawn(f: impl FnOnce() + Send + 'static) {
    let Some(home) = HOME.get() else { return };
    let mut inner = home.lock();
    let system = match &mut *inner {
        Inner::Starting(waiting) => return waiting.push(Box::new(f)),
        Inner::Started(system) => Some(system.clone()),
        Inner::Failed(_) => None,
    };
    // Before `f` may be dropped, by code of users.
    drop(inner);
    if let Some(system) = system {
        system.arbiter().spawn_fn(f);
    }
}

/// Returns true unless the System was stopped. It may not have started yet.
pub(crate) fn is_running() -> bool {
    let Some(home) = HOME.get() else { return true };
    let system = match &*home.lock() {
        Inner::Starting(_) => return true,
        Inner::Failed(_) => return false,
        Inner::Started(system) => system.clone(),
    };
    system.arbiter().spawn_fn(|| ())
}

/// Runs `f` on an arbiter of the System, soon: the one with the fewest pipelines. If the System was stopped, `f` is
/// dropped.
pub(crate) fn spawn_beside(f: impl FnOnce(Seat) + Send + 'static) {
    spawn(move || {
        let (arbiter, seat) = BESIDE.with_borrow_mut(find_arbiter);
        arbiter.spawn_fn(move || f(seat));
    });
}

fn find_arbiter(beside: &mut Vec<Beside>) -> (ArbiterHandle, Seat) {
    loop {
        let least = beside.iter().enumerate().min_by_key(|(_, beside)| beside.pipelines());
        let is_free = least.is_some_and(|(_, beside)| beside.pipelines() == 0);
        if !is_free && beside.len() < ARBITERS {
            // actix panics if the operating system refuses the thread: then the others make do.
            if let Ok(arbiter) = catch(Arbiter::new) {
                beside.push(Beside { arbiter: arbiter.handle(), seats: Seat::default() });
                continue;
            }
        }
        let Some((least, Beside { arbiter, seats })) = least else { return (Arbiter::current(), Seat::default()) };
        // A source may have stopped its arbiter.
        if arbiter.spawn_fn(|| ()) {
            return (arbiter.clone(), seats.clone());
        }
        beside.swap_remove(least);
    }
}

impl Beside {
    fn pipelines(&self) -> usize {
        Arc::strong_count(&self.seats.arbiter) - 1
    }
}
