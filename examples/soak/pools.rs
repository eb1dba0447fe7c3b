//! Rounds of pools: submits from many tasks and threads, and channels.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_fan::{PipelineError, Pool, PoolSink, Workers, pool};
use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt, poll};
use tokio::task::yield_now;

use crate::answers::Answers;
use crate::draw::Draw;
use crate::round::{Round, accounted, ensure, eventually};
use crate::token::{Census, Made, Token};
use crate::work::{Factory, Fates, Verb};

/// How a pool is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Drains it after all answers.
    Drain,
    /// Drops it after all answers.
    Drop,
    /// Before all answers, as the following ones.
    DrainUnawaited,
    DrainEarly,
    Stop,
    ShutdownAtOnce,
    Shutdown(Duration),
}

const VERBS: [Verb; 4] = [Verb::Map, Verb::TryMap, Verb::With, Verb::With];

struct Shared {
    pool: Pool<Token, Made>,
    window: Option<usize>,
    fates: Arc<Fates>,
    census: Arc<Census>,
    answers: Answers,
    patient: bool,
}

impl Shared {
    fn start(
        fates: &Arc<Fates>,
        round: &Round,
        draw: &mut Draw,
        end_after: u64,
        patient: bool,
    ) -> Result<Arc<Self>, String> {
        let window = draw.pick(&[None, Some(1), Some(2), Some(16), Some(200)]);
        let mut builder = match draw.below(5) {
            0 => pool().on(&Workers::global().map_err(|error| error.to_string())?),
            workers => pool().workers(workers as usize),
        };
        if let Some(window) = window {
            builder = builder.window(window);
        }
        if draw.one_in(4) {
            builder = builder.concurrency(1 + draw.below(3) as usize);
        }
        Ok(Arc::new(Self {
            pool: fates.pool(builder, &round.census).map_err(|error| format!("it could not be started: {error}"))?,
            window,
            fates: Arc::clone(fates),
            census: Arc::clone(&round.census),
            answers: Answers::new(fates, end_after),
            patient,
        }))
    }

    fn token(&self, id: u64) -> Token {
        let (ballast, armed) = self.fates.cargo(id);
        self.answers.offer();
        Token::new(id, armed, ballast, &self.census)
    }

    fn within(&self) -> Result<(), String> {
        let stats = self.pool.stats();
        accounted(&stats)?;
        ensure(self.window.is_none_or(|window| stats.in_flight <= window), || format!("over the window: {stats:?}"))
    }

    /// Submits items in every way that the pool has.
    async fn submit(&self, mut draw: Draw, ids: Range<u64>) -> Result<(), String> {
        let mut kept = FuturesUnordered::new();
        for id in ids {
            let token = self.token(id);
            match draw.below(if self.patient { 8 } else { 12 }) {
                0..=2 => drop(self.answers.take(Some(id), self.pool.submit(token).await)),
                3..=5 => {
                    let submission = self.pool.submit(token);
                    kept.push(async move { (id, submission.await) });
                    if kept.len() > 16
                        && let Some((id, answer)) = kept.next().await
                    {
                        self.answers.take(Some(id), answer);
                    }
                }
                6 | 7 => {
                    let answer = match self.pool.try_submit(token) {
                        Ok(submission) => submission.await,
                        Err(error) => Err(error),
                    };
                    self.answers.take(Some(id), answer);
                }
                8 | 9 => {
                    drop(self.pool.submit(token));
                    self.answers.abandon();
                }
                _ => {
                    let mut submission = self.pool.submit(token);
                    let mut answer = poll!(&mut submission);
                    for _ in 0..draw.below(20) {
                        if answer.is_ready() {
                            break;
                        }
                        yield_now().await;
                        answer = poll!(&mut submission);
                    }
                    match answer {
                        std::task::Poll::Ready(answer) => drop(self.answers.take(Some(id), answer)),
                        std::task::Poll::Pending => self.answers.abandon(),
                    }
                }
            }
            if id % 16 == 0 {
                self.within()?;
            }
        }
        while let Some((id, answer)) = kept.next().await {
            self.answers.take(Some(id), answer);
        }
        Ok(())
    }

