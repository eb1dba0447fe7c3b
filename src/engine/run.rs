//! What becomes of a batch's items, one by one.

use std::collections::VecDeque;
use std::mem;

use crate::engine::halt::Halt;
use crate::error::{BoxError, ItemError, Stopped};
use crate::util::panic::discard_all;
use crate::util::time_slice::Stretch;
use crate::work::{Job, Work};

/// A batch while it runs. What a panic must not lose is kept here, outside of what unwinds.
pub(crate) struct Run<O> {
    /// Index in the source of the batch's first item.
    first: u64,
    pub(crate) outputs: Vec<O>,
    pub(crate) failures: VecDeque<(usize, ItemError)>,
    /// Outputs before the item that runs.
    mark: usize,
    /// Items of which the work began.
    pub(crate) begun: usize,
    /// Those among them that failed.
    pub(crate) failed: usize,
    /// Those among them that ended because they were stopped.
    pub(crate) given_up: usize,
    /// Failures passed on from the source.
    pub(crate) passed: usize,
}

impl<O> Run<O> {
    pub(crate) fn new(first: u64, outputs: Vec<O>) -> Self {
        let failures = VecDeque::new();
        Self { first, outputs, failures, mark: 0, begun: 0, failed: 0, given_up: 0, passed: 0 }
    }

    /// Runs the work on items for a stretch, on one at least. Here alone it is asked whether an item may begin.
    #[inline]
    pub(crate) fn steps<I, W>(&mut self, stretch: Stretch, inputs: &mut VecDeque<I>, work: &mut W, halt: Halt<'_>)
    where
        W: Work<I, Output = O>,
    {
        let mut turn = Turn::new(self, inputs);
        for _ in 0..stretch.steps {
            if halt.is_stopped() {
                return;
            }
            let Some(input) = turn.inputs.pop_front() else { return };
            turn.mark = turn.run.outputs.len();
            let index = turn.next + turn.begun as u64;
            turn.begun += 1;
            let mut job = Job { outputs: &mut turn.run.outputs, halt, index };
            if let Err(error) = work.run(input, &mut job) {
                turn.fail(error, halt);
            }
            if stretch.is_over() {
                return;
            }
        }
    }

    /// The item that ran panicked.
    pub(crate) fn panicked(&mut self, message: String) {
        self.fail(ItemError::panicked(self.index() - 1, message));
    }

    /// An item came as a failure from the source.
    pub(crate) fn pass(&mut self, error: ItemError) {
        self.failures.push_back((self.outputs.len(), error));
        self.passed += 1;
    }

    /// Index in the source of the item that is next.
    pub(crate) fn index(&self) -> u64 {
        self.first + self.ended() as u64
    }

    pub(crate) fn ended(&self) -> usize {
        self.begun + self.passed
    }

    /// The item that ran failed; what it had emitted goes.
    fn fail(&mut self, error: ItemError) {
        discard_all(self.outputs.drain(self.mark..));
        self.failures.push_back((self.mark, error));
        self.failed += 1;
    }

    /// The item that ran saw that it was stopped.
    fn give_up(&mut self) {
        discard_all(self.outputs.drain(self.mark..));
        self.given_up += 1;
    }
}

/// The counters of the innermost loop. They change with each item, which is several times as fast in registers as behind
/// a reference; when the turn ends, by a panic as well, they go where they belong.
struct Turn<'a, I, O> {
    run: &'a mut Run<O>,
    home: &'a mut VecDeque<I>,
    inputs: VecDeque<I>,
    /// Index in the source of the turn's first item.
    next: u64,
    mark: usize,
    begun: usize,
}

impl<'a, I, O> Turn<'a, I, O> {
    fn new(run: &'a mut Run<O>, home: &'a mut VecDeque<I>) -> Self {
        let (inputs, next, mark) = (mem::take(home), run.index(), run.mark);
        Self { run, home, inputs, next, mark, begun: 0 }
    }

    /// The work returned an error for the item that ran.
    #[cold]
    fn fail(&mut self, error: BoxError, halt: Halt<'_>) {
        self.run.mark = self.mark;
        if halt.is_stopped() && error.is::<Stopped>() {
            self.run.give_up();
        } else {
            self.run.fail(ItemError::failed(self.next + self.begun as u64 - 1, error));
        }
    }
}

impl<I, O> Drop for Turn<'_, I, O> {
    fn drop(&mut self) {
        *self.home = mem::take(&mut self.inputs);
        self.run.mark = self.mark;
        self.run.begun += self.begun;
    }
}
