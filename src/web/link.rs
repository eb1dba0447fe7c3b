//! What a body shares with its guard: the results, which either of them may drop.
//!
//! A body runs only when its connection polls it, which it does not do while the client reads nothing. So each body has
//! a guard, a second task on the same thread: it cuts the stream off when the client has read nothing for too long or
//! when the application stops its streams, and it holds the permit until the worker threads have ended.

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
use crate::engine::run::Run;
use crate::util::log;
use crate::util::panic::discard;
use crate::util::waker::CaughtWaker;

/// Why the stream was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The application stops its streams.
    Stopped,
    /// The client read nothing for too long.
    Stalled,
}

pub(super) struct Link<S> {
    /// `None` while the body polls them, and after their end.
    results: Cell<Option<Pin<Box<S>>>>,
    /// The known pipelines that the results come from.
    pub(super) runs: Vec<Run>,
    cut: Cell<Option<Cut>>,
    /// Since when the connection has had something to write and has not polled for more.
    blocked: Cell<Option<Instant>>,
    /// Wakes the task of the body.
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

    /// Takes the results out, to poll them and put them back.
    pub(super) fn take(&self) -> Option<Pin<Box<S>>> {
        self.results.take()
    }

    pub(super) fn put_back(&self, results: Pin<Box<S>>) {
        self.results.set(Some(results));
    }

    pub(super) fn cut(&self) -> Option<Cut> {
        self.cut.get()
    }

    /// To be called when the body gives the connection something to write.
    pub(super) fn block(&self) {
        self.blocked.set(Some(Instant::now()));
    }

    /// To be called when the connection polls the body.
    pub(super) fn unblock(&self) {
        self.blocked.set(None);
    }

    /// Registers the body's task, which is woken when the stream is cut off. To be called before [`cut`](Self::cut), so
    /// that no cut in between is missed.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.waker.borrow_mut().register(&self.body, cx);
    }

    /// Drops the results, which stops their pipelines, and wakes the body to end the answer.
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

/// The events that a guard waits for.
enum Event {
    /// The body has ended, or was dropped.
    Gone,
    /// The application drains or stops its streams.
    Phase(Phase),
    /// It is time to look whether the client reads.
    Time,
}

/// Guards a body until it has ended. `stall` is how long the client may read nothing; zero: forever.
pub(super) async fn guard<S: 'static>(
    link: Rc<Link<S>>,
    stall: Duration,
    mut permit: Option<Permit>,
    mut gone: oneshot::Receiver<()>,
    path: String,
) {
    let mut since = Instant::now();
    loop {
        // None: forever, or longer than the clock can represent.
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
                // An error: the sender is dropped with the body.
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
            // `Streams` drains the runs itself. A stream without known runs continues to its end.
            Event::Phase(Phase::Open | Phase::Closed | Phase::Draining) => {}
            Event::Phase(Phase::Stopped) => {
                link.cut_off(Cut::Stopped);
                break;
            }
            Event::Time => match link.blocked.get() {
                Some(blocked) if blocked.elapsed() >= stall => {
                    log::warn!("{}: the client read nothing for {stall:?}; its stream was cut off", short(&path));
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
    // A permit stands for worker threads, which may be in the middle of an item.
    if permit.is_some() {
        for run in &link.runs {
            // The only error is a call on one of those threads, which this is not.
            let _ = run.workers_stopped().await;
        }
    }
}
