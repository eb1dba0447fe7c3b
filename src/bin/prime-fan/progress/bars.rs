//! Bars on a terminal.

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::View;
use super::human::{percent, short};
use super::terminal::Terminal;
use crate::stderr;
use crate::tally::Nouns;

/// Steps of a bar from empty to full, finer than any terminal shows.
const STEPS: u64 = 10_000;

/// Columns before the text.
const BAR: usize = "[========] 100 %  ".len();
const SPINNER: usize = "* ".len();

/// Drawn a second, at most.
const FRAMES: u8 = 20;

pub(super) struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
    /// One a worker, added when their number is known. None: they are not asked for.
    workers: Option<Vec<ProgressBar>>,
    nouns: Nouns,
}

impl Bars {
    pub(super) fn new(total_is_known: bool, workers: bool, nouns: Nouns) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(
            Box::new(Terminal::stderr()),
            FRAMES,
        ));
        stderr::has_bars(all.clone());
        let whole = all.add(bar(if total_is_known { "[{bar:8}] {prefix:>5}  {msg}" } else { "{spinner} {msg}" }));
        Self { all, whole, workers: workers.then(Vec::new), nouns }
    }

    pub(super) fn draw(&mut self, view: &View<'_>) {
        if let Some(part) = view.part {
            self.whole.set_prefix(percent(part));
            self.whole.set_position(steps(part));
        }
        // Whatever is typed, as ^C, stays on the line.
        let columns = usize::from(Term::stderr().size().1).saturating_sub(3);
        let cut = |text: &str, taken: usize| text.chars().take(columns.saturating_sub(taken)).collect::<String>();
        let taken = if view.part.is_some() { BAR } else { SPINNER };
        self.whole.set_message(cut(&view.facts, taken));
        self.whole.tick();
        let Some(bars) = &mut self.workers else { return };
        for (index, (worker, &busy)) in view.stats.workers.iter().zip(&view.busy).enumerate() {
            if index == bars.len() {
                bars.push(self.all.add(bar("[{bar:8}] {prefix:>5}  {msg}")));
            }
            let bar = &bars[index];
            bar.set_position(steps(busy));
            bar.set_prefix(percent(busy));
            bar.set_message(cut(&format!("worker {index}, {} {}", short(worker.items as f64), self.nouns.items), BAR));
            bar.tick();
        }
    }

    pub(super) fn clear(&self) {
        for bar in self.workers.iter().flatten().chain([&self.whole]) {
            bar.finish_and_clear();
        }
    }
}

fn bar(template: &str) -> ProgressBar {
    let template = match stderr::has_colours() {
        true => template.replace("{bar:8}", "{bar:8.cyan}").replace("{spinner}", "{spinner:.cyan}"),
        false => template.to_owned(),
    };
    let style = ProgressStyle::with_template(&template).expect("the template is sound").progress_chars("=> ");
    // Hidden until it belongs to those on the terminal.
    ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::hidden()).with_style(style)
}

fn steps(part: f64) -> u64 {
    (part.clamp(0.0, 1.0) * STEPS as f64) as u64
}
