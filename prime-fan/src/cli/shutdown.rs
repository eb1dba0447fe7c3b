//! What ends a run before its time: Ctrl-C, SIGTERM, SIGHUP and `--timeout`. The first drains the pipeline, a signal
//! after it leaves.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{fs, io, process, thread};

use actix_fan::StopHandle;
use tempfile::NamedTempFile;

use crate::cli::counts::{Counts, Nouns};
use crate::cli::exit::TIME_IS_UP;
use crate::cli::signals::{self, Signal};
use crate::cli::statistics::{End, Statistics};
use crate::cli::status_lines;

/// A signal that comes so soon after the first means the same: `timeout` and the like send one twice in a row.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// How long a run that is to end may be stuck, as in a write to a pipe that is full, before the process ends without it.
/// Container runtimes send one SIGTERM, and kill ten seconds later.
const STUCK: Duration = Duration::from_secs(2);

/// How often that is looked at meanwhile.
const LOOKS: u32 = 4;

/// Why a run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Signal,
    TimeIsUp,
}

/// Whether the run is to end.
#[derive(Clone, Default)]
pub(crate) struct Shutdown(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    requested: Option<(Reason, Instant)>,
    /// The last one that came.
    signal: Option<Signal>,
    pipeline: Option<StopHandle>,
    /// A file that is worth nothing unless the run comes to its end.
    temporary: Option<PathBuf>,
    /// When the run was last seen to go on.
    progressed: Option<Instant>,
    phase: Phase,
    /// What is to be written at the end, whatever the end is.
    statistics: Option<Statistics>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Results are searched for and put out.
    #[default]
    Searching,
    /// The file of results gets its name. A disk may take long about it, and is given the time.
    Committing,
    /// The results are where they belong, and messages are still to be written.
    Telling,
}

impl Shutdown {
    /// Takes the signals from here on. May be called once.
    ///
    /// They are handled on a thread of their own, which works even while the event loop can't: it blocks when nobody
    /// reads the standard output.
    pub(crate) fn on_signals(&self) -> io::Result<()> {
        let shutdown = self.clone();
        signals::handle(move |signal| shutdown.on_signal(signal))
    }

    /// Drains the pipeline after `time`, likewise from a thread of its own.
    pub(crate) fn set_timeout(&self, time: Duration) -> io::Result<()> {
        let shutdown = self.clone();
        thread::Builder::new().name("timeout".to_owned()).spawn(move || {
            thread::sleep(time);
            if shutdown.state().phase == Phase::Searching {
                shutdown.request(Reason::TimeIsUp);
            }
            shutdown.watch()
        })?;
        Ok(())
    }

    /// Names the pipeline to drain, at once if the reason came before it.
    pub(crate) fn attach(&self, pipeline: StopHandle) {
        let mut state = self.state();
        if state.requested.is_some() {
            pipeline.drain();
        }
        state.pipeline = Some(pipeline);
    }

    /// Creates a file that is removed when the run is left, be it at this very moment.
    pub(crate) fn create_temporary(
        &self,
        create: impl FnOnce() -> io::Result<NamedTempFile>,
    ) -> io::Result<NamedTempFile> {
        let mut state = self.state();
        let file = create()?;
        state.temporary = Some(file.path().to_owned());
        Ok(file)
    }

    /// The run goes on.
    pub(crate) fn made_progress(&self) {
        self.state().progressed = Some(Instant::now());
    }

    /// The run has come to its end, and only its file is still to be written: that is not cut off any more.
    pub(crate) fn begin_commit(&self) {
        self.state().phase = Phase::Committing;
    }

    /// The results are where they belong, or given up.
    pub(crate) fn begin_messages(&self) {
        let mut state = self.state();
        (state.phase, state.progressed) = (Phase::Telling, Some(Instant::now()));
    }

    pub(crate) fn set_statistics(&self, statistics: Option<Statistics>) {
        self.state().statistics = statistics;
    }

    /// What the statistics would say if the run were left now.
    pub(crate) fn record(&self, nouns: Nouns, counts: &Counts) {
        if let Some(statistics) = &mut self.state().statistics {
            statistics.record(nouns, counts);
        }
    }

    /// The statistics, to be written by the caller: by no other.
    pub(crate) fn take_statistics(&self) -> Option<Statistics> {
        let mut state = self.state();
        let mut statistics = state.statistics.take()?;
        if let Some(pipeline) = &state.pipeline {
            statistics.record_pipeline(pipeline.stats());
        }
        Some(statistics)
    }

    /// Why the run is to end, if it is, and since when.
    pub(crate) fn requested(&self) -> Option<(Reason, Instant)> {
        self.state().requested
    }

    /// The last signal that came, by which the process is to end.
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.state().signal
    }

    /// A signal came. It says nothing, since a write to the standard error may block, and a second one must get through.
    fn on_signal(&self, signal: Signal) {
        self.state().signal = Some(signal);
        match self.request(Reason::Signal) {
            Some(since) if since.elapsed() >= GRACE => self.exit_now(),
            Some(_) => {}
            // Nothing is in flight yet, and what comes before may take forever: a named pipe waits for its reader.
            None if self.state().pipeline.is_none() => self.exit_now(),
            None => {
                let shutdown = self.clone();
                let watch = thread::Builder::new().name("watch".to_owned()).spawn(move || shutdown.watch());
                // Without that thread it takes a second signal to end what is stuck.
                drop(watch);
            }
        }
    }

    /// Leaves when the run, which is to end, is stuck.
    fn watch(&self) -> ! {
        let (mut before, mut looks) = (None, 0);
        loop {
            // Looks are counted, not time: while the process is stopped, by Ctrl-Z for example, nothing can go on.
            thread::sleep(STUCK / LOOKS);
            let State { phase, progressed, .. } = *self.state();
            looks = if phase == Phase::Committing || progressed != before { 0 } else { looks + 1 };
            before = progressed;
            if looks == LOOKS {
                self.exit_now();
            }
        }
    }

    /// Drains the pipeline, unless that was asked for already: then since when.
    pub(crate) fn request(&self, reason: Reason) -> Option<Instant> {
        let mut state = self.state();
        if let Some((_, since)) = state.requested {
            return Some(since);
        }
        state.requested = Some((reason, Instant::now()));
        if let Some(pipeline) = &state.pipeline {
            pipeline.drain();
        }
        None
    }

    /// Ends the process, whatever it is at.
    fn exit_now(&self) -> ! {
        status_lines::clear_before_exit();
        if let Some(statistics) = self.take_statistics() {
            let reason = if self.signal().is_some() { "signal" } else { "timeout" };
            let (done, written) = mpsc::channel();
            // It may go to where nobody reads.
            let writer = thread::Builder::new().name("statistics".to_owned()).spawn(move || {
                let _ = done.send(statistics.write(&End::because(reason)));
            });
            if writer.is_ok() {
                let _ = written.recv_timeout(GRACE);
            }
        }
        // Locked to the end, so that no file is created any more.
        let mut state = self.state();
        if let Some(temporary) = state.temporary.take() {
            // If it can't be removed there is nobody left to tell.
            let _ = fs::remove_file(temporary);
        }
        match state.signal {
            Some(signal) => signal.end_process(),
            None => process::exit(TIME_IS_UP.into()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
