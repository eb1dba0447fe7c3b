//! What a body shares with its guard: the results, which either of them may drop.
//!
//! A body can only act when its connection polls it, and a connection whose client reads nothing doesn't. So a second task
//! on the same thread, the guard, watches over each body: it ends the stream when the client has taken nothing for too long,
//! or when the application ends its streams, and it keeps the permit until the threads are gone.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::pending;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use actix_web::rt::time::{Instant, sleep_until};
use futures::future::{Either, select};
use futures::task::AtomicWaker;
use tokio::sync::oneshot;

use super::failure::short;
use super::permit::{Permit, Phase};
use crate::engine::intake::Run;
use crate::util::log;
use crate::util::panic::discard;
use crate::util::waker::CaughtWaker;

/// Why the results were taken from the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The application ends its streams.
    Stopped,
    /// The client took nothing for too long.
    Stalled,
}

pub(super) struct Link<S> {
    /// Taken out while they are polled; `None` after their end.
    results: Cell<Option<Pin<Box<S>>>>,
    /// What they are made of, as far as it is known.
    pub(super) runs: Vec<Run>,
    cut: Cell<Option<Cut>>,
    /// Since when the connection has had something to write, without asking for more.
    blocked: Cell<Option<Instant>>,
    body: AtomicWaker,
    waker: RefCell<CaughtWaker>,
}

impl<S> Link<S> {
    pub(super) fn new(results: S, runs: Vec<Run>) -> Self {
        Self {
            results: Cell::new(Some(Box::pin(results))),
            runs,
            cut: Cell::new(None),
            blocked: Cell::new(None),
            body: AtomicWaker::new(),
            waker: RefCell::default(),
        }
    }

    /// The results, to be polled and put back.
    pub(super) fn take(&self) -> Option<Pin<Box<S>>> {
        self.results.take()
    }

    pub(super) fn put_back(&self, results: Pin<Box<S>>) {
        self.results.set(Some(results));
    }

    pub(super) fn cut(&self) -> Option<Cut> {
        self.cut.get()
    }

    /// The connection was given something to write.
    pub(super) fn block(&self) {
        self.blocked.set(Some(Instant::now()));
    }

    /// The connection asks for more.
    pub(super) fn unblock(&self) {
        self.blocked.set(None);
    }

    /// Has the body polled again when the results are cut off. To be called before it looks at that.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.waker.borrow_mut().register(&self.body, cx);
    }

    /// Drops the results, which stops their pipelines, and has the body end the answer when it is polled.
    fn cut_off(&self, why: Cut) {
        self.cut.set(Some(why));
        discard(self.results.take());
        self.body.wake();
    }
}

impl<S> fmt::Debug for Link<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("cut", &self.cut).field("blocked", &self.blocked).finish_non_exhaustive()
    }
}

/// What the guard waits for.
enum Event {
    /// The body has ended, or was dropped.
    Gone,
    Phase(Phase),
    Time,
}

/// Watches over a body until it has ended. `stall` is how long the client may take nothing; zero: for ever.
pub(super) async fn guard<S: 'static>(
    link: Rc<Link<S>>,
    stall: Duration,
    mut permit: Option<Permit>,
    mut gone: oneshot::Receiver<()>,
    path: String,
) {
    let mut since = Instant::now();
    loop {
        // None: it is for ever, or longer than any clock goes.
        let look = since.checked_add(stall).filter(|_| !stall.is_zero());
        let event = {
            let phase = async {
                match &mut permit {
                    Some(permit) => Event::Phase(permit.ending().await),
                    None => pending().await,
                }
            };
            let time = async {
                match look {
                    Some(look) => sleep_until(look).await,
                    None => pending().await,
                }
                Event::Time
            };
            let body = async {
                // Its sender is dropped with it.
                let _ = (&mut gone).await;
                Event::Gone
            };
            match select(pin!(body), select(pin!(phase), pin!(time))).await {
                Either::Left((event, _)) | Either::Right((Either::Left((event, _)) | Either::Right((event, _)), _)) => {
                    event
                }
            }
        };
        match event {
            Event::Gone => break,
            // The runs are draining: `Streams` tells them itself. What is made of none goes on to its end.
            Event::Phase(Phase::Open | Phase::Closed | Phase::Draining) => {}
            Event::Phase(Phase::Stopped) => {
                link.cut_off(Cut::Stopped);
                break;
            }
            Event::Time => match link.blocked.get() {
                Some(blocked) if blocked.elapsed() >= stall => {
                    log::warn!("{}: the client took nothing for {stall:?}, its stream is ended", short(&path));
                    if let Some(permit) = &permit {
                        permit.stalled();
                    }
                    link.cut_off(Cut::Stalled);
                    break;
                }
                blocked => since = blocked.unwrap_or_else(Instant::now),
            },
        }
    }
    // What the permit stands for is threads, and these may be in the middle of an item.
    if permit.is_some() {
        for run in &link.runs {
            // An error is that this is one of those threads, which it is not.
            let _ = run.workers_stopped().await;
        }
    }
}
