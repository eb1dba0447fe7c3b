//! The promises, with random settings, faults, consumers, stops and orders of steps.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::mem;
use std::panic::resume_unwind;
use std::task::Poll;
use std::time::Duration;

use actix_fan::testing::{Consumer, Faults, Outcome, When, assert_all_ended, simulate};
use actix_fan::{BoxError, End, Job, PipelineError, Stop, Stopped, Work};
use futures::{Stream, StreamExt, stream};
use proptest::prelude::*;

/// What an item yields: none to three results, each the item's number.
fn yields(item: u64) -> usize {
    (item % 4) as usize
}

/// The same of an item with an iterator, some of which have more results than leave at a time.
fn yields_lazily(item: u64) -> usize {
    [0, 1, 3, 50][(item % 4) as usize]
}

struct Repeats;

impl Work<u64> for Repeats {
    type Output = u64;

    fn run(&mut self, item: u64, job: &mut Job<'_, u64>) -> Result<(), BoxError> {
        assert_eq!(item, job.index());
        (0..yields(item)).for_each(|_| job.emit(item));
        // Some of them return early when they see that it was stopped.
        if item % 5 == 2 && job.is_stopped() { Err(Stopped.into()) } else { Ok(()) }
    }
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Ends,
    /// After its items it never yields again.
    Hangs,
    Panics,
    /// It yields before each item.
    Hesitates,
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    items: u64,
    source: Source,
    workers: usize,
    window: usize,
    batch: Option<usize>,
    ordered: bool,
    /// True if the results of an item are those of a lazy iterator.
    lazy: bool,
    consumer: Consumer,
    panics: BTreeSet<u64>,
    fails: BTreeSet<u64>,
    builds: BTreeSet<u64>,
    stop: Option<(When, Stop)>,
    system_stops: Option<When>,
    /// The most that an item takes.
    millis: u64,
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        (0u64..200).prop_map(When::Step),
        (0u64..60).prop_map(When::Begun),
        (0u64..60).prop_map(When::Taken),
        Just(When::Idle),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let source = prop_oneof![
        6 => Just(Source::Ends),
        1 => Just(Source::Hangs),
        1 => Just(Source::Panics),
        2 => Just(Source::Hesitates),
    ];
    let consumer = prop_oneof![
        4 => Just(Consumer::Eager),
        2 => Just(Consumer::Slow),
        1 => (0u64..60).prop_map(Consumer::Leaves),
        1 => (0u64..60).prop_map(Consumer::Stalls),
    ];
    let stop = prop_oneof![Just(Stop::Now), Just(Stop::Drain)];
    let settings = (0u64..60, source, 1usize..5, 1usize..20, prop::option::of(1usize..20), any::<(bool, bool)>());
    let faults = (
        prop::collection::btree_set(0u64..60, 0..4),
        prop::collection::btree_set(0u64..60, 0..4),
        prop::collection::btree_set(0u64..4, 0..3),
    );
    let acts = (consumer, prop::option::of((when(), stop)), prop::option::weighted(0.15, when()));
    (any::<u64>(), settings, faults, acts, prop_oneof![Just(1u64), Just(30)]).prop_map(
        |(seed, settings, faults, acts, millis)| {
            let (items, source, workers, window, batch, (ordered, lazy)) = settings;
            let (panics, fails, builds) = faults;
            let (consumer, stop, system_stops) = acts;
            // A source that never yields again is stopped when no part can take a step.
            let stop = if matches!(source, Source::Hangs) { Some((When::Idle, Stop::Now)) } else { stop };
            let batch = batch.map(|items| items.min(window));
            Case {
                seed,
                items,
                source,
                workers,
                window,
                batch,
                ordered,
                lazy,
                consumer,
                panics,
                fails,
                builds,
                stop,
                system_stops,
                millis,
            }
        },
    )
}

impl Case {
    fn source(&self) -> impl Stream<Item = u64> + 'static {
        let items = stream::iter(0..self.items);
        match self.source {
            Source::Ends => items.boxed_local(),
            Source::Hangs => items.chain(stream::pending()).boxed_local(),
            Source::Panics => {
                items.chain(stream::once(async { resume_unwind(Box::new("the source broke")) })).boxed_local()
            }
            Source::Hesitates => items.then(hesitate).boxed_local(),
        }
    }

    fn run(&self) -> Outcome<u64> {
        let mut faults = Faults::new();
        for index in &self.panics {
            faults = faults.panic_at(*index);
        }
        for index in &self.fails {
            faults = faults.fail_at(*index);
        }
        for nth in &self.builds {
            faults = faults.panic_at_build(*nth);
        }
        let most = self.millis * 1_000_000;
        let mut simulation = simulate(self.source())
            .seed(self.seed)
            .workers(self.workers)
            .window(self.window)
            .consumer(self.consumer)
            .faults(faults)
            .cost(move |index| Duration::from_nanos(index.wrapping_mul(0x9E37_79B9_7F4A_7C15) % most));
        if let Some(batch) = self.batch {
            simulation = simulation.batch(batch);
        }
        if self.ordered {
            simulation = simulation.ordered();
        }
        if let Some((when, stop)) = self.stop {
            simulation = simulation.stop(when, stop);
        }
        if let Some(when) = self.system_stops {
            simulation = simulation.system_stops(when);
        }
        match self.lazy {
            true => simulation.flat_map(|item| (0..yields_lazily(item)).map(move |_| item)).unwrap(),
            false => simulation.run(|| Repeats).unwrap(),
        }
    }

    fn yields(&self, item: u64) -> usize {
        if self.lazy { yields_lazily(item) } else { yields(item) }
    }
}

