//! The memory and the threads of the process. Linux only.

use std::fs;

use crate::ALLOCATOR;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// What is allocated and not freed, in bytes.
    pub(crate) allocated: usize,
    /// What the allocator holds, freed memory included.
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
    Some(Sample { allocated: ALLOCATOR.current_usage(), rss_kib: number("VmRSS:")?, threads: number("Threads:")? })
}

/// Returns true if there is a thread whose name begins so.
pub(crate) fn has_thread(name: &str) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
        .any(|thread| thread.starts_with(name))
}
