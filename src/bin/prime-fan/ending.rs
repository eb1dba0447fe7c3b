//! What ends a run before its time: Ctrl-C, SIGTERM, SIGHUP and `--timeout`. The first drains the pipeline, a signal
//! after it leaves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, process, thread};

use actix_fan::StopHandle;

/// What the shell reports for a program that Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// How long a drain has at least. `timeout` and the like send a signal twice in a row, and mean one.
const GRACE: Duration = Duration::from_millis(200);

/// Why a run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Signal,
    TimeIsUp,
}

/// Whether the run is to end.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    asked: Option<(Reason, Instant)>,
    pipeline: Option<StopHandle>,
}

impl Ending {
    /// Takes the signals from here on. May be called once.
    ///
    /// They are handled on a thread of their own, which works even while the event loop can't: it blocks when nobody
    /// reads the standard output.
    pub(crate) fn on_signals() -> Result<Self, ctrlc::Error> {
        let ending = Self::default();
        ctrlc::set_handler({
            let ending = ending.clone();
            move || ending.signal()
        })?;
        Ok(ending)
    }

    /// Drains the pipeline after `time`, likewise from a thread of its own.
    pub(crate) fn after(&self, time: Duration) -> io::Result<()> {
        let ending = self.clone();
        thread::Builder::new().name("timeout".to_owned()).spawn(move || {
            thread::sleep(time);
            ending.ask(Reason::TimeIsUp);
        })?;
        Ok(())
    }

    /// Names the pipeline to drain, at once if the reason came before it.
    pub(crate) fn attach(&self, pipeline: StopHandle) {
        let mut state = self.state();
        if state.asked.is_some() {
            pipeline.drain();
        }
        state.pipeline = Some(pipeline);
    }

    /// Why the run is to end, if it is.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.state().asked.map(|(reason, _)| reason)
    }

    /// A signal came. It says nothing, since a write to the standard error may block, and a second one must get through.
    fn signal(&self) {
        if let Some(since) = self.ask(Reason::Signal) {
            thread::sleep(GRACE.saturating_sub(since.elapsed()));
            process::exit(INTERRUPTED.into());
        }
    }

    /// Drains the pipeline, unless that was asked for already: then since when.
    pub(crate) fn ask(&self, reason: Reason) -> Option<Instant> {
        let mut state = self.state();
        if let Some((_, since)) = state.asked {
            return Some(since);
        }
        state.asked = Some((reason, Instant::now()));
        if let Some(pipeline) = &state.pipeline {
            pipeline.drain();
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
