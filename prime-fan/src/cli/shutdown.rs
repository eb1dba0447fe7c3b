//! The early end of a run: by Ctrl-C, SIGTERM, SIGHUP or `--timeout`. The first of these drains the pipeline; a further
//! signal ends the process.

use std::collections::VecDeque;
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

/// A second signal within this time counts as the first: `timeout` and similar programs send a signal twice in a row.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// After a request to end, a run that makes no progress for this long is ended by force: it may be blocked in a write
/// to a full pipe. Container runtimes send one SIGTERM, and SIGKILL ten seconds later.
const STUCK: Duration = Duration::from_secs(2);

/// How often progress is checked within that time.
const CHECKS: u32 = 4;

/// Why a run was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Signal,
    TimeIsUp,
}

/// Coordinates the early end of a run between its event loop, the signal thread and the timeout thread.
#[derive(Clone, Default)]
pub(crate) struct Shutdown(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The first request to end the run, and when it came.
    requested: Option<(Reason, Instant)>,
    /// The last signal that came.
    signal: Option<Signal>,
    pipeline: Option<StopHandle>,
    /// True if the pipeline is to be stopped at once, not drained.
    stops: bool,
    /// What has the process end otherwise, each at the next signal: a node drains, and then leaves.
    steps: VecDeque<Step>,
    /// True once there were such steps.
    is_serving: bool,
    /// The temporary file of the results, which is removed if the process ends before the file is renamed.
    temporary: Option<PathBuf>,
    /// When the run last made progress.
    progressed: Option<Instant>,
    phase: Phase,
    /// The statistics, which are written at the end, also of a run that fails.
    statistics: Option<Statistics>,
}

type Step = Box<dyn FnOnce() + Send>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The search runs and writes its results.
    #[default]
    Searching,
    /// The file of results is synced and renamed. A disk may take long for this, so it is not interrupted.
    Committing,
    /// The results are written or discarded; only messages are left to write.
    Messages,
}

impl State {
    fn end_pipeline(&self) {
        match &self.pipeline {
            Some(pipeline) if self.stops => pipeline.stop(),
            Some(pipeline) => pipeline.drain(),
            None => {}
        }
    }

    fn has_nothing_to_end(&self) -> bool {
        self.pipeline.is_none() && !self.is_serving
    }
}

impl Shutdown {
    /// Handles signals from here on. May be called once.
    ///
    /// A thread of its own handles them, because the event loop may be blocked in a write to the standard output.
    pub(crate) fn on_signals(&self) -> io::Result<()> {
        let shutdown = self.clone();
        signals::handle(move |signal| shutdown.on_signal(signal))
    }

    /// Drains the pipeline after `time`, also from a thread of its own.
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

    /// Sets the pipeline to drain, or to stop at once if `stops`. That happens now if the end was requested before.
    pub(crate) fn attach(&self, pipeline: StopHandle, stops: bool) {
        let mut state = self.state();
        state.stops = stops;
        state.pipeline = Some(pipeline);
        if state.requested.is_some() {
            state.end_pipeline();
        }
    }

    /// Sets what a request to end does in a process without a pipeline: each further signal does the next step. One that
    /// comes after the last step ends the process.
    pub(crate) fn set_steps(&self, steps: impl IntoIterator<Item = Step>) {
        let mut state = self.state();
        (state.steps, state.is_serving) = (steps.into_iter().collect(), true);
        let step = if state.requested.is_some() { state.steps.pop_front() } else { None };
        // A step may print, and is not done under the lock.
        drop(state);
        if let Some(step) = step {
            step();
        }
    }

    /// Forgets the last signal, by which the process would end: it did what was asked.
    pub(crate) fn forgive(&self) {
        self.state().signal = None;
    }

    /// Creates the temporary file of the results, and removes it should the process end early. The lock is held
    /// meanwhile, so that a signal at this moment does not leave the file behind.
    pub(crate) fn create_temporary(
        &self,
        create: impl FnOnce() -> io::Result<NamedTempFile>,
    ) -> io::Result<NamedTempFile> {
        let mut state = self.state();
        let file = create()?;
        state.temporary = Some(file.path().to_owned());
        Ok(file)
    }

    /// Notes that the run is not blocked.
    pub(crate) fn made_progress(&self) {
        self.state().progressed = Some(Instant::now());
    }

