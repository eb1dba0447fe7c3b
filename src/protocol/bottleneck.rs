//! What limits the throughput of a run: its workers, its source or its consumer.
//!
//! At each instant one of them does, by the counts of the [`Protocol`]: see [`Protocol::bottleneck`]. The times in which
//! each of them did are summed up. All counts change by the batch, so this costs some comparisons per batch, and the time
//! is read only when the answer changes.

use std::time::Duration;

use super::ending::Delivery;
use super::{Phase, Protocol};
use crate::stats::{Bottleneck, Verdict};

impl Protocol {
    /// What limits the throughput at this instant; `None` once the run is over.
    pub(crate) fn bottleneck(&self) -> Option<Bottleneck> {
        let active = self.outstanding - self.ended - self.parked;
        if active >= self.workers {
            // Each worker has something to do: more items would wait, and so would room for more results.
            return Some(Bottleneck::Worker);
        }
        // From here on a worker is idle. Results that are held back for order wait for the work on an earlier item.
        let results_wait = self.ledger.finished > self.held_back || self.parked > 0;
        let is_running = self.phase == Phase::Running;
        if is_running && self.is_source_asked() && self.parked == 0 {
            Some(Bottleneck::Source)
        } else if is_running && results_wait {
            // No item is wanted: their results would have no room.
            Some(Bottleneck::Consumer)
        } else if active > 0 {
            // The last items of the source; or one that holds back all results after it, or as many as the window has.
            Some(Bottleneck::Worker)
        } else if results_wait {
            Some(Bottleneck::Consumer)
        } else {
            // Nothing is in flight: the source was not asked yet.
            is_running.then_some(Bottleneck::Source)
        }
    }

    /// Returns true if items are wanted and do not come.
    fn is_source_asked(&self) -> bool {
        match self.delivery {
            // The callers of a pool are its source. They are free to submit while there are permits.
            Delivery::PerItem => self.ledger.in_flight < self.window,
            Delivery::Stream | Delivery::StreamEnded => self.asked > 0,
        }
    }

    /// Asks how many items the source may be asked for now, and records that. `has_room`: there is room for results.
    pub(crate) fn ask(&mut self, has_room: bool) -> usize {
        let demand = if has_room { self.demand() } else { 0 };
        self.asked = demand;
        demand
    }

    /// Records how many of the items that have finished are held back, since an item before them has not.
    pub(crate) fn hold_back(&mut self, items: usize) {
        self.held_back = items;
    }

    /// A batch that is outstanding waits until results are taken.
    pub(crate) fn park(&mut self) {
        self.parked += 1;
    }

    /// It waits no longer.
    pub(crate) fn unpark(&mut self) {
        self.parked -= 1;
    }
}

/// For how long each of them limited the throughput. Times count from the start of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BoundTimes {
    /// What limits it since `since`.
    now: Option<Bottleneck>,
    since: Duration,
    worker: Duration,
    source: Duration,
    consumer: Duration,
}

impl BoundTimes {
    #[inline]
    pub(crate) fn is(&self, bottleneck: Option<Bottleneck>) -> bool {
        self.now == bottleneck
    }

    /// From `at` on, `bottleneck` limits the throughput.
    pub(crate) fn change(&mut self, bottleneck: Option<Bottleneck>, at: Duration) {
        *self = Self { now: bottleneck, since: at.max(self.since), ..self.until(at) };
    }

    /// The times up to `at`; `None` if there is none.
    pub(crate) fn verdict(&self, at: Duration) -> Option<Verdict> {
        let Self { worker, source, consumer, .. } = self.until(at);
        Verdict::of(worker, source, consumer)
    }

