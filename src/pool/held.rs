//! Answers to submits that are held back for a moment, to be sent several at a time.
//!
//! To wake a task costs as much as some microseconds of work: a system call, often an interrupt of the other processor,
//! and two context switches, since the task's thread takes the processor from a worker. A task that has many items in
//! flight, and is woken for each of them, slows its own workers down by that much per item.
//!
//! What is held back is sent
//!
//! - when few items are queued, so that the callers submit others before the workers run out of them;
//! - before a worker begins an item that is not expected to end soon, finds none, or serves another run;
//! - by a caller that takes an answer: it is awake, and to wake other tasks of its thread costs no switch;
//! - at a tick of the clock, if an item takes much longer than was expected.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long an answer waits at most, as far as the work that it waits for is expected. Two workers with items of 100 us
/// then send some six answers at a time; with 250 us it is four, and 2% of the throughput are lost.
const LIMIT: Duration = Duration::from_micros(400);

/// No answer waits for an item that is expected to take longer: one of 100 us, and what preempts it now and then.
const LONG: Duration = Duration::from_micros(125);

/// The most answers held back. The thread that sends them all, which may be that of an arbiter, needs some 10 us.
const MOST: usize = 64;

/// Answers, each with the time at which its work returned.
#[derive(Debug)]
pub(super) struct Held<T> {
    answers: VecDeque<(T, Instant)>,
    /// Workers that are sending what they have found here.
    senders: usize,
}

/// What a worker knows when it is about to begin an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    pub(super) now: Instant,
    /// How long the item will take; `None` if nothing was measured yet.
    pub(super) expected: Option<Duration>,
    /// How many items are queued, with that one.
    pub(super) queued: usize,
}

impl<T> Held<T> {
    pub(super) fn new() -> Self {
        Self { answers: VecDeque::new(), senders: 0 }
    }

    pub(super) fn push(&mut self, answer: T, now: Instant) {
        self.answers.push_back((answer, now));
    }

    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    /// Returns true if the answers may wait until the item that is ahead has ended.
    pub(super) fn may_wait(&self, Ahead { now, expected, queued }: Ahead) -> bool {
        let Some((_, since)) = self.answers.front() else { return true };
        if queued == 0 || self.len() >= MOST {
            return false;
        }
        // The tasks that are woken need some time to submit further items.
        let is_enough_queued = queued >= 2 * self.len();
        if cfg!(all(test, shuttle)) {
            // Time doesn't matter there: all that the queue allows is held back.
            return is_enough_queued;
        }
        let is_short = |expected| expected <= LONG && now + expected <= *since + LIMIT;
        // Two workers must not wake the same task at a time. It takes the processor from one of them then, in the
        // middle of a wake-up, and can't go on before that one does: so it was seen in `FuturesUnordered`.
        expected.is_some_and(|expected| is_short(expected) && (is_enough_queued || self.senders > 0))
    }

    /// Returns true if the oldest answer has waited for longer than it should.
    pub(super) fn is_overdue(&self, is_past: impl FnOnce(Instant) -> bool) -> bool {
        self.answers.front().is_some_and(|(_, since)| is_past(*since + LIMIT))
    }

    /// A worker begins to send the answers that are here, one by one; returns their number.
    pub(super) fn sending_begins(&mut self) -> usize {
        self.senders += 1;
        self.len()
    }

    pub(super) fn sending_ends(&mut self) {
        self.senders -= 1;
    }

    /// Takes the oldest answer.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.answers.pop_front().map(|(answer, _)| answer)
    }

    /// Takes all answers.
    pub(super) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.answers).into_iter().map(|(answer, _)| answer)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);

    /// So many answers, the first of which came at `began`.
    fn held(answers: usize, began: Instant) -> Held<usize> {
        let mut held = Held::new();
        (0..answers).for_each(|n| held.push(n, began + n as u32 * MICRO));
        held
    }

    #[test]
    fn answers_wait_for_short_items_while_enough_are_queued() {
        type Case = (&'static str, bool, fn(&mut Ahead));
        let cases: [Case; 9] = [
            ("a short item", true, |_| ()),
            ("an item that just is short", true, |ahead| ahead.expected = Some(LONG)),
            ("a long item", false, |ahead| ahead.expected = Some(LONG + MICRO)),
            ("an item that just ends in time", true, |ahead| ahead.now += LIMIT - 10 * MICRO),
            ("an item that doesn't", false, |ahead| ahead.now += LIMIT - 9 * MICRO),
            ("an item of unknown length", false, |ahead| ahead.expected = None),
            ("twice as many items", true, |ahead| ahead.queued = 6),
            ("one fewer", false, |ahead| ahead.queued = 5),
            ("none", false, |ahead| ahead.queued = 0),
        ];
        let began = Instant::now();
        for (case, expected, change) in cases {
            let mut ahead = Ahead { now: began, expected: Some(10 * MICRO), queued: 50 };
            change(&mut ahead);
            assert_eq!(held(3, began).may_wait(ahead), expected, "{case}");
            assert!(held(0, began).may_wait(ahead), "nothing waits: {case}");
        }
    }

    #[test]
    fn no_more_than_a_number_of_answers_wait() {
        let began = Instant::now();
        let ahead = Ahead { now: began + 100 * MICRO, expected: Some(MICRO), queued: 1_000 };
        assert!(held(MOST - 1, began).may_wait(ahead));
        assert!(!held(MOST, began).may_wait(ahead));
    }

    #[test]
    fn a_worker_leaves_its_answers_to_another_one_that_is_sending() {
        let began = Instant::now();
        let ahead = Ahead { now: began, expected: Some(MICRO), queued: 1 };
        let mut held = held(3, began);
        assert!(!held.may_wait(ahead));
        assert_eq!(held.sending_begins(), 3);
        assert!(held.may_wait(ahead));
        for not_short in [Ahead { expected: None, ..ahead }, Ahead { expected: Some(LONG + MICRO), ..ahead }] {
            assert!(!held.may_wait(not_short));
        }
        assert!(!held.may_wait(Ahead { queued: 0, ..ahead }), "a worker that finds no item leaves nothing behind");
        held.sending_ends();
        assert!(!held.may_wait(ahead));
    }

    #[test]
    fn the_oldest_answer_decides_when_all_are_due() {
        let began = Instant::now();
        let mut held = held(3, began);
        let is_past = |due: Instant| began + LIMIT >= due;
        assert!(held.is_overdue(is_past));
        assert_eq!(held.pop(), Some(0));
        assert!(!held.is_overdue(is_past));
        assert_eq!(held.take().collect::<Vec<_>>(), [1, 2]);
        assert_eq!((held.len(), held.pop()), (0, None));
        assert!(!held.is_overdue(|_| true));
    }
}
