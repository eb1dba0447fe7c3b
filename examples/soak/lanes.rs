//! What runs rounds side by side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Arbiter;
use tokio::sync::oneshot;

use crate::process;
use crate::round::{self, Soak, eventually};

/// Rounds that run at a time on the System's first arbiter, which also serves the queues of all pipelines; and arbiters
/// that run one each.
const AT_HOME: usize = 2;
const ABROAD: usize = 2;

pub(crate) struct Lanes {
    soak: Arc<Soak>,
    abroad: Vec<Arbiter>,
    /// The round to replay.
    only: Option<u64>,
}

impl Lanes {
    pub(crate) fn new(soak: &Arc<Soak>, only: Option<u64>) -> Self {
        Self { soak: Arc::clone(soak), abroad: (0..ABROAD).map(|_| Arbiter::new()).collect(), only }
    }

    /// Rounds in all lanes until the time is up. What they began is over when this returns.
    pub(crate) async fn run(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut ends = Vec::new();
        for lane in 0..AT_HOME + ABROAD {
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
                // Whoever waits for it waits for all.
                let _ = end.send(());
            };
            match lane.checked_sub(AT_HOME) {
                None => drop(actix::spawn(rounds)),
                Some(abroad) => {
                    self.abroad[abroad].spawn_fn(move || drop(actix::spawn(rounds)));
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

    /// Waits until no more threads are left than there were at first, and looks.
    pub(crate) async fn rest(&self) -> Option<process::Sample> {
        let first = *self.soak.threads.get()?;
        // Not all of a thread is gone once it has dropped its work. A thread too many is found by the report.
        eventually(|| process::sample().is_none_or(|now| now.threads <= first)).await;
        process::sample()
    }
}
