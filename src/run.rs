//! What becomes of a batch's items, one by one.

use std::collections::VecDeque;
use std::vec::Drain;

use crate::control::Control;
use crate::error::{ItemError, Stopped};
use crate::unwind::discard_all;
use crate::work::{Job, Work};

/// A batch while it runs. What a panic must not lose is kept here, outside of what unwinds.
pub(crate) struct Run<O> {
    /// Index in the source of the item that runs or is next.
    pub(crate) index: u64,
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
        Self { index: first, outputs, failures, mark: 0, begun: 0, failed: 0, given_up: 0, passed: 0 }
    }

    /// Runs the work on up to `steps` items, until the pipeline is stopped.
    #[inline]
    pub(crate) fn steps<I, W>(&mut self, steps: usize, inputs: &mut Drain<'_, I>, work: &mut W, control: &Control)
    where
        W: Work<I, Output = O>,
    {
        for _ in 0..steps {
            if control.is_stopped() {
                return;
            }
            let Some(input) = inputs.next() else { return };
            self.mark = self.outputs.len();
            self.begun += 1;
            let mut job = Job { outputs: &mut self.outputs, control, index: self.index };
            match work.run(input, &mut job) {
                Ok(()) => self.index += 1,
                Err(error) if control.is_stopped() && error.is::<Stopped>() => self.give_up(),
                Err(error) => self.fail(ItemError::failed(self.index, error)),
            }
        }
    }

    /// The item that ran panicked.
    pub(crate) fn panicked(&mut self, message: String) {
        self.fail(ItemError::panicked(self.index, message));
    }

    /// The item that ran failed; what it had emitted goes.
    fn fail(&mut self, error: ItemError) {
        discard_all(self.outputs.drain(self.mark..));
        self.failures.push_back((self.mark, error));
        self.failed += 1;
        self.index += 1;
    }

    /// The item that ran saw that it was stopped.
    fn give_up(&mut self) {
        discard_all(self.outputs.drain(self.mark..));
        self.given_up += 1;
        self.index += 1;
    }

    /// An item came as a failure from the source.
    pub(crate) fn pass(&mut self, error: ItemError) {
        self.failures.push_back((self.outputs.len(), error));
        self.passed += 1;
        self.index += 1;
    }

    pub(crate) fn ended(&self) -> usize {
        self.begun + self.passed
    }
}
