//! The work of the workers, and its expected results.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use actix_fan::{BoxError, FanIn, FanOut, ItemError, Job, Pool, PoolBuilder, StartError, Stopped, work_fn};
use futures::Stream;

use crate::draw::{Draw, mix};
use crate::token::{Census, Made, Resident, Token};

/// The prefix of injected panics' messages. Any other panic is a defect.
pub(crate) const INJECTED: &str = "injected at ";

/// The results of an item that has many.
const MANY: u8 = 200;

pub(crate) fn inject(id: u64) -> ! {
    panic!("{INJECTED}{id}")
}

/// The error of an item that was to fail.
#[derive(Debug)]
pub(crate) struct Injected(pub(crate) u64);

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{INJECTED}{}", self.0)
    }
}

impl Error for Injected {}

/// The method that starts the pipeline or the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Map,
    TryMap,
    FilterMap,
    FlatMap,
    With,
}

/// How long items take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grain {
    None,
    Same(Duration),
    /// One item in 16 takes this long, the others almost no time.
    Skewed(Duration),
}

/// The end of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Results(u8),
    Panic,
    /// It panics when the work drops it.
    Bomb,
    Error,
}

/// How the factory behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factory {
    Sound,
    /// Panics now and then.
    Flaky,
    Broken,
}

/// The end of each item of a stage, and how long it takes, determined by its number.
#[derive(Clone, Debug)]
pub(crate) struct Fates {
    salt: u64,
    pub(crate) verb: Verb,
    pub(crate) grain: Grain,
    pub(crate) factory: Factory,
    /// Of 1,024 items, how many panic; the same for the following ones.
    panics: u64,
    bombs: u64,
    errors: u64,
    ballast: u64,
    /// Every item has exactly one result.
    single: bool,
}

impl Fates {
    pub(crate) fn draw(draw: &mut Draw, verbs: &[Verb], single: bool) -> Self {
        let verb = draw.pick(verbs);
        let grain = match draw.below(6) {
            0 | 1 => Grain::None,
            2 => Grain::Same(draw.up_to(Duration::from_micros(20))),
            3 => Grain::Same(draw.up_to(Duration::from_millis(3))),
            _ => Grain::Skewed(draw.up_to(Duration::from_millis(4))),
        };
        let factory = match draw.below(24) {
            0 if verb == Verb::With => Factory::Broken,
            1..=6 if verb == Verb::With => Factory::Flaky,
            _ => Factory::Sound,
        };
        let [panics, bombs, errors] = [(); 3].map(|()| draw.pick(&[0, 0, 1, 8, 64]));
        Self { salt: draw.number(), verb, grain, factory, panics, bombs, errors, ballast: draw.pick(&[0, 4]), single }
    }

    /// For items that code other than the library may drop.
    pub(crate) fn without_bombs(mut self) -> Self {
        self.bombs = 0;
        self
    }

    /// Draws a number of items for a round of about 50 ms.
    pub(crate) fn items(&self, draw: &mut Draw) -> u64 {
        let most = match self.grain {
            Grain::None => 30_000,
            Grain::Same(each) => 60_000 / (each.as_micros() as u64 + 4),
            Grain::Skewed(each) => 16 * 60_000 / (each.as_micros() as u64 + 64),
        };
        match draw.below(12) {
            0 => 0,
            1 => 1,
            _ => draw.below(most + 2),
        }
    }

    /// The bytes that the item carries, and true if it panics when it is dropped in flight.
    pub(crate) fn cargo(&self, id: u64) -> (usize, bool) {
        let roll = mix(self.salt ^ mix(id ^ 0xca)) % 1024;
        let ballast = if roll < self.ballast { 1 << 20 } else { (roll % 64) as usize };
        (ballast, self.bombs > 0 && roll.is_multiple_of(32))
    }

    pub(crate) fn fate(&self, id: u64) -> Fate {
        let hash = mix(self.salt ^ mix(id));
        let roll = hash % 1024;
        let can_fail = matches!(self.verb, Verb::TryMap | Verb::With);
        if roll < self.panics {
            Fate::Panic
        } else if roll < self.panics + self.bombs && self.cargo(id).1 {
            Fate::Bomb
        } else if roll < self.panics + self.errors && can_fail {
            Fate::Error
        } else {
            Fate::Results(match self.verb {
                Verb::Map | Verb::TryMap => 1,
                Verb::FilterMap => u8::from(!(hash >> 20).is_multiple_of(4)),
                Verb::FlatMap | Verb::With if self.single => 1,
                // Some have more results than leave at a time in small windows.
                Verb::FlatMap | Verb::With if (hash >> 24).is_multiple_of(16) => MANY,
                Verb::FlatMap | Verb::With => ((hash >> 20) % 4) as u8,
            })
        }
    }

