//! Ctrl-C, SIGTERM and SIGHUP: the first drains the pipeline, the second leaves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{process, thread};

use actix_fan::StopHandle;

use crate::exit::INTERRUPTED;

/// How long a drain has at least. `timeout` and the like send a signal twice in a row, and mean one.
const GRACE: Duration = Duration::from_millis(200);

/// Whether somebody wants the program to end.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    since: Option<Instant>,
    pipeline: Option<StopHandle>,
}

impl Interrupt {
    /// Takes the signals from here on. May be called once.
    ///
    /// They are handled on a thread of their own, which works even while the event loop can't: it blocks when nobody
    /// reads the standard output.
    pub(crate) fn install() -> Result<Self, ctrlc::Error> {
        let interrupt = Self::default();
        ctrlc::set_handler({
            let interrupt = interrupt.clone();
            move || interrupt.request()
        })?;
        Ok(interrupt)
    }

    /// Names the pipeline to drain, at once if the signal came before it.
    pub(crate) fn attach(&self, pipeline: StopHandle) {
        let mut state = self.state();
        if state.since.is_some() {
            pipeline.drain();
        }
        state.pipeline = Some(pipeline);
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.state().since.is_some()
    }

    /// A signal came. It says nothing, since a write to the standard error may block, and a second one must get through.
    pub(crate) fn request(&self) {
        let mut state = self.state();
        let Some(since) = state.since else {
            state.since = Some(Instant::now());
            if let Some(pipeline) = &state.pipeline {
                pipeline.drain();
            }
            return;
        };
        drop(state);
        thread::sleep(GRACE.saturating_sub(since.elapsed()));
        process::exit(INTERRUPTED.into());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
