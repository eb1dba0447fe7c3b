//! The signals that ask a process to end.

use std::io;

#[cfg(unix)]
use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
#[cfg(unix)]
use futures::future::{Either, select};

/// The signals of this process from [`new`](Self::new) on. A signal that comes before [`next`](Self::next) is called is
/// not lost.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next signal, and returns the exit code that a shell reports for it.
    pub(crate) async fn next(&mut self) -> i32 {
        let (interrupt, terminate) = (Box::pin(self.interrupt.recv()), Box::pin(self.terminate.recv()));
        let signal = match select(interrupt, terminate).await {
            Either::Left(_) => SignalKind::interrupt(),
            Either::Right(_) => SignalKind::terminate(),
        };
        128 + signal.as_raw_value()
    }
}

/// Ctrl-C, on systems without signals.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> i32 {
        if actix_web::rt::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        130
    }
}
