//! The System on which the worker threads are started: a thread of this crate, `fan-system`, started once per process.
//!
//! A `SyncArbiter` belongs to the System on which it was started. On the application's it would end with that, and a
//! program under plain tokio has none.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

use actix::System;

/// Results whose consumer is gone may be dropped on the thread, by code of users.
const STACK: usize = 2 * 1024 * 1024;

static HOME: OnceLock<Home> = OnceLock::new();

/// The System of this crate, whose thread may still be starting.
pub(crate) struct Home {
    system: OnceLock<System>,
    /// Receives the System once. Behind a lock, so that the first thread that waits keeps the others out.
    starting: Mutex<mpsc::Receiver<System>>,
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
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("fan-system".to_owned()).stack_size(STACK).spawn(move || {
        let runner = System::new();
        // The receiver is in a static, and so never gone.
        let _ = sender.send(System::current());
        // An error if the System was stopped with a code. No reference to it leaves this crate but on worker threads,
        // where `System::current().stop()` is the application's own doing.
        let _ = runner.run();
    })?;
    Ok(HOME.get_or_init(|| Home { system: OnceLock::new(), starting: Mutex::new(receiver) }))
}

impl Home {
    /// The System. Waits until its thread runs, so it is not to be called on an arbiter.
    pub(crate) fn system(&self) -> &System {
        self.system.get_or_init(|| {
            let starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
            starting.recv().expect("the thread sends its System first")
        })
    }

    /// Runs `f` on the System's thread, soon. Does nothing if the System has not started yet.
    pub(crate) fn spawn(f: impl FnOnce() + Send + 'static) -> bool {
        let system = HOME.get().and_then(|home| home.system.get());
        system.is_some_and(|system| system.arbiter().spawn_fn(f))
    }
}