    /// The search is over and its file is being completed, which is not interrupted.
    pub(crate) fn begin_commit(&self) {
        self.state().phase = Phase::Committing;
    }

    /// The results are written or discarded; messages follow.
    pub(crate) fn begin_messages(&self) {
        let mut state = self.state();
        (state.phase, state.progressed) = (Phase::Messages, Some(Instant::now()));
    }

    /// Sets the statistics to write at the end; `None` for none.
    pub(crate) fn set_statistics(&self, statistics: Option<Statistics>) {
        self.state().statistics = statistics;
    }

    /// Updates the statistics, so that they are right should the process end now.
    pub(crate) fn record(&self, nouns: Nouns, counts: &Counts) {
        if let Some(statistics) = &mut self.state().statistics {
            statistics.record(nouns, counts);
        }
    }

    /// Takes the statistics, which the caller writes. Returns them once, so that they are written once.
    pub(crate) fn take_statistics(&self) -> Option<Statistics> {
        let mut state = self.state();
        let mut statistics = state.statistics.take()?;
        if let Some(pipeline) = &state.pipeline {
            statistics.record_pipeline(pipeline.stats());
        }
        Some(statistics)
    }

    /// Returns why and when the end was requested, if it was.
    pub(crate) fn requested(&self) -> Option<(Reason, Instant)> {
        self.state().requested
    }

    /// Returns the last signal that came, by which the process ends.
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.state().signal
    }

    /// Handles a signal. Writes no message: a write to the standard error may block, and a second signal must get
    /// through.
    fn on_signal(&self, signal: Signal) {
        self.state().signal = Some(signal);
        match self.request(Reason::Signal) {
            Some(since) if since.elapsed() >= GRACE => {
                let step = self.state().steps.pop_front();
                match step {
                    Some(step) => step(),
                    None => self.exit_now(),
                }
            }
            Some(_) => {}
            // No item is in flight yet, and the start may block forever: opening a named pipe waits for its reader.
            None if self.state().has_nothing_to_end() => self.exit_now(),
            None => {
                let shutdown = self.clone();
                let watch = thread::Builder::new().name("watch".to_owned()).spawn(move || shutdown.watch());
                // If the thread can't be started, a blocked run takes a second signal to end.
                drop(watch);
            }
        }
    }

    /// Waits until the run, which was asked to end, is blocked, and then ends the process.
    fn watch(&self) -> ! {
        let (mut before, mut idle_checks) = (None, 0);
        loop {
            // Counts checks instead of time: while the process is stopped, by Ctrl-Z for example, it can't make
            // progress.
            thread::sleep(STUCK / CHECKS);
            let State { phase, progressed, .. } = *self.state();
            idle_checks = if phase == Phase::Committing || progressed != before { 0 } else { idle_checks + 1 };
            before = progressed;
            if idle_checks == CHECKS {
                self.exit_now();
            }
        }
    }

    /// Requests the end: drains the pipeline. If the end was requested before, returns when.
    pub(crate) fn request(&self, reason: Reason) -> Option<Instant> {
        let mut state = self.state();
        if let Some((_, since)) = state.requested {
            return Some(since);
        }
        state.requested = Some((reason, Instant::now()));
        state.end_pipeline();
        let step = state.steps.pop_front();
        drop(state);
        if let Some(step) = step {
            step();
        }
        None
    }

    /// Ends the process at once: removes the temporary file and writes the statistics.
    fn exit_now(&self) -> ! {
        status_lines::clear_before_exit();
        if let Some(statistics) = self.take_statistics() {
            let reason = if self.signal().is_some() { "signal" } else { "timeout" };
            let (done, written) = mpsc::channel();
            // On a thread of its own, since the write may block if the pipe is full.
            let writer = thread::Builder::new().name("statistics".to_owned()).spawn(move || {
                let _ = done.send(statistics.write(&End::because(reason)));
            });
            if writer.is_ok() {
                let _ = written.recv_timeout(GRACE);
            }
        }
        // The lock is held to the end, so that no temporary file is created any more.
        let mut state = self.state();
        if let Some(temporary) = state.temporary.take() {
            // If it can't be removed, it stays behind; the manual says that it can be deleted.
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
