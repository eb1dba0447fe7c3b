//! Another process that keeps processors busy.

use std::env;
use std::hint::black_box;
use std::io::{Read, stdin};
use std::process::{Child, Command, Stdio, exit};
use std::thread;

use super::spin::spin;

/// How many threads of that process spin.
const THREADS: &str = "ACTIX_FAN_BENCH_SPINS";

/// Spins for good, if this is that process. To be called first in `main`.
pub(crate) fn spin_if_neighbour() {
    let Some(threads) = env::var(THREADS).ok().and_then(|threads| threads.parse().ok()) else { return };
    for _ in 0..threads {
        thread::spawn(|| {
            let mut n = 0;
            loop {
                n = black_box(spin(n, 1_000));
            }
        });
    }
    // The end of the one that started it, whatever that is.
    let _ = stdin().read_to_end(&mut Vec::new());
    exit(0);
}

/// A process whose threads spin until this is dropped.
pub(crate) struct Neighbours(Child);

impl Neighbours {
    pub(crate) fn start(threads: usize) -> Self {
        let mut command = Command::new(env::current_exe().expect("a program knows its file"));
        command.env(THREADS, threads.to_string()).stdin(Stdio::piped());
        Self(command.spawn().expect("a process can be started"))
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it ends with its input");
    }
}
