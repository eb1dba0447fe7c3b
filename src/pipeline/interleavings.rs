//! A pipeline on threads whose every step shuttle orders: the feed, the workers, the aggregator and the stream meet at
//! the real locks, flags and wakers; only the mailboxes between them replace those of actix.
//!
//! `.ci/interleavings` runs this. Shuttle treats every atomic as sequentially consistent, and can't interrupt what
//! futures and tokio do inside of a waker or a channel. `Run::wait` reads the protocol inside of one, and is left out.

use std::future::poll_fn;
use std::iter;
use std::panic::resume_unwind;
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use futures::{StreamExt, stream};
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use shuttle::sync::mpsc::{Sender, channel};
use shuttle::thread::{self, JoinHandle};

use crate::backend::Post;
use crate::engine::chunk::Outcomes;
use crate::engine::credit::Credit;
use crate::engine::executor::Factory;
use crate::engine::run::Run;
use crate::engine::settings::{Checked, Threads};
use crate::pipeline::aggregator::Finish;
use crate::pipeline::assembly::Assembly;
use crate::pipeline::feed::Feeds;
use crate::pipeline::generator::Generator;
use crate::pipeline::intake::Serves;
use crate::pipeline::receiver::Receiver;
use crate::pipeline::stage::Stage;
use crate::pipeline::worker::Shared;
use crate::protocol::{BatchSize, Phase};
use crate::util::waker::CaughtWaker;
use crate::work::closures::{FlatMap, Lazy};
use crate::work::turn::{Turns, Whole};
use crate::work::{Job, work_fn};
use crate::workers::set::Set;

const WORKERS: usize = 2;
const ORDERS: usize = 2_000;

enum Mail {
    Outcomes(Outcomes<u64>),
    Finish,
}

struct Mailbox<M>(Sender<M>);

impl<M> Post<M> for Mailbox<M> {
    fn post(&self, message: M) {
        // If the receiver has ended, the message is dropped.
        let _ = self.0.send(message);
    }
}

impl Post<Outcomes<u64>> for Mailbox<Mail> {
    fn post(&self, outcomes: Outcomes<u64>) {
        self.post(Mail::Outcomes(outcomes));
    }
}

impl Post<Finish> for Mailbox<Mail> {
    fn post(&self, Finish: Finish) {
        self.post(Mail::Finish);
    }
}

/// What happens while it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    Nothing,
    Stop,
    Drain,
    DropTheStream,
    /// A stop, and the consumer takes nothing before the workers have ended.
    StopUnread,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    items: u64,
    /// True if the source never yields again after its items.
    hangs: bool,
    window: usize,
    ordered: bool,
    act: Act,
    batch: usize,
    /// True if a worker takes a part of a batch that another one runs.
    divides: bool,
    /// True if the last item panics.
    panics: bool,
    /// The results of each item, if they are those of a lazy iterator.
    lazy: Option<u64>,
    /// The flaw: true if a stop finds no batch that is parked.
    forgets_parked: bool,
    /// The flaw: true if the generator registers its waker after it has read the state.
    registers_late: bool,
}

pub(crate) const PLAIN: Case = Case {
    items: 3,
    hangs: false,
    window: 2,
    ordered: true,
    act: Act::Nothing,
    batch: 1,
    divides: false,
    panics: false,
    lazy: None,
    forgets_parked: false,
    registers_late: false,
};

/// A pipeline whose threads run.
pub(crate) struct Started {
    case: Case,
    run: Run,
    receiver: Receiver<u64>,
    threads: Vec<JoinHandle<()>>,
    begun_after_stop: Arc<AtomicUsize>,
}

/// A pipeline whose stream has ended or was dropped.
pub(crate) struct Consumed {
    case: Case,
    run: Run,
    results: Vec<u64>,
    begun_after_stop: Arc<AtomicUsize>,
}

/// Pipelines that share one set of threads.
fn run(cases: &[Case]) {
    let set = Set::new(WORKERS);
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|id| {
            let set = Arc::clone(&set);
            thread::spawn(move || set.work(id))
        })
        .collect();
    let mut started: Vec<_> = cases.iter().map(|case| Started::start(&set, *case)).collect();
    set.close();
    if cases.iter().any(|case| case.act == Act::StopUnread) {
        workers.drain(..).for_each(|worker| worker.join().unwrap());
    }
    let last = started.pop().expect("there is a case");
    let others: Vec<_> = started.into_iter().map(|other| thread::spawn(move || other.consume())).collect();
    let last = last.consume();
    let others: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    others.iter().chain([&last]).for_each(Consumed::check);
}

