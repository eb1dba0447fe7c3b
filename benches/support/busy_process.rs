//! Another process that keeps processors busy.

use std::env;
use std::hint::black_box;
use std::io::{Read, stdin};
use std::process::{Child, Command, Stdio, exit};
use std::thread;

/// Set for that process: how many of its threads spin.
const THREADS: &str = "ACTIX_FAN_BENCH_SPINS";

/// Spins until the process that started this one ends, if this is a [`BusyProcess`]. `main` must call it first.
pub(crate) fn spin_if_busy_process() {
    let Some(threads) = env::var(THREADS).ok().and_then(|threads| threads.parse().ok()) else { return };
    for _ in 0..threads {
        thread::spawn(|| {
            let mut n = 0u64;
            loop {
                n = black_box(n.wrapping_add(1));
            }
        });
    }
    // The input ends with the process that started this one, however that ends.
    let _ = stdin().read_to_end(&mut Vec::new());
    exit(0);
}

/// A process whose threads spin until this is dropped.
pub(crate) struct BusyProcess(Child);

impl BusyProcess {
    pub(crate) fn start(threads: usize) -> Self {
        let mut command = Command::new(env::current_exe().expect("a program knows its file"));
        command.env(THREADS, threads.to_string()).stdin(Stdio::piped());
        Self(command.spawn().expect("a process can be started"))
    }
}

impl Drop for BusyProcess {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it ends with its input");
    }
}
