//! An observer that adds up.

use std::sync::{Arc, Mutex};

use actix_fan::observe::{Begun, Context, Ended, Observer, RunInfo, RunKind, SkipReason, ThreadInfo};
use actix_fan::{ItemError, Stats};

/// What was told so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) started: Vec<(RunKind, Option<String>)>,
    pub(crate) ended_runs: usize,
    /// Before and after each change of the window, and of the concurrency.
    pub(crate) limits: Vec<(usize, usize)>,
    pub(crate) concurrencies: Vec<(usize, usize)>,
    pub(crate) taken: usize,
    pub(crate) handed_over: usize,
    pub(crate) source_failed: usize,
    pub(crate) completed: usize,
    pub(crate) failed: usize,
    pub(crate) stopped: usize,
    pub(crate) skipped: usize,
    pub(crate) caller_gone: usize,
    pub(crate) failures: Vec<u64>,
    pub(crate) begun: usize,
    pub(crate) ended: usize,
    pub(crate) threads: Vec<(String, usize)>,
    pub(crate) threads_stopped: usize,
    /// The numbers that `context` gave and `begun` and `ended` got.
    pub(crate) contexts: Vec<u64>,
}

impl Told {
    /// Items that were told to be over.
    pub(crate) fn over(&self) -> usize {
        self.completed + self.failed + self.skipped
    }

    /// Checks it against the final numbers of the one run that was observed.
    #[track_caller]
    pub(crate) fn assert_agrees(&self, stats: &Stats) {
        assert_eq!(self.taken + self.source_failed, stats.taken as usize, "{self:?}");
        assert_eq!(self.over(), self.taken, "{self:?}");
        assert_eq!(self.completed, stats.completed as usize, "{self:?}");
        assert_eq!(self.failed + self.source_failed, stats.failed as usize, "{self:?}");
        assert_eq!(self.skipped, stats.skipped as usize, "{self:?}");
        assert_eq!(self.caller_gone, stats.skips.caller_gone as usize, "{self:?}");
        assert_eq!((self.begun, self.failures.len()), (self.ended, self.failed), "{self:?}");
    }
}

#[derive(Default)]
pub(crate) struct Counting {
    told: Mutex<Told>,
    wants_items: bool,
}

impl Counting {
    pub(crate) fn new(wants_items: bool) -> Arc<Self> {
        Arc::new(Self { told: Mutex::default(), wants_items })
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    fn tell(&self, tell: impl FnOnce(&mut Told)) {
        tell(&mut self.told.lock().unwrap());
    }
}

impl Observer for Counting {
    fn run_started(&self, run: &RunInfo) {
        self.tell(|told| told.started.push((run.kind, run.name.as_deref().map(str::to_owned))));
    }

    fn context(&self, _: &RunInfo) -> Option<Context> {
        let mut number = 0;
        self.tell(|told| {
            number = told.contexts.len() as u64;
            told.contexts.push(0);
        });
        Some(Arc::new(number))
    }

    fn taken(&self, _: &RunInfo, items: usize) {
        self.tell(|told| told.taken += items);
    }

    fn handed_over(&self, _: &RunInfo, _: u64, items: usize) {
        self.tell(|told| told.handed_over += items);
    }

    fn source_failed(&self, _: &RunInfo, items: usize) {
        self.tell(|told| told.source_failed += items);
    }

    fn begun(&self, _: &RunInfo, begun: &Begun) {
        assert!(begun.items > 0);
        assert!(!self.wants_items || begun.items == 1);
        self.tell(|told| told.begun += 1);
    }

    fn failed(&self, _: &RunInfo, error: &ItemError) {
        self.tell(|told| told.failures.push(error.index()));
    }

    fn ended(&self, _: &RunInfo, ended: &Ended) {
        let number = *ended.context.as_ref().unwrap().downcast_ref::<u64>().unwrap();
        self.tell(|told| {
            told.ended += 1;
            told.completed += ended.completed;
            told.failed += ended.failed;
            told.stopped += ended.stopped;
            told.contexts[number as usize] += 1;
        });
    }

    fn skipped(&self, _: &RunInfo, items: usize, reason: SkipReason) {
        self.tell(|told| {
            told.skipped += items;
            if reason == SkipReason::CallerGone {
                told.caller_gone += items;
            }
        });
    }

    fn limit_changed(&self, _: &RunInfo, before: usize, limit: usize) {
        self.tell(|told| told.limits.push((before, limit)));
    }

    fn concurrency_changed(&self, _: &RunInfo, before: usize, workers: usize) {
        self.tell(|told| told.concurrencies.push((before, workers)));
    }

    fn run_ended(&self, _: &RunInfo, _: &Stats) {
        self.tell(|told| told.ended_runs += 1);
    }

    fn thread_started(&self, thread: &ThreadInfo) {
        self.tell(|told| told.threads.push((thread.set.to_string(), thread.worker)));
    }

    fn thread_stopped(&self, _: &ThreadInfo) {
        self.tell(|told| told.threads_stopped += 1);
    }

    fn wants_items(&self) -> bool {
        self.wants_items
    }
}