impl Started {
    /// It joins the set. Everything but the threads of the set is its own.
    pub(crate) fn start(set: &Arc<Set>, case: Case) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let begun_after_stop = Arc::new(AtomicUsize::new(0));
        if let Some(results) = case.lazy {
            let factory = |credit: &Arc<Credit>| {
                let (f, chunk) = (Arc::new(move |n| iter::repeat_n(n, results as usize)), credit.chunk());
                Factory::new(move || FlatMap { f: Arc::clone(&f), chunk: move || chunk, nanos: u64::MAX })
            };
            return Self::start_as(set, case, stopped, begun_after_stop, Lazy::New, factory);
        }
        let factory = {
            let (stopped, begun_after_stop) = (Arc::clone(&stopped), Arc::clone(&begun_after_stop));
            move |_: &Arc<Credit>| {
                Factory::new(move || {
                    let (stopped, begun_after_stop) = (Arc::clone(&stopped), Arc::clone(&begun_after_stop));
                    Whole(work_fn(move |n: u64, job: &mut Job<'_, u64>| {
                        begun_after_stop.fetch_add(usize::from(stopped.load(SeqCst)), SeqCst);
                        if case.panics && n == case.items - 1 {
                            resume_unwind(Box::new("on purpose"));
                        }
                        job.emit(n);
                        Ok(())
                    }))
                })
            }
        };
        Self::start_as(set, case, stopped, begun_after_stop, |n| n, factory)
    }

    fn start_as<I: Send + 'static, W: Turns<I, Output = u64>>(
        set: &Arc<Set>,
        case: Case,
        stopped: Arc<AtomicBool>,
        begun_after_stop: Arc<AtomicUsize>,
        item: impl Fn(u64) -> I + Send + 'static,
        factory: impl FnOnce(&Arc<Credit>) -> Arc<Factory<W>>,
    ) -> Self {
        let Case { items, hangs, window, ordered, act, batch, divides, lazy, forgets_parked, registers_late, .. } =
            case;
        // Without `Settings`, which would limit the batch to a worker's share of the window.
        let threads = Threads { workers: WORKERS, name: "shuttle".into(), stack_size: None };
        let checked = Checked {
            window,
            batch: BatchSize::Fixed(batch),
            asked_batch: BatchSize::Fixed(batch),
            concurrency: WORKERS,
            threads,
            name: None,
            observed: None,
        };
        let (assembly, mut aggregator) = Assembly::new(&checked, ordered, None, Vec::new(), Duration::MAX);
        let (intake, run) = (Arc::clone(&assembly.intake), assembly.run.clone());
        let (to_aggregator, mail) = channel();

        let shared = assembly.shared(factory(assembly.credit()), Mailbox(to_aggregator.clone()));
        let shared = Shared { divides, counts_all: lazy.is_some(), ..shared };
        if forgets_parked {
            // Only the first is told.
            let gone: Weak<Gone> = Weak::new();
            intake.is_served_by(Some(Arc::clone(set)), gone);
        }
        let queue = Stage::join(&assembly.intake, set, WORKERS, shared, true, true);

        let generator = {
            let run = run.clone();
            let rest = if hangs { stream::pending().left_stream() } else { stream::empty().right_stream() };
            let source = stream::iter(0..items).map(item).map(Ok).chain(rest);
            let mut feed = assembly.feed(source, queue, Mailbox(to_aggregator));
            thread::spawn(move || {
                if registers_late {
                    let mut without_task = Context::from_waker(Waker::noop());
                    block_on(poll_fn(|cx| {
                        let polled = feed.poll(&mut without_task);
                        intake.register(&mut CaughtWaker::default(), cx);
                        polled
                    }));
                } else {
                    let mut generator = Generator::new(&run, feed);
                    block_on(poll_fn(|cx| generator.poll(cx)));
                }
            })
        };
        let aggregator = thread::spawn(move || {
            while let Ok(Mail::Outcomes(outcomes)) = mail.recv() {
                assert!(aggregator.accept(outcomes), "its slice is never spent");
            }
        });
        let stopper = {
            let run = run.clone();
            thread::spawn(move || match act {
                Act::Stop | Act::StopUnread => {
                    run.advance(Phase::Stopped);
                    stopped.store(true, SeqCst);
                }
                Act::Drain => run.advance(Phase::Draining),
                Act::Nothing | Act::DropTheStream => {}
            })
        };

        let (receiver, threads) = (assembly.receiver(), vec![generator, aggregator, stopper]);
        Self { case, run, receiver, threads, begun_after_stop }
    }

    /// Takes the results, and waits for the threads of its own.
    pub(crate) fn consume(self) -> Consumed {
        let Self { case, run, mut receiver, threads, begun_after_stop } = self;
        let mut results = Vec::new();
        while case.act != Act::DropTheStream || results.is_empty() {
            match block_on(poll_fn(|cx| receiver.poll_next(cx))) {
                Some(result) => results.push(result.unwrap_or_else(|error| error.index())),
                None => break,
            }
        }
        drop(receiver);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        Consumed { case, run, results, begun_after_stop }
    }
}

