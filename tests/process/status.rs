//! This process, as the kernel sees it.

use std::fs;

/// How many threads there are, and how many KiB of memory are resident.
pub(crate) fn status() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (field("Threads:"), field("VmRSS:"))
}

/// Waits until there are no more than this number of threads: one that has dropped its work may not have ended yet.
/// The process is ended if that never happens.
pub(crate) fn no_more_threads_than(threads: u64) {
    while status().0 > threads {
        std::thread::yield_now();
    }
}