    pub(crate) fn value(&self, id: u64, part: u8) -> u64 {
        mix(self.salt.wrapping_add(id)) ^ u64::from(part)
    }

    fn takes(&self, id: u64) -> Duration {
        match self.grain {
            Grain::None => Duration::ZERO,
            Grain::Same(each) => each,
            Grain::Skewed(each) if mix(self.salt ^ !id).is_multiple_of(16) => each,
            Grain::Skewed(_) => Duration::ZERO,
        }
    }

    fn run(&self, mut token: Token, is_stopped: impl Fn() -> bool) -> Result<Vec<Made>, BoxError> {
        let (id, takes) = (token.id, self.takes(token.id));
        let fate = self.fate(id);
        if !takes.is_zero() {
            let began = Instant::now();
            while began.elapsed() < takes {
                if is_stopped() {
                    token.defuse();
                    return Err(Stopped.into());
                }
                std::hint::spin_loop();
            }
        }
        match fate {
            Fate::Panic => inject(id),
            Fate::Bomb => {
                drop(token);
                Ok(Vec::new())
            }
            Fate::Error => {
                token.defuse();
                Err(Injected(id).into())
            }
            Fate::Results(0) => {
                token.defuse();
                Ok(Vec::new())
            }
            Fate::Results(parts) => {
                let more = (1..parts).map(|part| (token.sibling(), part)).collect::<Vec<_>>();
                let made = |(token, part)| Made { token, part, value: self.value(id, part) };
                Ok(std::iter::once((token, 0)).chain(more).map(made).collect())
            }
        }
    }

    fn one(&self, token: Token) -> Made {
        self.run(token, || false).ok().and_then(|mut made| made.pop()).expect("the fate is one result")
    }

    /// Counts the works that the factory built. Panics if this one must fail.
    fn build(&self, built: &AtomicU64) {
        let n = built.fetch_add(1, Relaxed);
        match self.factory {
            Factory::Sound => {}
            Factory::Flaky if !mix(self.salt ^ n).is_multiple_of(3) => {}
            Factory::Flaky | Factory::Broken => inject(n),
        }
    }

    /// Starts the pipeline.
    pub(crate) fn start<S, I>(
        self: &Arc<Self>,
        fan_out: FanOut<S>,
        census: &Arc<Census>,
    ) -> Result<FanIn<Made>, StartError>
    where
        S: Stream<Item = Result<I, ItemError>> + Unpin + 'static,
        I: Into<Token> + Send + 'static,
    {
        let fates = Arc::clone(self);
        match self.verb {
            Verb::Map => fan_out.map(move |item: I| fates.one(item.into())),
            Verb::TryMap => {
                fan_out.try_map(move |item: I| fates.run(item.into(), || false).map(|mut made| made.remove(0)))
            }
            Verb::FilterMap => {
                fan_out.filter_map(move |item: I| fates.run(item.into(), || false).ok().and_then(|mut made| made.pop()))
            }
            Verb::FlatMap => fan_out.flat_map(move |item: I| fates.run(item.into(), || false).unwrap_or_default()),
            Verb::With => {
                let (built, census) = (AtomicU64::new(0), Arc::clone(census));
                fan_out.with(move || {
                    let resident = Resident::new(&census);
                    fates.build(&built);
                    let fates = Arc::clone(&fates);
                    work_fn(move |item: I, job: &mut Job<'_, Made>| {
                        resident.is_used();
                        fates.run(item.into(), || job.is_stopped())?.into_iter().for_each(|made| job.emit(made));
                        Ok(())
                    })
                })
            }
        }
    }

    /// Starts the pool.
    pub(crate) fn pool(
        self: &Arc<Self>,
        pool: PoolBuilder,
        census: &Arc<Census>,
    ) -> Result<Pool<Token, Made>, StartError> {
        let fates = Arc::clone(self);
        match self.verb {
            Verb::Map => pool.map(move |token| fates.one(token)),
            Verb::TryMap => pool.try_map(move |token| fates.run(token, || false).map(|mut made| made.remove(0))),
            _ => {
                let (built, census) = (AtomicU64::new(0), Arc::clone(census));
                pool.with(move || {
                    let resident = Resident::new(&census);
                    fates.build(&built);
                    let fates = Arc::clone(&fates);
                    work_fn(move |token, job: &mut Job<'_, Made>| {
                        resident.is_used();
                        fates.run(token, || job.is_stopped())?.into_iter().for_each(|made| job.emit(made));
                        Ok(())
                    })
                })
            }
        }
    }
}
