//! What ends a run before its time: Ctrl-C, SIGTERM, SIGHUP and `--timeout`. The first drains the pipeline, a signal
//! after it leaves.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, process, thread};

use actix_fan::StopHandle;
use tempfile::NamedTempFile;

use crate::signals;
use crate::stderr;

/// What the shell reports for a program that Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// What the program `timeout` returns.
pub(crate) const TIME_IS_UP: u8 = 124;

/// A signal that comes so soon after the first means the same: `timeout` and the like send one twice in a row.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// How long a run may be stuck when its time is up, as in a write that nobody reads, before it is left.
const STUCK: Duration = Duration::from_secs(2);

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
    /// A file that is worth nothing unless the run comes to its end.
    temporary: Option<PathBuf>,
    /// When the run was last seen to go on.
    alive: Option<Instant>,
    /// It has all its results, and writes them out.
    complete: bool,
}

impl Ending {
    /// Takes the signals from here on. May be called once.
    ///
    /// They are handled on a thread of their own, which works even while the event loop can't: it blocks when nobody
    /// reads the standard output.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let ending = Self::default();
        signals::handle({
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
            if ending.state().complete {
                return;
            }
            ending.ask(Reason::TimeIsUp);
            ending.state().alive.get_or_insert_with(Instant::now);
            loop {
                thread::sleep(STUCK);
                let State { complete, alive, .. } = *ending.state();
                if complete {
                    return;
                }
                if alive.is_some_and(|alive| alive.elapsed() >= STUCK) {
                    ending.leave(TIME_IS_UP);
                }
            }
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

    /// Creates a file that is removed when the run is left, be it at this very moment.
    pub(crate) fn owning(&self, create: impl FnOnce() -> io::Result<NamedTempFile>) -> io::Result<NamedTempFile> {
        let mut state = self.state();
        let file = create()?;
        state.temporary = Some(file.path().to_owned());
        Ok(file)
    }

    /// The run goes on.
    pub(crate) fn alive(&self) {
        self.state().alive = Some(Instant::now());
    }

    /// The run has come to its end, and only its file is still to be written: that is not cut off any more.
    pub(crate) fn complete(&self) {
        self.state().complete = true;
    }

    /// Why the run is to end, if it is, and since when.
    pub(crate) fn asked(&self) -> Option<(Reason, Instant)> {
        self.state().asked
    }

    /// A signal came. It says nothing, since a write to the standard error may block, and a second one must get through.
    fn signal(&self) {
        match self.ask(Reason::Signal) {
            Some(since) if since.elapsed() >= GRACE => self.leave(INTERRUPTED),
            // Nothing is in flight yet, and what comes before may take forever: a named pipe waits for its reader.
            None if self.state().pipeline.is_none() => self.leave(INTERRUPTED),
            _ => {}
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

    /// Ends the process, whatever it is at.
    fn leave(&self, code: u8) -> ! {
        stderr::clear_before_exit();
        // Locked to the end, so that no file is created any more.
        let mut state = self.state();
        if let Some(temporary) = state.temporary.take() {
            // If it can't be removed there is nobody left to tell.
            let _ = fs::remove_file(temporary);
        }
        process::exit(code.into())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
