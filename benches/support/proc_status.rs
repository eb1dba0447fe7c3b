//! What Linux tells about a process.

use std::fs;

/// A number in `/proc/PID/status`, of this process if `process` is `None`: `Threads`; `VmHWM`, the peak of resident
/// memory in KiB; `VmRSS`, what is resident now. `None` on other systems, and if the process has ended.
pub(crate) fn proc_status(process: Option<u32>, name: &str) -> Option<u64> {
    let process = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}
