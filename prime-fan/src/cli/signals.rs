//! Ctrl-C and its kin, where the system has them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{io, process};

/// A signal that asked for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal(i32);

impl Signal {
    /// What Ctrl-C sends.
    pub(crate) const INTERRUPT: Self = Self(2);

    /// The exit code that a shell makes of it.
    pub(crate) fn code(self) -> u8 {
        // Signals are numbered from 1 to 64.
        128 + self.0 as u8
    }

    /// Ends the process as the signal would have if the program had not handled it. Only then does a shell know that a
    /// script is to stop as well: one that sees an exit code goes on with the next command.
    pub(crate) fn end_process(self) -> ! {
        // Signals have no default action for the first process of a container, which would survive this one.
        #[cfg(unix)]
        if process::id() != 1 {
            // It fails for unknown signals alone.
            let _ = signal_hook::low_level::emulate_default_handler(self.0);
        }
        process::exit(self.code().into())
    }
}

/// Calls `handler` on a thread of its own for each signal that asks for the end. One that is ignored when the program
/// starts, as by `nohup`, stays ignored.
#[cfg(unix)]
pub(crate) fn handle(handler: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
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
    let each = move || signals.forever().for_each(|signal| handler(Signal(signal)));
    thread::Builder::new().name("signals".to_owned()).spawn(each)?;
    Ok(())
}

/// A flag that is set whenever the process goes on after it was stopped, by Ctrl-Z or otherwise.
pub(crate) fn continued() -> Arc<AtomicBool> {
    let flag = Arc::default();
    // Where it can't be had, a stop counts like any other time.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGCONT, Arc::clone(&flag));
    flag
}

/// A bit for each signal that is ignored. Only Linux tells; elsewhere none seems to be.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
pub(crate) fn handle(handler: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || handler(Signal::INTERRUPT)).map_err(io::Error::other)
}
