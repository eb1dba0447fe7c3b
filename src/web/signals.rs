//! The signals that ask the process to terminate.

use std::future::pending;

use actix_web::rt::signal;

/// The termination signals of this process, from the call of [`new`](Self::new) on.
pub(super) struct Signals {
    #[cfg(unix)]
    ends: Option<[signal::unix::Signal; 3]>,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> Self {
        use signal::unix::{SignalKind, signal};

        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit()];
        let ends = kinds.map(signal);
        let ends = match ends {
            [Ok(terminate), Ok(interrupt), Ok(quit)] => Some([terminate, interrupt, quit]),
            _ => {
                crate::util::log::warn!("no signal handler could be installed");
                None
            }
        };
        Self { ends }
    }

    /// Waits for the next signal; forever, if no handler could be installed.
    pub(super) async fn next(&mut self) {
        let Some(ends) = &mut self.ends else { return pending().await };
        let ends = ends.each_mut().map(|end| Box::pin(end.recv()));
        futures::future::select_all(ends).await;
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> Self {
        Self {}
    }

    pub(super) async fn next(&mut self) {
        if signal::ctrl_c().await.is_err() {
            pending().await
        }
    }
}
