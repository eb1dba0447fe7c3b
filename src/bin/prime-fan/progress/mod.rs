//! How far a search is, for those who watch.

mod bars;
mod human;
mod notes;
mod terminal;

use std::time::{Duration, Instant};

use actix_fan::Stats;

use crate::args::{ProgressWhen, Settings};
use crate::ending::{GRACE, Reason};
use crate::stderr::{self, say};
use crate::tally::{Nouns, Tally};

use bars::Bars;
use human::{percent, short, time};
use notes::Notes;

/// How often to look whether something has to be shown.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Between two lines where no bar can be drawn.
const LINE: Duration = Duration::from_secs(1);

/// The time over which the rate is a mean.
const SMOOTHING: Duration = Duration::from_secs(2);

pub(crate) struct Progress {
    display: Display,
    nouns: Nouns,
    total: Option<u64>,
    begun: Instant,
    /// When something was last shown, and what.
    last: Instant,
    tested: u64,
    /// Numbers a second.
    rate: Option<f64>,
    /// For each worker: the time it had been busy when something was last shown.
    busy: Vec<Duration>,
}

enum Display {
    Nothing,
    /// Now and then a word to a user who may wonder.
    Notes(Notes),
    Lines,
    Bars(Bars),
}

/// What is shown.
struct View<'a> {
    /// From 0 to 1, where it is known.
    part: Option<f64>,
    /// Everything else about the search as a whole.
    facts: String,
    stats: &'a Stats,
    /// What part of its time each worker was busy, from 0 to 1, since the last view.
    busy: Vec<f64>,
}

impl Progress {
    /// `types`: the user types the input.
    pub(crate) fn new(settings: &Settings, nouns: Nouns, total: Option<u64>, types: bool) -> Self {
        let workers = settings.progress == ProgressWhen::Workers;
        let display = match settings.progress {
            _ if settings.quiet => Display::Nothing,
            ProgressWhen::Never => Display::Nothing,
            _ if stderr::can_draw() && !types => Display::Bars(Bars::new(total.is_some(), workers, nouns)),
            ProgressWhen::Always => Display::Lines,
            ProgressWhen::Auto | ProgressWhen::Workers => Display::Notes(Notes::new(Instant::now())),
        };
        let now = Instant::now();
        Self { display, nouns, total, begun: now, last: now, tested: 0, rate: None, busy: Vec::new() }
    }

    /// Whether [`show`](Self::show) should be called. Cheap enough to be asked at every turn. `waiting`: nothing has come
    /// for the length of a tick.
    pub(crate) fn is_due(&self, now: Instant, waiting: bool) -> bool {
        let interval = match &self.display {
            Display::Nothing => return false,
            Display::Notes(_) if !waiting => return false,
            Display::Notes(_) | Display::Bars(_) => TICK,
            Display::Lines => LINE,
        };
        now - self.last >= interval
    }

    pub(crate) fn show(
        &mut self,
        now: Instant,
        tally: &Tally,
        stats: &Stats,
        asked: Option<(Reason, Instant)>,
        note: impl FnOnce() -> Option<String>,
    ) {
        let view = self.view(now, tally, asked, stats);
        match &mut self.display {
            Display::Nothing => {}
            Display::Lines => say(view.line()),
            Display::Bars(bars) => bars.draw(&view),
            Display::Notes(notes) => match asked {
                Some((reason, since)) => {
                    // Until then another signal would mean nothing, and most searches are at their end.
                    if now - since >= GRACE && stats.in_flight > 0 && notes.drain_is_due() {
                        let again = if reason == Reason::Signal { " again" } else { "" };
                        say(format_args!("{}; interrupt{again} to leave at once", view.facts));
                    }
                }
                None => {
                    if notes.search_is_due(now, tally.found)
                        && let Some(note) = note()
                    {
                        say(note);
                    }
                }
            },
        }
    }

    /// Takes everything off the terminal. Whether something was on it.
    pub(crate) fn clear(&mut self) -> bool {
        match &self.display {
            Display::Bars(bars) => {
                bars.clear();
                true
            }
            Display::Lines => true,
            Display::Nothing | Display::Notes(_) => false,
        }
    }

    fn view<'a>(
        &mut self,
        now: Instant,
        tally: &Tally,
        asked: Option<(Reason, Instant)>,
        stats: &'a Stats,
    ) -> View<'a> {
        let since = now - self.last;
        let recent = (tally.tested - self.tested) as f64 / since.as_secs_f64();
        let weight = 1.0 - (-since.as_secs_f64() / SMOOTHING.as_secs_f64()).exp();
        let rate = self.rate.map_or(recent, |rate| rate + (recent - rate) * weight);
        let before = std::mem::replace(&mut self.busy, stats.workers.iter().map(|worker| worker.busy).collect());
        let busy = |(worker, now): (usize, &Duration)| {
            let before = before.get(worker).copied().unwrap_or_default();
            (now.saturating_sub(before).as_secs_f64() / since.as_secs_f64()).min(1.0)
        };
        let busy = self.busy.iter().enumerate().map(busy).collect();
        (self.last, self.tested, self.rate) = (now, tally.tested, Some(rate));

        let part = self.total.map(|total| tally.done as f64 / total.max(1) as f64);
        let mut facts = format!(
            "{} numbers/s, {} found, {} in flight",
            short(rate),
            short(tally.found as f64),
            short(stats.in_flight as f64),
        );
        if asked.is_some() {
            facts = format!("finishing {} {}", stats.in_flight, self.nouns.items);
        } else if let Some(left) = part.and_then(|part| time_left(now - self.begun, part)).and_then(time) {
            facts += &format!(", {left} left");
        }
        View { part, facts, stats, busy }
    }
}

impl View<'_> {
    /// All of it as one line.
    fn line(&self) -> String {
        let part = self.part.map_or(String::new(), |part| format!("{}, ", percent(part)));
        part + &self.facts
    }
}

/// By the pace so far, once there is one.
fn time_left(elapsed: Duration, part: f64) -> Option<Duration> {
    let left = elapsed.as_secs_f64() * (1.0 / part - 1.0);
    (elapsed >= LINE).then(|| Duration::try_from_secs_f64(left).ok()).flatten()
}
