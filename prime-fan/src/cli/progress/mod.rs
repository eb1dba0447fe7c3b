//! How far a search is, for those who watch.

mod bars;
mod notes;
mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use actix_fan::Stats;

use crate::cli::args::{ProgressWhen, Settings};
use crate::cli::counts::{Counts, Nouns};
use crate::cli::messages::hint;
use crate::cli::shutdown::{GRACE, Reason};
use crate::cli::{signals, status_lines, terminal};

use crate::cli::human::{count, fit, percent, rate, short, time};
use bars::Bars;
use notes::Notes;
use pace::Pace;

/// How often to look whether something has to be shown.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Between two lines where no bar can be drawn.
const LINE: Duration = Duration::from_secs(1);

/// The width of a terminal that doesn't tell.
const COLUMNS: usize = 80;

pub(crate) struct Progress {
    display: Display,
    nouns: Nouns,
    total: Option<u64>,
    pace: Pace,
    /// Set when the process goes on after a stop.
    continued: Arc<AtomicBool>,
    /// For each worker: the time it had been busy when something was last shown.
    busy: Vec<Duration>,
}

enum Display {
    Nothing,
    /// Now and then a word to a user who may wonder.
    Notes(Notes),
    Lines,
    Bars {
        bars: Bars,
        workers: bool,
    },
}

/// What is shown.
struct View<'a> {
    /// From 0 to 1, where it is known.
    part: Option<f64>,
    /// Whether only what is in flight is waited for.
    draining: bool,
    /// Everything else about the search as a whole, each part with the rank at which it is worth its room.
    facts: Vec<(u8, String)>,
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
            _ if terminal::can_draw() && !types => Display::Bars { bars: Bars::default(), workers },
            ProgressWhen::Always => Display::Lines,
            ProgressWhen::Auto | ProgressWhen::Workers => Display::Notes(Notes::new(Instant::now())),
        };
        let pace = Pace::new(Instant::now());
        Self { display, nouns, total, pace, continued: signals::continued(), busy: Vec::new() }
    }

    /// Whether [`show`](Self::show) should be called. Cheap enough to be asked at every turn. `waiting`: nothing has come
    /// for the length of a tick.
    pub(crate) fn is_due(&mut self, now: Instant, waiting: bool) -> bool {
        let stopped = self.pace.run(now, self.continued.swap(false, Relaxed));
        if let Display::Notes(notes) = &mut self.display {
            notes.pause(stopped);
        }
        let interval = match &self.display {
            Display::Nothing => return false,
            Display::Notes(_) if !waiting => return false,
            Display::Notes(_) | Display::Bars { .. } => TICK,
            Display::Lines => LINE,
        };
        self.pace.since(now) >= interval
    }

    pub(crate) fn show(
        &mut self,
        now: Instant,
        counts: &Counts,
        stats: &Stats,
        requested: Option<(Reason, Instant)>,
        note: impl FnOnce() -> Option<String>,
    ) {
        let view = self.view(now, counts, requested, stats);
        match &mut self.display {
            Display::Nothing => {}
            Display::Lines => hint(view.line()),
            Display::Bars { bars, workers } => {
                let columns = terminal::columns().unwrap_or(COLUMNS);
                status_lines::draw(bars.lines(&view, self.nouns, *workers, columns));
            }
            Display::Notes(notes) => match requested {
                Some((_, since)) => {
                    // Until then most searches are at their end.
                    if now - since >= GRACE && stats.in_flight > 0 && notes.drain_is_due() {
                        hint(view.line());
                    }
                }
                None => {
                    if notes.search_is_due(now, counts.found)
                        && let Some(note) = note()
                    {
                        hint(note);
                    }
                }
            },
        }
    }

    /// Takes everything off the terminal. Whether something was on it.
    pub(crate) fn clear(&mut self) -> bool {
        status_lines::clear();
        matches!(self.display, Display::Lines | Display::Bars { .. })
    }

    fn view<'a>(
        &mut self,
        now: Instant,
        counts: &Counts,
        requested: Option<(Reason, Instant)>,
        stats: &'a Stats,
    ) -> View<'a> {
        let since = self.pace.since(now).as_secs_f64().max(1e-9);
        let before = std::mem::replace(&mut self.busy, stats.workers.iter().map(|worker| worker.busy).collect());
        let busy = |(worker, now): (usize, &Duration)| {
            let before = before.get(worker).copied().unwrap_or_default();
            (now.saturating_sub(before).as_secs_f64() / since).min(1.0)
        };
        let busy = self.busy.iter().enumerate().map(busy).collect();
        let pace = self.pace.measure(now, counts.tested);
        let part = self.total.map(|total| counts.done as f64 / total.max(1) as f64);
        let facts = match requested {
            Some((reason, since)) => {
                let again = if reason == Reason::Signal { " again" } else { "" };
                let mut facts = vec![(0, format!("finishing {}", count(stats.in_flight as u64, self.nouns.items)))];
                // Until then another signal would mean nothing.
                if now - since >= GRACE {
                    facts.push((1, format!("; interrupt{again} to leave at once")));
                }
                facts
            }
            None => {
                let left = part.and_then(|part| self.pace.left(now, part)).and_then(time);
                vec![
                    (3, rate(pace)),
                    (1, format!(", {} found", short(counts.found as f64))),
                    (0, format!(", {} in flight", short(stats.in_flight as f64))),
                    (2, left.map_or(String::new(), |left| format!(", {left} left"))),
                ]
            }
        };
        View { part, draining: requested.is_some(), facts, stats, busy }
    }
}

impl View<'_> {
    /// All of it as one line.
    fn line(&self) -> String {
        let part = self.part.filter(|_| !self.draining);
        part.map_or(String::new(), |part| format!("{}, ", percent(part))) + &fit(usize::MAX, &self.facts)
    }
}