    fn until(mut self, at: Duration) -> Self {
        let lasted = at.saturating_sub(self.since);
        match self.now {
            Some(Bottleneck::Worker) => self.worker += lasted,
            Some(Bottleneck::Source) => self.source += lasted,
            Some(Bottleneck::Consumer) => self.consumer += lasted,
            None => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{BatchSize, Ends};

    /// A run of batches of one item, with the times in which each of the three limited it.
    struct Timed {
        protocol: Protocol,
        times: BoundTimes,
        now: Duration,
    }

    impl Timed {
        fn pipeline(workers: usize, window: usize) -> Self {
            let protocol = Protocol::new(workers, window, BatchSize::Fixed(1), 8);
            Self { protocol, times: BoundTimes::default(), now: Duration::ZERO }.after(0)
        }

        fn pool(workers: usize, window: usize) -> Self {
            let mut timed = Self::pipeline(workers, window);
            timed.protocol.deliver_per_item();
            timed.after(0)
        }

        /// `seconds` pass, since the last step.
        fn after(mut self, seconds: u64) -> Self {
            self.pass(seconds);
            self
        }

        fn pass(&mut self, seconds: u64) {
            self.look();
            self.now += Duration::from_secs(seconds);
        }

        fn look(&mut self) {
            let bottleneck = self.protocol.bottleneck();
            if !self.times.is(bottleneck) {
                self.times.change(bottleneck, self.now);
            }
        }

        /// Takes items from a source that has them, until no more are wanted.
        fn feed(&mut self) {
            while self.protocol.ask(true) > 0 {
                self.protocol.hand_out(1);
            }
        }

        fn work(&mut self) {
            self.protocol.end_batch(1);
        }

        fn collect(&mut self) {
            self.protocol.complete_ended(None);
        }

        fn consume(&mut self) {
            self.protocol.release(Ends { completed: 1, finished: true, ..Ends::default() });
        }

        /// Seconds bound by the workers, the source and the consumer.
        #[track_caller]
        fn assert(&mut self, expected: [u64; 3]) {
            self.look();
            let verdict = self.times.verdict(self.now);
            let found = verdict.map(|it| [it.worker, it.source, it.consumer].map(|time| time.as_secs()));
            assert_eq!(found.unwrap_or_default(), expected, "{:?}", self.protocol);
        }
    }

    #[test]
    fn slow_work_is_worker_bound() {
        let mut run = Timed::pipeline(2, 8);
        for _ in 0..10 {
            run.feed();
            run.pass(3);
            run.work();
            run.collect();
            run.consume();
        }
        run.assert([30, 0, 0]);
    }

    #[test]
    fn a_slow_source_is_source_bound_while_a_worker_is_idle() {
        let mut run = Timed::pipeline(2, 8);
        for _ in 0..10 {
            assert!(run.protocol.ask(true) > 0);
            run.pass(5);
            run.protocol.hand_out(1);
            assert!(run.protocol.ask(true) > 0);
            run.pass(1);
            run.work();
            run.collect();
            run.consume();
        }
        run.assert([0, 60, 0]);
        // With one worker, that one is busy in between.
        let mut run = Timed::pipeline(1, 8);
        assert!(run.protocol.ask(true) > 0);
        run.pass(5);
        run.protocol.hand_out(1);
        run.pass(1);
        run.assert([1, 5, 0]);
    }

    #[test]
    fn a_slow_consumer_is_consumer_bound_once_the_window_is_full_of_results() {
        let mut run = Timed::pipeline(2, 4);
        for _ in 0..4 {
            run.feed();
            run.pass(1);
            run.work();
            run.collect();
        }
        run.feed();
        for _ in 0..10 {
            run.pass(7);
            run.consume();
            run.feed();
            run.work();
            run.collect();
        }
        // When the last of the four ran, the other worker was idle.
        run.assert([3, 0, 71]);
    }

    #[test]
    fn outcomes_that_are_not_collected_wait_for_the_consumer_as_well() {
        // It keeps the arbiter of the aggregator and of the generator.
        let mut run = Timed::pipeline(2, 100);
        run.feed();
        let batches = run.protocol.ledger().in_flight;
        assert!(batches < 100, "so many are queued ahead, and there are permits left");
        (0..batches).for_each(|_| run.work());
        run.pass(9);
        run.assert([0, 0, 9]);
    }

    #[test]
    fn results_that_are_held_back_for_order_wait_for_the_work_before_them() {
        let mut run = Timed::pipeline(2, 4);
        for held_back in 1..=3 {
            run.feed();
            run.work();
            run.collect();
            run.protocol.hold_back(held_back);
        }
        run.feed();
        assert_eq!(run.protocol.ledger().in_flight, 4, "the window is full");
        run.pass(6);
        run.assert([6, 0, 0]);
        // The first one has ended: all of them wait for the consumer.
        run.work();
        run.collect();
        run.protocol.hold_back(0);
        run.pass(4);
        run.assert([6, 0, 4]);
    }

    #[test]
    fn a_batch_that_is_parked_waits_for_the_consumer() {
        let mut run = Timed::pipeline(1, 4);
        run.protocol.hand_out(1);
        run.protocol.park();
        run.protocol.ask(false);
        run.pass(5);
        run.assert([0, 0, 5]);
        run.protocol.unpark();
        run.pass(2);
        run.assert([2, 0, 5]);
    }

    #[test]
    fn a_pool_is_bound_by_its_callers_its_workers_or_the_streams_of_its_channels() {
        let mut run = Timed::pool(2, 3);
        run.pass(1);
        assert_eq!([run.protocol.admit(), run.protocol.admit()], [Some(0), Some(1)]);
        run.pass(10);
        // An item that was submitted is released when it has ended.
        run.work();
        run.collect();
        run.consume();
        run.pass(2);
        // Those of a channel keep their permits until their results are taken.
        run.work();
        run.collect();
        assert_eq!([run.protocol.admit(), run.protocol.admit()], [Some(2), Some(3)]);
        for _ in 0..2 {
            run.work();
            run.collect();
        }
        run.pass(20);
        run.assert([10, 3, 20]);
    }

    #[test]
    fn the_time_stands_still_when_the_run_is_over() {
        let mut run = Timed::pipeline(2, 4);
        run.pass(1);
        run.feed();
        run.protocol.source_ended(crate::protocol::Ending::Complete);
        let items = run.protocol.ledger().in_flight;
        // One after the other: the last one leaves a worker idle, which has nothing to wait for.
        for _ in 0..items {
            run.pass(1);
            run.work();
            run.collect();
        }
        run.pass(3);
        (0..items).for_each(|_| run.consume());
        run.pass(100);
        run.assert([items as u64, 1, 3]);
    }

    proptest! {
        #[test]
        fn the_times_add_up_to_the_time_that_has_passed(
            changes in prop::collection::vec((0u64..10, 0usize..4), 0..50),
        ) {
            let kinds =
                [None, Some(Bottleneck::Worker), Some(Bottleneck::Source), Some(Bottleneck::Consumer)];
            let (mut times, mut now, mut expected) = (BoundTimes::default(), Duration::ZERO, [Duration::ZERO; 4]);
            let mut kind = 0;
            for (seconds, next) in changes {
                expected[kind] += Duration::from_secs(seconds);
                now += Duration::from_secs(seconds);
                times.change(kinds[next], now);
                kind = next;
            }
            match times.verdict(now) {
                None => prop_assert_eq!(&expected[1..], &[Duration::ZERO; 3]),
                Some(verdict) => {
                    prop_assert_eq!([verdict.worker, verdict.source, verdict.consumer], &expected[1..]);
                    prop_assert!(verdict.share > 0.33 && verdict.share <= 1.0);
                }
            }
        }
    }
}
