//! Signals: SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGCONT on Unix, Ctrl-C elsewhere.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{io, process};

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal(i32);

impl Signal {
    /// SIGINT, which Ctrl-C sends.
    pub(crate) const INTERRUPT: Self = Self(2);

    /// The exit code that a shell reports for a process that this signal ended.
    pub(crate) fn code(self) -> u8 {
        // Signals are numbered from 1 to 64.
        128 + self.0 as u8
    }

    /// Ends the process by the signal itself, as if the program had no handler. A shell then stops its script as well;
    /// after an exit code it would go on with the next command.
    pub(crate) fn end_process(self) -> ! {
        // Process 1 of a container has no default actions for signals and would go on.
        #[cfg(unix)]
        if process::id() != 1 {
            // Fails only for signals that it does not know.
            let _ = signal_hook::low_level::emulate_default_handler(self.0);
        }
        process::exit(self.code().into())
    }
}

/// Calls `handler` on a thread of its own for each signal that asks the program to end. A signal that is ignored when
/// the program starts, as by `nohup`, stays ignored.
#[cfg(unix)]
pub(crate) fn handle(handler: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    use std::thread;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::flag;
    use signal_hook::iterator::Signals;

    // Without a handler, a write beyond the file size limit (`ulimit -f`) kills the program without a message. With
    // one, the write returns an error; the flag itself is not read.
    flag::register(SIGXFSZ, Arc::default())?;
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(wanted)?;
    let each = move || signals.forever().for_each(|signal| handler(Signal(signal)));
    thread::Builder::new().name("signals".to_owned()).spawn(each)?;
    Ok(())
}

/// Returns a flag that is set whenever the process continues after a stop, by Ctrl-Z or otherwise.
pub(crate) fn continued() -> Arc<AtomicBool> {
    let flag = Arc::default();
    // If it can't be registered, the time of a stop counts as running time.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGCONT, Arc::clone(&flag));
    flag
}

/// Returns a bit mask of the ignored signals. Known on Linux only; elsewhere it is 0.
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
