//! A pool on threads whose every step shuttle orders: threads that submit, cancel, drain and stop meet the workers at
//! the real queue, with its lock, its hint and its sleepers. `../pipeline/interleavings.rs` names the script that runs
//! it.

use std::sync::Arc;

use futures::SinkExt;
use futures::future::join_all;
use shuttle::future::block_on;
use shuttle::thread;

use crate::engine::run::Core;
use crate::pipeline::interleavings::{Case, PLAIN, Started};
use crate::pool::assembly::Assembled;
use crate::pool::{Pool, SubmitError};
use crate::protocol::{BatchSize, Protocol};
use crate::work::closures::Map;
use crate::workers::set::Set;

const ORDERS: usize = 2_000;

/// What one thread does with the pool.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Submits, awaits, and does so again.
    Twice,
    /// Submits four at once, and awaits them: workers hold answers back.
    Many,
    /// Submits and leaves.
    Leaves,
    /// Submits and leaves once it has polled.
    LeavesLater,
    TrySubmits,
    /// Feeds three into a channel whose stream another thread drops meanwhile.
    Feeds,
    Drains,
    Stops,
}

/// How one submit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Answered,
    Full,
    Refused,
    Given,
}

/// `beside`: a pipeline on the same set of threads.
fn run(workers: usize, window: usize, threads: &[Does], beside: Option<Case>) {
    let protocol = Protocol::new(workers, window, BatchSize::Fixed(1), 8);
    let double = Arc::new(|n: u64| 2 * n);
    let core = Core::new(protocol, workers, None);
    let Assembled { run, pool, stage } = Assembled::new(core, move || Map(Arc::clone(&double)), true);
    let set = Set::new(workers);
    let worker_threads: Vec<_> = (0..workers)
        .map(|id| {
            let set = Arc::clone(&set);
            thread::spawn(move || set.work(id))
        })
        .collect();
    stage.join(&set, workers, true);
    let pipeline = beside.map(|case| Started::start(&set, case));
    set.close();
    let pipeline = pipeline.map(|started| thread::spawn(move || started.consume()));

    let callers: Vec<_> = threads
        .iter()
        .map(|does| {
            let (pool, does) = (pool.clone(), *does);
            thread::spawn(move || act(&pool, does))
        })
        .collect();
    drop(pool);
    let ends: Vec<End> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    let pipeline = pipeline.map(|consumer| consumer.join().unwrap());
    worker_threads.into_iter().for_each(|worker| worker.join().unwrap());
    pipeline.into_iter().for_each(|consumed| consumed.check());

    let stats = run.stats();
    let count = |end| ends.iter().filter(|other| **other == end).count() as u64;
    assert_eq!((stats.taken, stats.failed), (stats.accounted(), 0), "{stats:?}");
    assert_eq!((stats.in_flight, stats.queued, stats.waiting), (0, 0, 0), "{stats:?}");
    assert!((count(End::Answered)..=count(End::Answered) + count(End::Given)).contains(&stats.completed), "{ends:?}");
    let ends_the_pool = threads.iter().any(|does| matches!(does, Does::Drains | Does::Stops));
    assert!(ends_the_pool || count(End::Refused) == 0, "{ends:?}");
}

fn act(pool: &Pool<u64, u64>, does: Does) -> Vec<End> {
    match does {
        Does::Twice => (0..2).map(|n| end(block_on(pool.submit(n)), n)).collect(),
        Does::Many => {
            let submissions: Vec<_> = (0..4).map(|n| pool.submit(n)).collect();
            let answers = block_on(join_all(submissions));
            answers.into_iter().zip(0..).map(|(answer, n)| end(answer, n)).collect()
        }
        Does::Leaves => {
            drop(pool.submit(7));
            vec![End::Given]
        }
        Does::LeavesLater => {
            let mut submission = pool.submit(7);
            match block_on(async { futures::poll!(&mut submission) }) {
                std::task::Poll::Ready(answer) => vec![end(answer, 7)],
                std::task::Poll::Pending => vec![End::Given],
            }
        }
        Does::TrySubmits => match pool.try_submit(9) {
            Ok(submission) => vec![end(block_on(submission), 9)],
            Err(refused) => vec![end(Err(refused), 9)],
        },
        Does::Feeds => {
            let (mut sink, results) = pool.channel();
            let dropping = thread::spawn(move || drop(results));
            let fed = (0..3).map_while(|n| block_on(sink.send(n)).ok().map(|()| End::Given)).collect();
            dropping.join().unwrap();
            fed
        }
        Does::Drains => {
            pool.drain();
            Vec::new()
        }
        Does::Stops => {
            pool.stop();
            Vec::new()
        }
    }
}

fn end(answer: Result<u64, SubmitError<u64>>, item: u64) -> End {
    match answer {
        Ok(result) => {
            assert_eq!(result, 2 * item);
            End::Answered
        }
        Err(SubmitError::Full(back)) => {
            assert_eq!(back, item);
            End::Full
        }
        Err(error) => {
            assert_eq!(error.into_item(), Some(item), "what has no answer comes back");
            End::Refused
        }
    }
}

fn check(workers: usize, window: usize, threads: &'static [Does]) {
    check_beside(workers, window, threads, None);
}

fn check_beside(workers: usize, window: usize, threads: &'static [Does], beside: Option<Case>) {
    shuttle::check_random(move || run(workers, window, threads, beside), ORDERS);
    shuttle::check_pct(move || run(workers, window, threads, beside), ORDERS, 3);
}

#[test]
fn every_submit_is_answered() {
    check(1, 1, &[Does::Twice, Does::Twice]);
    check(2, 2, &[Does::Twice, Does::Twice, Does::TrySubmits]);
}

#[test]
fn every_answer_that_is_held_back_is_sent() {
    check(1, 8, &[Does::Many]);
    check(1, 8, &[Does::Many, Does::Twice]);
    check(2, 8, &[Does::Many, Does::Many]);
    check(1, 4, &[Does::Many, Does::Many, Does::Drains]);
    check(2, 8, &[Does::Many, Does::Leaves, Does::Stops]);
    check(1, 8, &[Does::Many, Does::Feeds]);
}

#[test]
fn who_leaves_makes_room_for_who_waits() {
    check(1, 1, &[Does::Leaves, Does::Twice, Does::LeavesLater]);
    check(2, 1, &[Does::LeavesLater, Does::Twice, Does::LeavesLater]);
}

#[test]
fn a_stream_that_goes_while_its_sink_feeds_leaves_nothing_behind() {
    check(1, 1, &[Does::Feeds]);
    check(1, 2, &[Does::Feeds, Does::Twice]);
    check(2, 1, &[Does::Feeds, Does::Feeds, Does::Drains]);
    check(1, 1, &[Does::Feeds, Does::Stops]);
}

#[test]
fn a_drain_answers_or_sends_back() {
    check(1, 1, &[Does::Twice, Does::Drains, Does::Twice]);
    check(2, 2, &[Does::Twice, Does::Drains, Does::LeavesLater]);
}

#[test]
fn a_stop_answers_or_sends_back() {
    check(1, 1, &[Does::Twice, Does::Stops, Does::Twice]);
    check(2, 2, &[Does::Twice, Does::Stops, Does::Leaves]);
}

#[test]
fn a_pool_and_a_pipeline_on_one_set_end_each_by_itself() {
    check_beside(2, 1, &[Does::Twice, Does::LeavesLater], Some(PLAIN));
    check_beside(2, 1, &[Does::Twice, Does::Stops], Some(PLAIN));
}
