//! Lanes, each of which runs one round after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Arbiter;
use tokio::sync::oneshot;

use crate::process;
use crate::round::{self, Soak, eventually};

/// The number of lanes on the System's first arbiter, and the number of other arbiters, which have one lane each.
const ON_FIRST: usize = 2;
const OTHERS: usize = 2;

pub(crate) struct Lanes {
    soak: Arc<Soak>,
    others: Vec<Arbiter>,
    /// The round to replay.
    only: Option<u64>,
}

impl Lanes {
    pub(crate) fn new(soak: &Arc<Soak>, only: Option<u64>) -> Self {
        Self { soak: Arc::clone(soak), others: (0..OTHERS).map(|_| Arbiter::new()).collect(), only }
    }

    /// Runs rounds in all lanes for the given time. All rounds have ended when this returns.
    pub(crate) async fn run(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut ends = Vec::new();
        for lane in 0..ON_FIRST + OTHERS {
            let (end, ended) = oneshot::channel();
            let (soak, only) = (Arc::clone(&self.soak), self.only);
            let rounds = async move {
                loop {
                    let number = soak.next();
                    round::run(&soak, only.unwrap_or(number)).await;
                    if Instant::now() >= until {
                        break;
                    }
                }
                // An error: `run` was dropped, which awaits the lanes in order.
                let _ = end.send(());
            };
            match lane.checked_sub(ON_FIRST) {
                None => drop(actix::spawn(rounds)),
                Some(others) => {
                    self.others[others].spawn_fn(move || drop(actix::spawn(rounds)));
                }
            }
            ends.push(ended);
        }
        for ended in ends {
            if ended.await.is_err() {
                self.soak.breach("a lane ended before its time".to_owned());
            }
        }
    }

    /// Waits until there are no more threads than at first, and samples the process.
    pub(crate) async fn rest(&self) -> Option<process::Sample> {
        let first = *self.soak.threads.get()?;
        // A thread ends some time after it dropped its work. The report finds a thread that does not end.
        eventually(|| process::sample().is_none_or(|now| now.threads <= first)).await;
        process::sample()
    }
}
