//! The consumers of a pipeline's results, and how each ends the pipeline.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use actix::prelude::*;
use actix_fan::{FanIn, ItemError, PipelineError, Stats, Stop, StopHandle};
use futures::StreamExt;

use crate::draw::Draw;
use crate::receipts::Receipts;
use crate::round::{Round, accounted, ensure, eventually};
use crate::token::Made;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Consumer {
    All,
    Chunks,
    /// Delivers them to an actor.
    Deliver,
    /// Delivers them to an actor that stops after this number of them.
    DeliverAndStop(u64),
    /// Drops the stream after this number of them.
    Drop(u64),
    Now(u64),
    NowByMessage(u64),
    /// Stops it from another thread, some time after the start.
    NowFromThread(Duration),
    Drain(u64),
    DrainByMessage(u64),
    DrainThenNow(u64),
    /// Stops polling for some time after this number of them, and takes the rest.
    Stall(u64, Duration),
    /// Stops polling for some time after this number of them, and drops the stream.
    StallAndDrop(u64, Duration),
    /// Takes none, and awaits the end.
    Finish,
}

/// How a pipeline ended, which determines the results that must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Those of all items of the source.
    Complete,
    /// Those of all items taken from the source.
    Drained,
    /// Any.
    Stopped,
}

pub(crate) struct End {
    pub(crate) how: How,
    pub(crate) stats: Stats,
    pub(crate) error: Option<PipelineError>,
}

/// A result on its way to an actor.
#[derive(Message)]
#[rtype(result = "()")]
struct Delivered(Result<Made, ItemError>);

impl From<Result<Made, ItemError>> for Delivered {
    fn from(mut result: Result<Made, ItemError>) -> Self {
        // The test drops it from here on, so its drop must not panic.
        if let Ok(made) = &mut result {
            made.token.defuse();
        }
        Self(result)
    }
}

struct Collector {
    receipts: Rc<RefCell<Taken>>,
    stop_after: Option<u64>,
}

impl Actor for Collector {
    type Context = Context<Self>;
}

impl Handler<Delivered> for Collector {
    type Result = ();

    fn handle(&mut self, Delivered(result): Delivered, ctx: &mut Context<Self>) {
        let mut taken = self.receipts.borrow_mut();
        taken.take(result);
        if self.stop_after.is_some_and(|stop| taken.results >= stop) {
            ctx.stop();
        }
    }
}

/// The results taken so far.
struct Taken {
    receipts: Receipts,
    results: u64,
    lost: Option<PipelineError>,
    breach: Option<String>,
}

impl Taken {
    fn take(&mut self, result: Result<Made, ItemError>) {
        self.results += 1;
        let outcome = match &result {
            _ if self.lost.is_some() => Err("a result came after the pipeline's error".to_owned()),
            Err(error) if error.pipeline_error().is_some() => {
                self.lost = error.pipeline_error().cloned();
                Ok(())
            }
            _ => self.receipts.take(result),
        };
        if let Err(text) = outcome {
            self.breach.get_or_insert(text);
        }
    }
}

impl Consumer {
    pub(crate) fn draw(draw: &mut Draw, items: u64) -> Self {
        let some = draw.below(items + 1);
        let soon = draw.up_to(Duration::from_millis(20));
        match draw.below(20) {
            0..=4 => Self::All,
            5 | 6 => Self::Chunks,
            7 => Self::Deliver,
            8 => Self::DeliverAndStop(some),
            9 | 10 => Self::Drop(some),
            11 => Self::Now(some),
            12 => Self::NowByMessage(some),
            13 => Self::NowFromThread(soon),
            14 => Self::Drain(some),
            15 => Self::DrainByMessage(some),
            16 => Self::DrainThenNow(some),
            17 => Self::Stall(some, soon),
            18 => Self::StallAndDrop(some, soon),
            _ => Self::Finish,
        }
    }

    /// The number of results after which it acts.
    fn after(self) -> Option<u64> {
        match self {
            Self::Drop(after)
            | Self::Now(after)
            | Self::NowByMessage(after)
            | Self::Drain(after)
            | Self::DrainByMessage(after)
            | Self::DrainThenNow(after)
            | Self::Stall(after, _)
            | Self::StallAndDrop(after, _) => Some(after),
            _ => None,
        }
    }

