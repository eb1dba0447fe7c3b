//! The panic hook that counts injected panics, and the watchdog that finds rounds that hang.

use std::panic;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::process;
use crate::round::{PATIENCE, Soak};
use crate::work::INJECTED;

pub(crate) static INJECTED_PANICS: AtomicU64 = AtomicU64::new(0);
/// In KiB.
pub(crate) static PEAK_RSS: AtomicU64 = AtomicU64::new(0);
pub(crate) static PEAK_THREADS: AtomicU64 = AtomicU64::new(0);

/// Counts the injected panics. Other panics are breaches, and printed.
pub(crate) fn count_panics(soak: &Arc<Soak>) {
    let (soak, print) = (Arc::clone(soak), panic::take_hook());
    panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        if message.is_some_and(|message| message.starts_with(INJECTED)) {
            INJECTED_PANICS.fetch_add(1, Relaxed);
        } else {
            print(panic);
            soak.breach(format!("a panic that was not injected: {panic}"));
        }
    }));
}

/// Watches from a thread of its own, since a round that hangs may block every arbiter. Calls `give_up` and ends the
/// process if one hangs.
pub(crate) fn watch(soak: &Arc<Soak>, give_up: impl Fn(&Soak) + Send + 'static) {
    let soak = Arc::clone(soak);
    let watch = move || {
        loop {
            thread::sleep(Duration::from_millis(100));
            if let Some(now) = process::sample() {
                PEAK_RSS.fetch_max(now.rss_kib, Relaxed);
                PEAK_THREADS.fetch_max(now.threads, Relaxed);
            }
            let late = |(number, (since, _)): (&u64, &(Instant, String))| {
                (since.elapsed() > PATIENCE).then_some((*number, since.elapsed()))
            };
            let hangs = soak.running.lock().unwrap().iter().find_map(late);
            if let Some((number, time)) = hangs {
                soak.breach_of(number, &format!("it hangs: {:.0} s", time.as_secs_f64()));
                give_up(&soak);
                exit(1);
            }
        }
    };
    thread::Builder::new().name("watchdog".to_owned()).spawn(watch).expect("a thread for the watchdog");
}
