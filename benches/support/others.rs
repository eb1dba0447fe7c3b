//! How much of the processors other processes took.

use std::fs;
use std::time::Instant;

use super::args::measuring;

/// A meter for the time of a table.
pub(crate) struct Others {
    began: Instant,
    taken: Option<u64>,
}

impl Others {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), taken: taken_by_others() }
    }

    /// Prints the mean number of processors that other processes kept busy: the more, the less the table is worth.
    /// Processes that this one started and has waited for are its own. Does nothing where nothing is measured, and on
    /// systems without `/proc`.
    pub(crate) fn report(self) {
        if let (true, Some(before), Some(after)) = (measuring(), self.taken, taken_by_others()) {
            // The kernel counts in hundredths of a second, and not all of them at the same instant.
            let busy = after.saturating_sub(before) as f64 / 100.0 / self.began.elapsed().as_secs_f64();
            println!("  (other processes: {busy:.2} processors)");
        }
    }
}

/// In hundredths of a second, since the machine was started.
fn taken_by_others() -> Option<u64> {
    let all = fs::read_to_string("/proc/stat").ok()?;
    let all: Vec<u64> = all.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let [user, nice, system, _, _, irq, softirq, steal, ..] = all[..] else { return None };
    let own = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name of the program, which may hold anything: utime, stime, and both of children.
    let own: u64 = own.rsplit_once(')')?.1.split_whitespace().skip(11).take(4).flat_map(str::parse::<u64>).sum();
    (user + nice + system + irq + softirq + steal).checked_sub(own)
}
