//! The simulation's mailbox, in place of an actor's and of the worker threads' queue.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::backend::Post;
use crate::engine::chunk::Outcomes;
use crate::pipeline::aggregator::Finish;

/// First in, first out. Once it is closed, messages are dropped, as by an actor's closed mailbox.
pub(super) struct Mailbox<M>(Rc<RefCell<Option<VecDeque<M>>>>);

impl<M> Mailbox<M> {
    pub(super) fn new() -> Self {
        Self(Rc::new(RefCell::new(Some(VecDeque::new()))))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().as_ref().is_none_or(VecDeque::is_empty)
    }

    pub(super) fn pop(&self) -> Option<M> {
        self.0.borrow_mut().as_mut()?.pop_front()
    }

    /// Puts a message before all others.
    pub(super) fn post_first(&self, message: M) {
        self.put(message, VecDeque::push_front);
    }

    fn put(&self, message: M, at: impl FnOnce(&mut VecDeque<M>, M)) {
        let refused = match &mut *self.0.borrow_mut() {
            Some(messages) => {
                at(messages, message);
                None
            }
            None => Some(message),
        };
        drop(refused);
    }

    pub(super) fn close(&self) {
        // Dropped after the borrow: the drop of a message may use the mailbox.
        let messages = self.0.borrow_mut().take();
        drop(messages);
    }
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<M> Post<M> for Mailbox<M> {
    fn post(&self, message: M) {
        self.put(message, VecDeque::push_back);
    }
}

/// A message to the aggregator.
pub(super) enum Mail<O> {
    Outcomes(Outcomes<O>),
    Finish,
}

impl<O> Post<Finish> for Mailbox<Mail<O>> {
    fn post(&self, Finish: Finish) {
        self.post(Mail::Finish);
    }
}

impl<O> Post<Outcomes<O>> for Mailbox<Mail<O>> {
    fn post(&self, outcomes: Outcomes<O>) {
        self.post(Mail::Outcomes(outcomes));
    }
}