    /// Ends the pool after a number of answers, if `ending` says so. Returns the items that a shutdown handed back.
    async fn end(&self, round: &Round, ending: Ending) -> Vec<Token> {
        self.answers.end.notified().await;
        let name = match ending {
            Ending::Drain | Ending::Drop => return Vec::new(),
            Ending::DrainUnawaited => "pool drained, not awaited",
            Ending::DrainEarly => "pool drained",
            Ending::Stop => "pool stopped",
            Ending::ShutdownAtOnce | Ending::Shutdown(_) => "pool shut down",
        };
        round.stopped(name);
        match ending {
            Ending::DrainUnawaited => self.pool.drain(),
            Ending::Stop => self.pool.stop(),
            Ending::ShutdownAtOnce => return self.pool.shutdown(std::future::ready(())).await.expect(ELSEWHERE),
            Ending::Shutdown(after) => return self.pool.shutdown(actix::clock::sleep(after)).await.expect(ELSEWHERE),
            // `finish` drains again and checks the error.
            _ => {
                self.pool.drain();
                drop(self.pool.finished().await);
            }
        }
        Vec::new()
    }
}

/// Why a shutdown does not fail.
const ELSEWHERE: &str = "this is not a worker thread of the pool";

fn draw_ending(draw: &mut Draw) -> Ending {
    let soon = draw.up_to(Duration::from_millis(5));
    draw.pick(&[
        Ending::Drain,
        Ending::Drain,
        Ending::Drop,
        Ending::DrainUnawaited,
        Ending::DrainEarly,
        Ending::Stop,
        Ending::ShutdownAtOnce,
        Ending::Shutdown(soon),
    ])
}

pub(crate) async fn submits(round: &Round, draw: &mut Draw) -> Result<(), String> {
    let fates = Arc::new(Fates::draw(draw, &VERBS, true));
    let items = fates.items(draw) / 2;
    let (ending, end_after) = (draw_ending(draw), draw.below(items + 1));
    let (tasks, threads, patient) = (1 + draw.below(8), draw.below(3), draw.one_in(2));
    let of_threads = if threads > 0 { items / 8 } else { 0 };
    round.is(
        "pool",
        format!("{ending:?} after {end_after}, {tasks} tasks, {threads} threads, {items} items, {fates:?}"),
    );
    let shared = Shared::start(&fates, round, draw, end_after, patient)?;

    let range = |n: u64, of: u64, items: u64| items * n / of..items * (n + 1) / of;
    let submitters: Vec<_> = (0..tasks)
        .map(|n| {
            let (shared, draw) = (Arc::clone(&shared), Draw::new(draw.number(), n));
            actix::spawn(async move { shared.submit(draw, range(n, tasks, items - of_threads)).await })
        })
        .collect();
    let threads: Vec<_> = (0..threads)
        .map(|n| {
            let shared = Arc::clone(&shared);
            let ids = range(n, threads, of_threads);
            thread::spawn(move || {
                for id in ids.start + items..ids.end + items {
                    let answer = shared.pool.blocking_submit(shared.token(id));
                    shared.answers.take(Some(id), answer);
                }
            })
        })
        .collect();
    let all = async {
        let mut outcome = Ok(());
        for submitter in submitters {
            let submitted = submitter.await.map_err(|error| format!("a submit panicked: {error}"));
            outcome = outcome.and(submitted.and_then(|outcome| outcome));
        }
        let ended = eventually(|| threads.iter().all(thread::JoinHandle::is_finished)).await;
        // `Shared::end` waits for this, also after a failure.
        shared.answers.end.notify_one();
        ensure(ended, || "a blocking submit hangs".to_owned())?;
        for thread in threads {
            thread.join().map_err(|_| "a blocking submit panicked".to_owned())?;
        }
        outcome
    };
    let (outcome, left) = futures::join!(all, shared.end(round, ending));
    outcome?;
    handed_back(left, &shared)?;
    finish(round, shared, ending, &fates).await
}

fn handed_back(left: Vec<Token>, shared: &Shared) -> Result<(), String> {
    let count = shared.answers.count();
    let mut seen = HashSet::new();
    let many = left.len() as u64;
    for mut token in left {
        token.defuse();
        ensure(seen.insert(token.id), || format!("item {} was handed back twice", token.id))?;
    }
    ensure(many <= count.gone + count.abandoned, || format!("{many} items handed back, of {count:?}"))
}

