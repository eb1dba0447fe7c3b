//! A round: one pipeline or pool from its start to its end, drawn from the seed and the round's number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use actix_fan::Stats;

use crate::draw::Draw;
use crate::token::Census;
use crate::{pipelines, pools};

/// The time after which a round counts as hanging. Rounds are drawn to take about 50 ms of processor time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The state that all rounds share.
pub(crate) struct Soak {
    pub(crate) seed: u64,
    pub(crate) began: Instant,
    pub(crate) next: AtomicU64,
    /// The number of threads before the first round, and in each sample.
    pub(crate) threads: OnceLock<u64>,
    /// The running rounds: when each began, and what was drawn.
    pub(crate) running: Mutex<BTreeMap<u64, (Instant, String)>>,
    pub(crate) tally: Mutex<Tally>,
}

/// The numbers so far.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) rounds: BTreeMap<&'static str, u64>,
    pub(crate) stops: BTreeMap<&'static str, u64>,
    pub(crate) created: u64,
    pub(crate) taken: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) breaches: Vec<String>,
}

impl Soak {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            began: Instant::now(),
            next: AtomicU64::new(0),
            threads: OnceLock::new(),
            running: Mutex::default(),
            tally: Mutex::default(),
        })
    }

    pub(crate) fn next(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    pub(crate) fn breach(&self, text: String) {
        eprintln!("soak: {text}");
        self.tally.lock().unwrap().breaches.push(text);
    }

    /// Reports a breach of a round, and how to replay it.
    pub(crate) fn breach_of(&self, round: u64, text: &str) {
        let what = self.running.lock().unwrap().get(&round).map_or_else(String::new, |(_, what)| what.clone());
        let seed = self.seed;
        self.breach(format!("round {round}: {text}\n  replay: --seed {seed} --round {round}\n  it was: {what}"));
    }
}

/// One round.
pub(crate) struct Round {
    pub(crate) soak: Arc<Soak>,
    pub(crate) number: u64,
    pub(crate) census: Arc<Census>,
}

impl Round {
    /// Records what was drawn, before it begins.
    pub(crate) fn is(&self, kind: &'static str, what: String) {
        *self.soak.tally.lock().unwrap().rounds.entry(kind).or_default() += 1;
        self.soak.running.lock().unwrap().insert(self.number, (Instant::now(), what));
    }

    pub(crate) fn stopped(&self, how: &'static str) {
        *self.soak.tally.lock().unwrap().stops.entry(how).or_default() += 1;
    }

    /// Checks and adds the final numbers of a pipeline or a pool.
    pub(crate) fn add(&self, stats: &Stats) -> Result<(), String> {
        accounted(stats)?;
        if stats.in_flight != 0 || stats.queued != 0 || stats.waiting != 0 {
            return Err(format!("something is in flight at the end: {stats:?}"));
        }
        let mut tally = self.soak.tally.lock().unwrap();
        tally.taken += stats.taken;
        tally.completed += stats.completed;
        tally.failed += stats.failed;
        tally.skipped += stats.skipped;
        Ok(())
    }
}

pub(crate) fn accounted(stats: &Stats) -> Result<(), String> {
    if stats.taken == stats.accounted() { Ok(()) } else { Err(format!("the numbers don't add up: {stats:?}")) }
}

/// Fails with the message unless `holds`.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

/// Waits until `holds` returns true, for what the library promises to happen soon, but not when. Returns false after a
/// quarter of [`PATIENCE`].
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !holds() {
        if began.elapsed() > PATIENCE / 4 {
            return false;
        }
        actix::clock::sleep(Duration::from_millis(1)).await;
    }
    true
}

/// Runs a round on this arbiter. Its breaches are in the tally when this returns.
pub(crate) async fn run(soak: &Arc<Soak>, number: u64) {
    let mut draw = Draw::new(soak.seed, number);
    let census = Arc::new(Census::default());
    let round = Round { soak: Arc::clone(soak), number, census: Arc::clone(&census) };
    // A task of its own, so that a panic of the library ends the round and not the program.
    let task = actix::spawn(async move {
        match draw.below(20) {
            0..=8 => pipelines::single(&round, &mut draw).await,
            9..=11 => pipelines::chain(&round, &mut draw).await,
            12..=13 => pipelines::merge(&round, &mut draw).await,
            14..=17 => pools::submits(&round, &mut draw).await,
            _ => pools::channel(&round, &mut draw).await,
        }
    });
    match task.await {
        Ok(Ok(())) => {}
        Ok(Err(text)) => soak.breach_of(number, &text),
        Err(error) => soak.breach_of(number, &format!("it panicked: {error}")),
    }
    if !eventually(|| census.alive() == 0).await {
        let (alive, created) = (census.alive(), census.created());
        soak.breach_of(number, &format!("{alive} of {created} tokens were never dropped"));
    }
    if census.strayed() > 0 {
        soak.breach_of(number, "a work was used or dropped on another thread than its own");
    }
    soak.tally.lock().unwrap().created += census.created();
    soak.running.lock().unwrap().remove(&number);
}