impl Consumed {
    /// Once the threads of the set have ended.
    pub(crate) fn check(&self) {
        let Self { case: Case { items, ordered, act, lazy, .. }, run, results, begun_after_stop } = self;
        let ledger = run.state.protocol().ledger();
        assert_eq!(ledger.in_flight, 0, "{ledger:?}");
        assert_eq!(ledger.taken, ledger.accounted(), "{ledger:?}");
        assert!(!ordered || results.is_sorted(), "{results:?}");
        // Each worker may have looked just before the stop.
        assert!(begun_after_stop.load(SeqCst) <= WORKERS);
        let results = results.len() as u64;
        let each = lazy.unwrap_or(1);
        match act {
            Act::Nothing => assert_eq!(results, items * each),
            Act::Drain => assert_eq!((results, ledger.skipped), (ledger.taken * each, 0)),
            // Of an iterator, some results may have left.
            _ if lazy.is_some() => assert!(results <= ledger.taken * each),
            _ => assert!(results <= ledger.completed + ledger.failed),
        }
    }
}

/// No threads that serve a pipeline.
struct Gone;

impl Serves for Gone {
    fn set_window(&self, _: usize) {}

    fn resume(&self) {}

    fn set_concurrency(&self, _: usize) {}

    fn stop(&self) {}
}

/// Orders drawn at random, and orders with few preemptions, in which rare ones hide best.
fn check(case: Case) {
    check_all([case]);
}

/// The same for pipelines on one set.
fn check_all<const N: usize>(cases: [Case; N]) {
    shuttle::check_random(move || run(&cases), ORDERS);
    shuttle::check_pct(move || run(&cases), ORDERS, 3);
}

#[test]
fn everything_arrives_and_ends() {
    check(PLAIN);
    check(Case { window: 1, ordered: false, ..PLAIN });
    check(Case { panics: true, ..PLAIN });
}

#[test]
fn batches_that_are_divided_arrive_and_end() {
    let divided = Case { items: 4, window: 4, batch: 3, divides: true, ..PLAIN };
    check(divided);
    check(Case { panics: true, ordered: false, ..divided });
    for act in [Act::Stop, Act::Drain, Act::DropTheStream] {
        check(Case { act, ..divided });
    }
}

#[test]
fn a_stop_finds_everybody() {
    check(Case { act: Act::Stop, ..PLAIN });
    check(Case { act: Act::Stop, hangs: true, ..PLAIN });
}

#[test]
fn a_drain_delivers_what_was_taken() {
    check(Case { act: Act::Drain, ..PLAIN });
    check(Case { act: Act::Drain, hangs: true, ..PLAIN });
}

#[test]
fn a_stream_that_is_dropped_ends_the_rest() {
    check(Case { act: Act::DropTheStream, ..PLAIN });
    check(Case { act: Act::DropTheStream, hangs: true, window: 1, ..PLAIN });
}

#[test]
fn pipelines_on_one_set_end_each_by_itself() {
    let single = Case { items: 1, ..PLAIN };
    check_all([single, Case { act: Act::Stop, hangs: true, ..PLAIN }]);
    check_all([single, Case { items: 2, batch: 2, divides: true, act: Act::DropTheStream, ..PLAIN }]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_waker_that_is_registered_after_the_look_is_caught() {
    check(Case { registers_late: true, hangs: true, act: Act::Stop, ..PLAIN });
}

#[test]
fn iterators_that_are_parked_go_on_and_end() {
    let lazy = Case { items: 2, lazy: Some(3), ..PLAIN };
    check(lazy);
    check(Case { ordered: false, batch: 2, divides: true, ..lazy });
    for act in [Act::Stop, Act::Drain, Act::DropTheStream, Act::StopUnread] {
        check(Case { act, items: 1, lazy: Some(4), ..lazy });
    }
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_parked_iterator_that_a_stop_forgets_is_caught() {
    check(Case { items: 2, lazy: Some(4), act: Act::StopUnread, forgets_parked: true, ..PLAIN });
}