/// Ends the pool, and checks its final numbers.
async fn finish(round: &Round, shared: Arc<Shared>, ending: Ending, fates: &Fates) -> Result<(), String> {
    let shared = Arc::into_inner(shared).ok_or("the pool is still shared")?;
    let Shared { pool, answers, .. } = shared;
    let handle = pool.stop_handle();
    let error = if ending == Ending::Drop {
        round.stopped("pool dropped");
        drop(pool);
        handle.workers_stopped().await;
        None
    } else {
        pool.drain();
        let error = pool.finished().await.err();
        drop(pool);
        error
    };
    ensure(eventually(|| handle.stats().in_flight == 0).await, || format!("in flight: {:?}", handle.stats()))?;
    match &error {
        None => {}
        Some(PipelineError::WorkerFactory { attempts: 5, .. }) if fates.factory != Factory::Sound => {}
        Some(error) => return Err(format!("it ended with {error:?}")),
    }
    round.add(&handle.stats())?;
    let plainly = matches!(ending, Ending::Drain | Ending::Drop) && fates.factory == Factory::Sound;
    answers.fit(&handle.stats(), plainly)
}

/// The consumer of a channel's results.
#[derive(Clone, Copy, Debug)]
enum Taking {
    All,
    Stall(u64, Duration),
    Drop(u64),
}

pub(crate) async fn channel(round: &Round, draw: &mut Draw) -> Result<(), String> {
    let fates = Arc::new(Fates::draw(draw, &VERBS, true));
    let items = fates.items(draw) / 2;
    let (ending, end_after, some) = (draw_ending(draw), draw.below(items + 1), draw.below(items + 1));
    let soon = draw.up_to(Duration::from_millis(20));
    let taking = draw.pick(&[Taking::All, Taking::All, Taking::Stall(some, soon), Taking::Drop(some)]);
    round.is("channel", format!("{ending:?} after {end_after}, {taking:?}, {items} items, {fates:?}"));
    let shared = Shared::start(&fates, round, draw, end_after, true)?;

    let (sink, mut results) = shared.pool.channel();
    let feeder = actix::spawn(feed(Arc::clone(&shared), sink, items));
    let taker = {
        let shared = Arc::clone(&shared);
        actix::spawn(async move {
            let (mut seen, mut taken) = (HashSet::new(), 0);
            loop {
                match taking {
                    Taking::Drop(after) if after == taken => break,
                    Taking::Stall(after, time) if after == taken => actix::clock::sleep(time).await,
                    _ => {}
                }
                let Some(answer) = results.next().await else { break };
                taken += 1;
                let id = shared.answers.take(None, answer);
                ensure(id.is_none_or(|id| seen.insert(id)), || format!("item {id:?} was answered twice"))?;
                if taken % 16 == 0 {
                    shared.within()?;
                }
            }
            Ok::<_, String>(())
        })
    };
    let all = async {
        let (fed, taken) = (feeder.await, taker.await);
        // `Shared::end` waits for this, also after a failure.
        shared.answers.end.notify_one();
        fed.map_err(|error| format!("the feeder panicked: {error}"))?;
        taken.map_err(|error| format!("the taker panicked: {error}"))?
    };
    let (outcome, left) = futures::join!(all, shared.end(round, ending));
    outcome?;
    let count = shared.answers.count();
    let unanswered = count.offered - count.answers();
    match taking {
        Taking::Drop(_) => {
            round.stopped("channel's stream dropped");
            (0..unanswered).for_each(|_| shared.answers.abandon());
        }
        _ => ensure(unanswered == 0, || format!("{unanswered} answers are missing: {count:?}"))?,
    }
    handed_back(left, &shared)?;
    finish(round, shared, ending, &fates).await
}

/// Feeds all items, whether the pool takes them or not.
async fn feed(shared: Arc<Shared>, mut sink: PoolSink<Token, Made>, items: u64) {
    for id in 0..items {
        // An error returns its item; the stream yields the other answers.
        if let Err(error) = sink.send(shared.token(id)).await {
            shared.answers.take(Some(id), Err(error));
        }
    }
    // Closing a sink never fails.
    let _ = sink.close().await;
}