/// Yields once.
async fn hesitate(item: u64) -> u64 {
    let mut hesitated = false;
    poll_fn(move |cx| {
        if mem::replace(&mut hesitated, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    item
}

/// The item that a result is from, unless it says that the pipeline was lost.
fn item_of(result: &Result<u64, actix_fan::ItemError>) -> Option<u64> {
    match result {
        Ok(item) => Some(*item),
        Err(error) => error.pipeline_error().is_none().then(|| error.index()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_item_ends_once_in_order_and_inside_the_window(case in case()) {
        let outcome = case.run();
        let Outcome { results, stats, error, begun, most_in_flight, .. } = &outcome;
        assert_all_ended(stats);
        prop_assert!(*most_in_flight <= case.window);
        prop_assert!(stats.taken <= case.items);

        let unique: BTreeSet<_> = begun.iter().collect();
        prop_assert_eq!(unique.len(), begun.len(), "an item began twice");
        prop_assert!(begun.iter().all(|index| *index < stats.taken));

        let items: Vec<u64> = results.iter().filter_map(item_of).collect();
        prop_assert!(!case.ordered || items.is_sorted(), "{:?}", items);
        for result in results {
            match result {
                Ok(item) => prop_assert!(!case.panics.contains(item) && !case.fails.contains(item)),
                Err(failure) if failure.pipeline_error().is_some() => {
                    prop_assert_eq!(failure.pipeline_error(), error.as_ref());
                }
                Err(failure) => {
                    let index = failure.index();
                    prop_assert!(case.panics.contains(&index) || case.fails.contains(&index), "{failure}");
                }
            }
        }

        // An item's results come all or, where the consumer left or everything stopped in between, not at all; failures
        // come once.
        let left = matches!(case.consumer, Consumer::Leaves(_) | Consumer::Stalls(_));
        let lost = left || case.system_stops.is_some();
        let mut complete = 0;
        for index in 0..stats.taken {
            let came = items.iter().filter(|item| **item == index).count();
            let fails = case.panics.contains(&index) || case.fails.contains(&index);
            let due = if fails { 1 } else { case.yields(index) };
            prop_assert!(came <= due, "item {} came {} times", index, came);
            complete += u64::from(came == due && due > 0);
            // An iterator may be stopped when some of its results have left.
            let may_be_cut = left || case.lazy && (lost || stats.skipped > 0);
            prop_assert!(came == 0 || came == due || may_be_cut, "item {} came {} times of {}", index, came, due);
            prop_assert!(came == due || lost || stats.skipped > 0, "item {} came {} times of {}", index, came, due);
        }
        prop_assert!(complete <= stats.completed + stats.failed);

        let all_came = (0..stats.taken).all(|index| {
            let fails = case.panics.contains(&index) || case.fails.contains(&index);
            items.iter().filter(|item| **item == index).count() == if fails { 1 } else { case.yields(index) }
        });
        let stop = case.stop.map(|(_, stop)| stop);
        match &stats.end {
            Some(End::Complete) => prop_assert!(all_came && stats.taken == case.items && stats.skipped == 0),
            Some(End::Drained) => prop_assert!(all_came && stats.skipped == 0 && stop == Some(Stop::Drain)),
            Some(End::Stopped) => prop_assert!(left || stop == Some(Stop::Now)),
            Some(End::Failed(_)) => {}
            end => prop_assert!(false, "it has not ended: {:?}", end),
        }
        prop_assert_eq!(stats.end.as_ref().and_then(End::error), error.as_ref());

        let stopped_now = matches!(case.stop, Some((_, Stop::Now)));
        if !stopped_now && !left && error.is_none() {
            prop_assert_eq!(stats.skipped, 0, "nothing is skipped but by a stop");
        }
        if case.stop.is_none() && !left && error.is_none() {
            prop_assert_eq!(stats.taken, case.items, "the source was not seen through");
        }
        if matches!(case.source, Source::Hangs) && !left && error.is_none() {
            // It was stopped when no part could take a step, so everything else was done before.
            prop_assert_eq!((stats.taken, stats.skipped), (case.items, 0));
        }
        match case.source {
            Source::Panics if case.stop.is_none() && case.system_stops.is_none() && !left => {
                let broke = matches!(error, Some(PipelineError::SourcePanicked { .. }));
                prop_assert!(broke, "{error:?}");
            }
            _ => {}
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run(case in case()) {
        prop_assert_eq!(format!("{:?}", case.run()), format!("{:?}", case.run()));
    }
}
