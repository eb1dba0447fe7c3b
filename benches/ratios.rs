//! How does this crate compare with the best alternative, on this machine, now?
//!
//!     cargo bench --bench ratios                  # 7 rounds, about four minutes
//!     cargo bench --bench ratios -- 21            # more of them
//!     cargo bench --bench ratios -- 21 "100 us"   # for those tables whose heading has these words
//!
//! The contenders alternate, A B C A B C, after one round to warm up. A ratio is taken within each round, where both
//! sides ran under the same conditions; printed are the median of the ratios, the least and the most. If the latter are
//! far apart, the machine was busy: use more rounds, or another time.
//!
//! The targets are those of an idle machine with 2 cores. A missed target is printed and is not a failure.

mod contenders;
mod support {
    pub(crate) mod args;
    pub(crate) mod median;
    pub(crate) mod selection;
    pub(crate) mod spin;
}

use std::time::Duration;

use contenders::{Contender, Grain, Job, Results, Stage};
use support::args::measuring;
use support::median::Summary;
use support::selection::Selection;

const ROUNDS: usize = 7;

fn main() {
    let selection = Selection::of_arguments();
    let length = if measuring() { Duration::from_millis(300) } else { Duration::from_millis(1) };
    let stage = Stage::new();
    for results in Results::BOTH {
        for grain in Grain::ALL {
            if selection.has(&heading(grain, results)) {
                Table::measure(&stage, grain, results, selection.rounds(ROUNDS), length).print();
            }
        }
    }
}

fn heading(grain: Grain, results: Results) -> String {
    format!("{}, {} results", grain.name(), results.name())
}

/// The times of all contenders with one grain.
struct Table {
    grain: Grain,
    results: Results,
    /// Nanoseconds per item, round by round.
    columns: Vec<(Contender, Vec<f64>)>,
}

impl Table {
    fn measure(stage: &Stage, grain: Grain, results: Results, rounds: usize, length: Duration) -> Self {
        let jobs = Contender::ALL.map(|contender| (contender, Job::of_length(grain, results, contender, length)));
        let nanos =
            |(contender, job): (Contender, Job)| stage.time(contender, job).as_nanos() as f64 / job.items as f64;
        for job in jobs {
            nanos(job);
        }
        let mut columns = jobs.map(|(contender, _)| (contender, Vec::with_capacity(rounds))).to_vec();
        for _ in 0..rounds {
            for ((_, column), job) in columns.iter_mut().zip(jobs) {
                column.push(nanos(job));
            }
        }
        Self { grain, results, columns }
    }

    fn column(&self, contender: Contender) -> &[f64] {
        let (_, column) = self.columns.iter().find(|(each, _)| *each == contender).expect("every contender has run");
        column
    }

    fn ratio(&self, over: Contender, under: Contender) -> Summary {
        Summary::of(self.column(over).iter().zip(self.column(under)).map(|(over, under)| over / under))
    }

    /// The other contender with the least median.
    fn best_other(&self) -> Contender {
        let median = |contender: &Contender| Summary::of(self.column(*contender).iter().copied()).median;
        let others = [Contender::HandBatched, Contender::Channels, Contender::ParBridge, Contender::BareSyncArbiter];
        others.into_iter().min_by(|a, b| median(a).total_cmp(&median(b))).expect("there are others")
    }

    /// The ratios that matter, and what they should be at most.
    fn targets(&self) -> Vec<(Contender, Contender, f64)> {
        use Contender::{Fan, FanOrdered, HandBatched, ParBridge};
        let mut targets = match self.grain {
            Grain::PassThrough => vec![(Fan, HandBatched, 2.0), (Fan, ParBridge, 0.2)],
            Grain::Nanos100 => vec![(Fan, HandBatched, 1.12)],
            Grain::Micros1 | Grain::Micros10 | Grain::Micros100 => vec![(Fan, self.best_other(), 1.02)],
        };
        targets.push((FanOrdered, Fan, 1.05));
        targets
    }

    fn print(&self) {
        println!("{}", heading(self.grain, self.results));
        for (contender, column) in &self.columns {
            println!("  {:40} {:.1} ns per item", contender.name(), Summary::of(column.iter().copied()));
        }
        for (over, under, target) in self.targets() {
            let ratio = self.ratio(over, under);
            let verdict = if ratio.median <= target { "met" } else { "missed" };
            let name = format!("{} / {}", over.name(), under.name());
            println!("  {name:40} {ratio:.3}  target <= {target:.2}: {verdict}");
        }
        println!();
    }
}
