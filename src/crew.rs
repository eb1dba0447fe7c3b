//! The crew: the start of the workers' threads, with errors where actix panics.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use actix::{Actor, Addr, Arbiter, SyncArbiter, SyncContext, System};
use tokio::runtime::Handle;

use crate::error::StartError;
use crate::unwind::catch;

/// actix panics where there is no System, and starts actors into the void where it was stopped.
pub(crate) fn check_arbiter() -> Result<(), StartError> {
    let (Some(system), Some(arbiter)) = (System::try_current(), Arbiter::try_current()) else {
        return Err(StartError::NoSystem);
    };
    // Outside of `block_on` the arbiter's thread has no runtime to spawn on.
    Handle::try_current().map_err(|_| StartError::NoSystem)?;
    // The pool's queue is served on the System's first arbiter, the actors live on this one.
    if !system.arbiter().spawn_fn(|| ()) || !arbiter.spawn_fn(|| ()) {
        return Err(StartError::SystemStopped);
    }
    // The runtime may be another one, entered on the arbiter's thread, where actors can't be spawned.
    catch(|| drop(actix::spawn(async {}))).map_err(|_| StartError::NoSystem)
}

/// The System that this thread belongs to, whether its loop runs already or not.
pub(crate) fn check_system() -> Result<System, StartError> {
    let system = System::try_current().ok_or(StartError::NoSystem)?;
    if system.arbiter().spawn_fn(|| ()) { Ok(system) } else { Err(StartError::SystemStopped) }
}

/// Starts `workers` threads, each with an actor that `hire` makes of the worker's number and what all of them share.
pub(crate) fn start_crew<A, S>(
    name: &str,
    workers: usize,
    shared: Arc<S>,
    hire: impl Fn(usize, Arc<S>) -> A + Send + Sync + 'static,
) -> Result<Addr<A>, StartError>
where
    A: Actor<Context = SyncContext<A>>,
    S: Send + Sync + 'static,
{
    let mut started = 0;
    let mut refused = None;
    let builder = || {
        let builder = || thread::Builder::new().name(format!("{name}-{started}"));
        // The pool panics, loudly, when a thread is refused. So one is asked for here first.
        if let Err(error) = builder().spawn(|| ()).map(|probe| probe.join()) {
            refused = Some(error);
            std::panic::resume_unwind(Box::new(()));
        }
        let builder = builder();
        started += 1;
        builder
    };
    let ids = AtomicUsize::new(0);
    // Each thread takes its share along, since actix lets go of this closure only after the last worker has ended.
    let shares = Mutex::new(vec![shared; workers]);
    let factory = move || {
        let share = shares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        hire(ids.fetch_add(1, Relaxed), share.expect("a thread builds one worker"))
    };
    catch(|| SyncArbiter::start_with_thread_builder(workers, builder, factory)).map_err(|message| StartError::Thread {
        worker: started,
        workers,
        source: refused.unwrap_or_else(|| std::io::Error::other(message)),
    })
}
