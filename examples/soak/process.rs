//! The memory and the threads of the process. Linux only.

use std::fs;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) rss_kib: u64,
    pub(crate) threads: u64,
}

/// `None` on other systems.
pub(crate) fn sample() -> Option<Sample> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Sample { rss_kib: number("VmRSS:")?, threads: number("Threads:")? })
}