    /// Takes the results of `stream`. Drains are called on `head`, the first stage of a chain.
    pub(crate) async fn consume(
        self,
        round: &Round,
        mut stream: FanIn<Made>,
        head: &StopHandle,
        window: Option<usize>,
        receipts: Receipts,
    ) -> Result<(End, Receipts), String> {
        let tail = stream.stop_handle();
        let taken = Rc::new(RefCell::new(Taken { receipts, results: 0, lost: None, breach: None }));
        let mut how = How::Complete;
        let (mut exact, mut dropped) = (true, false);
        let finished = match self {
            Self::Deliver | Self::DeliverAndStop(_) => {
                let stop_after = match self {
                    Self::DeliverAndStop(after) => Some(after),
                    _ => None,
                };
                let collector = Collector { receipts: Rc::clone(&taken), stop_after }.start();
                let finished = stream.deliver_to(collector.recipient::<Delivered>()).await;
                if matches!(finished, Err(PipelineError::RecipientGone)) {
                    round.stopped("recipient gone");
                    (how, exact) = (How::Stopped, false);
                }
                finished
            }
            Self::Finish => {
                exact = false;
                stream.finished().await
            }
            Self::Chunks => {
                while let Some(chunk) = stream.next_chunk().await {
                    chunk.for_each(|result| taken.borrow_mut().take(result));
                }
                stream.finished().await
            }
            _ => {
                let stopper = match self {
                    Self::NowFromThread(after) => {
                        let tail = tail.clone();
                        let stop = move || {
                            thread::sleep(after);
                            tail.stop();
                        };
                        Some(thread::spawn(stop))
                    }
                    _ => None,
                };
                loop {
                    if self.after() == Some(taken.borrow().results) && how == How::Complete {
                        dropped = self.act(round, &stream, head, &mut how).await;
                        if dropped {
                            break;
                        }
                    }
                    let Some(result) = stream.next().await else { break };
                    taken.borrow_mut().take(result);
                    if taken.borrow().results % 64 == 1 {
                        within(&stream.stats(), window)?;
                    }
                }
                if let Some(stopper) = stopper {
                    round.stopped("now, from a thread");
                    how = How::Stopped;
                    stopper.join().map_err(|_| "the stop panicked".to_owned())?;
                }
                if dropped {
                    exact = false;
                    drop(stream);
                    tail.workers_stopped().await;
                    let settled = eventually(|| tail.stats().in_flight == 0).await;
                    ensure(settled, || format!("in flight after a drop: {:?}", tail.stats()))?;
                    Ok(tail.stats())
                } else {
                    stream.finished().await
                }
            }
        };
        let error = finished.as_ref().err().cloned();
        let stats = finished.unwrap_or_else(|_| tail.stats());
        // The actor is dropped some time after the last of its addresses.
        ensure(eventually(|| Rc::strong_count(&taken) == 1).await, || "the collector doesn't stop".to_owned())?;
        let taken = Rc::into_inner(taken).ok_or("the collector is still there")?.into_inner();
        if let Some(text) = taken.breach {
            return Err(text);
        }
        // A stream that was dropped may have yielded an error before; `finished` was not called then.
        ensure(dropped || taken.lost.is_none() || taken.lost == error, || {
            format!("the stream ended with {:?}, and `finished` with {error:?}", taken.lost)
        })?;
        ensure(!exact || stats.emitted == taken.receipts.values, || {
            format!("{} results came, of {stats:?}", taken.receipts.values)
        })?;
        if matches!(self, Self::Finish) {
            how = How::Stopped;
        }
        Ok((End { how, stats, error }, taken.receipts))
    }

    /// Acts. Returns true if the stream is to be dropped.
    async fn act(self, round: &Round, stream: &FanIn<Made>, head: &StopHandle, how: &mut How) -> bool {
        let by_message = async |stop| {
            // The actor of a pipeline that has ended may be gone.
            let _ = stream.generator().send(stop).await;
        };
        let (name, ends) = match self {
            Self::Drop(_) => ("stream dropped", How::Stopped),
            Self::Now(_) => ("now", How::Stopped),
            Self::NowByMessage(_) => ("now, by message", How::Stopped),
            Self::Drain(_) => ("drain", How::Drained),
            Self::DrainByMessage(_) => ("drain, by message", How::Stopped),
            Self::DrainThenNow(_) => ("drain, then now", How::Stopped),
            Self::StallAndDrop(..) => ("stalled, then dropped", How::Stopped),
            _ => ("stalled", How::Complete),
        };
        round.stopped(name);
        *how = ends;
        match self {
            Self::Now(_) => stream.stop(),
            Self::NowByMessage(_) => by_message(Stop::Now).await,
            Self::Drain(_) => head.drain(),
            Self::DrainByMessage(_) => by_message(Stop::Drain).await,
            Self::DrainThenNow(_) => {
                head.drain();
                tokio::task::yield_now().await;
                stream.stop();
            }
            Self::Stall(_, time) | Self::StallAndDrop(_, time) => actix::clock::sleep(time).await,
            _ => {}
        }
        matches!(self, Self::Drop(_) | Self::StallAndDrop(..))
    }
}

fn within(stats: &Stats, window: Option<usize>) -> Result<(), String> {
    accounted(stats)?;
    ensure(window.is_none_or(|window| stats.in_flight <= window), || format!("more than the window: {stats:?}"))
}
