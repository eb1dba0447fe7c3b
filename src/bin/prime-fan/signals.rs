//! Ctrl-C and its kin, where the system has them.

use std::io;

/// Calls `handler` on a thread of its own for each signal that asks for the end. One that is ignored when the program
/// starts, as by `nohup`, stays ignored.
#[cfg(unix)]
pub(crate) fn handle(handler: impl Fn() + Send + 'static) -> io::Result<()> {
    use std::sync::Arc;
    use std::thread;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::flag;
    use signal_hook::iterator::Signals;

    // Left to itself, a write beyond the limit on the size of files ends the program, which then can't say so. With a
    // handler the write fails like any other, so that nobody looks at the flag.
    flag::register(SIGXFSZ, Arc::default())?;
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(wanted)?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || signals.forever().for_each(|_| handler()))?;
    Ok(())
}

/// A bit for each signal that is ignored. Only Linux tells; elsewhere none seems to be.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
pub(crate) fn handle(handler: impl Fn() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(handler).map_err(io::Error::other)
}
