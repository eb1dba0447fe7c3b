//! Progress of a search: bars on a terminal, lines elsewhere, and notes if nothing is found for long.

mod bars;
mod notes;
mod pace;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use actix_fan::{NodeStats, Stats};

use crate::cli::args::{ProgressWhen, Settings};
use crate::cli::counts::{Counts, Nouns};
use crate::cli::messages::hint;
use crate::cli::shutdown::{GRACE, Reason};
use crate::cli::{signals, status_lines, terminal};

use crate::cli::human::{count, fit, percent, rate, short, time};
use bars::Bars;
use notes::Notes;
use pace::Pace;

/// How often to check whether something is due to be shown.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The interval of lines, where no bar can be drawn.
const LINE: Duration = Duration::from_secs(1);

/// A node that has answered nothing for this long is not counted any more.
const SILENT: Duration = Duration::from_secs(60);

/// The time constant of the moving average of a node's rate, in seconds.
const SMOOTHING: f64 = 2.0;

/// The assumed width of a terminal that doesn't report it.
const COLUMNS: usize = 80;

pub(crate) struct Progress {
    display: Display,
    nouns: Nouns,
    total: Option<u64>,
    /// True if nodes on other machines do the work.
    has_nodes: bool,
    pace: Pace,
    /// Set when the process continues after a stop.
    continued: Arc<AtomicBool>,
    /// Per worker, how long it had been busy when progress was last shown.
    busy: Vec<Duration>,
    /// Per node, how many items it had ended then, and its rate.
    nodes: HashMap<Arc<str>, (u64, f64)>,
}

enum Display {
    Nothing,
    /// A note at growing intervals while nothing is found.
    Notes(Notes),
    Lines,
    Bars {
        bars: Bars,
        workers: bool,
    },
}

/// What to show.
struct View<'a> {
    /// How much is done, from 0 to 1, if it is known.
    part: Option<f64>,
    /// True if the pipeline drains.
    draining: bool,
    /// The parts of the text about the search, each with its rank: the lowest are left out first if there is no room.
    facts: Vec<(u8, String)>,
    stats: &'a Stats,
    /// Per worker, the share of the time since the last view in which it was busy, from 0 to 1.
    busy: Vec<f64>,
    /// Per node that gave a sign of late, its items per second.
    nodes: Vec<(&'a NodeStats, f64)>,
}

impl Progress {
    /// `types` is true if the user types the input: then no bars are drawn.
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
        let has_nodes = settings.cluster.is_some();
        let continued = signals::continued();
        Self { display, nouns, total, has_nodes, pace, continued, busy: Vec::new(), nodes: HashMap::new() }
    }

    /// Returns true if [`show`](Self::show) should be called now. It is cheap enough to call for every chunk. `waiting`
    /// is true if no result has come for a [`TICK`].
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
                    // Most searches end within this time.
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

    /// Erases the status lines. Returns true if progress was shown as bars or lines.
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
        let nodes = self.nodes(stats, since);
        let pace = self.pace.measure(now, counts.tested);
        let part = self.total.map(|total| counts.done as f64 / total.max(1) as f64);
        let facts = match requested {
            Some((reason, since)) => {
                let again = if reason == Reason::Signal { " again" } else { "" };
                let mut facts = vec![(0, format!("finishing {}", count(stats.in_flight as u64, self.nouns.items)))];
                // Before that, another signal would have no effect.
                if now - since >= GRACE {
                    facts.push((1, format!("; interrupt{again} to quit at once")));
                }
                facts
            }
            None => {
                let left = part.and_then(|part| self.pace.left(now, part)).and_then(time);
                vec![
                    (3, rate(pace)),
                    (1, format!(", {} found", short(counts.found as f64))),
                    (0, format!(", {} in flight", short(stats.in_flight as f64))),
                    (1, if self.has_nodes { of_nodes(nodes.len(), stats) } else { String::new() }),
                    (2, left.map_or(String::new(), |left| format!(", {left} left"))),
                ]
            }
        };
        View { part, draining: requested.is_some(), facts, stats, busy, nodes }
    }

    /// The nodes that gave a sign of late, each with its rate, smoothed: a batch takes longer than the time between two views.
    fn nodes<'a>(&mut self, stats: &'a Stats, since: f64) -> Vec<(&'a NodeStats, f64)> {
        let weight = 1.0 - (-since / SMOOTHING).exp();
        let alive = stats.nodes.iter().filter(|node| node.silent < SILENT);
        let nodes = alive.map(|node| {
            let (items, rate) = self.nodes.get(&node.name).copied().unwrap_or_default();
            let recent = node.items.saturating_sub(items) as f64 / since;
            (node, rate + (recent - rate) * weight)
        });
        let nodes: Vec<_> = nodes.collect();
        self.nodes = nodes.iter().map(|(node, rate)| (Arc::clone(&node.name), (node.items, *rate))).collect();
        nodes
    }
}

/// How many nodes there are, for a line of progress.
fn of_nodes(alive: usize, stats: &Stats) -> String {
    match alive {
        0 if stats.nodes.is_empty() => ", no node has answered yet".to_owned(),
        alive => format!(", {}", count(alive as u64, ["node", "nodes"])),
    }
}

impl View<'_> {
    /// Returns all facts as one line.
    fn line(&self) -> String {
        let part = self.part.filter(|_| !self.draining);
        part.map_or(String::new(), |part| format!("{}, ", percent(part))) + &fit(usize::MAX, &self.facts)
    }
}
