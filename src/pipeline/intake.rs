//! The admitting side of a pipeline: what its generator waits for.

use std::sync::{Arc, OnceLock, Weak};
use std::task::Context;

use futures::task::AtomicWaker;

use crate::engine::reentrancy::SetId;
use crate::engine::run::{Core, Intake, Run};
use crate::protocol::Ends;
use crate::util::sync::atomic::{AtomicBool, Ordering::SeqCst};
use crate::util::waker::CaughtWaker;
use crate::workers::set::Set;

/// Items are pulled out of a source while there are permits for them. One task does so: the generator's, or that of the
/// consumer of a merged stream.
pub(crate) struct SourceIntake {
    core: Core,
    /// The runs whose results the source yields, as far as they are known (`upstream.rs`).
    upstream: Vec<Run>,
    /// The task that pulls.
    puller: AtomicWaker,
    /// What serves the pipeline, once it has joined that.
    served: OnceLock<Served>,
    /// Every batch has completed and none will be handed out, so the end of the stream is the end of the pipeline.
    complete: AtomicBool,
}

struct Served {
    /// `None` if its workers are in other processes.
    set: Option<Arc<Set>>,
    by: Weak<dyn Serves>,
}

/// What serves the pipeline.
pub(crate) trait Serves: Send + Sync {
    /// It was stopped: what is left is skipped.
    fn stop(&self);

    /// As many results may wait as items may be in flight. Calls no code of users; [`resume`](Self::resume) is to follow.
    fn set_window(&self, window: usize);

    /// More results may wait: batches go on that waited for that.
    fn resume(&self);

    /// At most so many threads serve it at a time. Calls no code of users.
    fn set_concurrency(&self, concurrency: usize);
}

impl SourceIntake {
    pub(crate) fn new(core: Core, upstream: Vec<Run>) -> Arc<Self> {
        Arc::new(Self {
            core,
            upstream,
            puller: AtomicWaker::new(),
            served: OnceLock::new(),
            complete: AtomicBool::new(false),
        })
    }

    pub(crate) fn run(self: &Arc<Self>) -> Run {
        Run::new(Arc::clone(self))
    }

    /// From now on the threads of `set` serve the pipeline, or those of other processes.
    pub(crate) fn is_served_by(&self, set: Option<Arc<Set>>, threads: Weak<dyn Serves>) {
        let _ = self.served.set(Served { set, by: threads });
        // If it was stopped before that.
        self.leave_if_stopped();
    }

    fn threads(&self) -> Option<Arc<dyn Serves>> {
        self.served.get().and_then(|served| served.by.upgrade())
    }

    /// After a stop, the threads leave the pipeline without waiting for its generator, whose arbiter may be busy.
    fn leave_if_stopped(&self) {
        if self.core.state.is_stopped()
            && let Some(threads) = self.threads()
        {
            threads.stop();
        }
    }

    /// Registers the task of `cx`, to be woken when there may be permits, demand or an end. To be called before these
    /// are read: a change after the read then wakes the task.
    pub(crate) fn register(&self, waker: &mut CaughtWaker, cx: &Context<'_>) {
        waker.register(&self.puller, cx);
    }

    /// Records that every batch has completed and none will be handed out.
    pub(crate) fn set_complete(&self) {
        self.complete.store(true, SeqCst);
    }
}

impl Intake for SourceIntake {
    fn core(&self) -> &Core {
        &self.core
    }

    fn upstream(&self) -> &[Run] {
        &self.upstream
    }

    fn set(&self) -> Option<SetId> {
        self.served.get().and_then(|served| served.set.as_ref()).map(SetId::of)
    }

    fn phase_changed(&self) {
        self.puller.wake();
        self.leave_if_stopped();
    }

    fn batch_completed(&self) {
        self.puller.wake();
    }

    fn release(&self, ends: Ends) {
        self.core.state.protocol().release(ends);
        self.puller.wake();
    }

    fn set_window(&self, window: usize) -> usize {
        let threads = self.threads();
        let changing = self.core.changing();
        let before = self.core.state.protocol().set_window(window);
        threads.iter().for_each(|threads| threads.set_window(window));
        drop(changing);
        threads.iter().for_each(|threads| threads.resume());
        self.puller.wake();
        before
    }

    fn set_concurrency(&self, concurrency: usize) -> usize {
        let changing = self.core.changing();
        let before = self.core.state.protocol().set_workers(concurrency);
        self.threads().into_iter().for_each(|threads| threads.set_concurrency(concurrency));
        drop(changing);
        self.puller.wake();
        before
    }

    fn look(&self, look: &mut dyn FnMut(usize, usize)) {
        look(0, 0);
    }

    fn is_complete(&self) -> bool {
        self.complete.load(SeqCst)
    }
}
