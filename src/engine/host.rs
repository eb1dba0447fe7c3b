//! Where a pipeline or a pool lives: its System and its arbiter, and whether these still run.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::clock::sleep;
use actix::{Arbiter, System};
use tokio::runtime::Handle;

use crate::engine::state::Control;
use crate::error::{PipelineError, StartError};
use crate::protocol::Phase;
use crate::util::panic::catch;

/// How soon a pipeline notices that its System was stopped while the event loop goes on, as inside `block_on`. A stop that
/// ends the event loop is noticed at once.
const LOOK: Duration = Duration::from_millis(100);

/// The System, and the arbiter on which the actors of a pipeline live, or the first one of a pool's System.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    system: System,
    arbiter: actix::ArbiterHandle,
}

impl Host {
    /// The arbiter of this thread, on which actors can be started.
    ///
    /// actix panics where there is no System, and starts actors into the void where it was stopped.
    pub(crate) fn of_actors() -> Result<Self, StartError> {
        let (Some(system), Some(arbiter)) = (System::try_current(), Arbiter::try_current()) else {
            return Err(StartError::NoSystem);
        };
        // Outside of `block_on` the arbiter's thread has no runtime to spawn on.
        Handle::try_current().map_err(|_| StartError::NoSystem)?;
        let host = Self { system, arbiter };
        if !host.is_running() {
            return Err(StartError::SystemStopped);
        }
        // The runtime may be another one, entered on the arbiter's thread, where actors can't be spawned.
        catch(|| drop(actix::spawn(async {}))).map_err(|_| StartError::NoSystem)?;
        Ok(host)
    }

    /// The System that this thread belongs to, whether its loop runs already or not.
    pub(crate) fn of_thread() -> Result<Self, StartError> {
        let system = System::try_current().ok_or(StartError::NoSystem)?;
        let arbiter = system.arbiter().clone();
        let host = Self { system, arbiter };
        if host.is_running() { Ok(host) } else { Err(StartError::SystemStopped) }
    }

    pub(crate) fn system(&self) -> &System {
        &self.system
    }

    /// Returns true if neither the System nor the arbiter was stopped or dropped.
    ///
    /// A System that was told to stop goes on until its controller has passed the word on to the arbiters.
    pub(crate) fn is_running(&self) -> bool {
        // The workers' queue is served on the System's first arbiter, the actors live on the other one.
        self.system.arbiter().spawn_fn(|| ()) && self.arbiter.spawn_fn(|| ())
    }
}

thread_local! {
    /// The pipelines of this arbiter, while a task looks after them.
    static WATCHED: RefCell<Option<Vec<Weak<Control>>>> = const { RefCell::new(None) };
}

/// Ends the pipeline when the System of this thread stops, though the event loop goes on and with it the actors.
///
/// actix tells no task that its System was stopped, so one task for each arbiter asks now and then, as long as there are
/// pipelines on it.
pub(crate) fn watch(control: &Arc<Control>, host: &Host) {
    let first = WATCHED.with_borrow_mut(|watched| {
        let first = watched.is_none();
        watched.get_or_insert_default().push(Arc::downgrade(control));
        first
    });
    if first {
        let (host, watching) = (host.clone(), Watching);
        actix::spawn(async move {
            let _watching = watching;
            while host.is_running() {
                sleep(LOOK).await;
                if !any_left() {
                    return;
                }
            }
            for control in WATCHED.take().into_iter().flatten().filter_map(|control| control.upgrade()) {
                // One that drains comes to its end by itself, since the loop goes on.
                if control.is_running() {
                    control.fail(PipelineError::SystemStopped, Phase::Stopped);
                }
            }
        });
    }
}

/// Forgets the pipelines that have ended; returns true if there are others.
fn any_left() -> bool {
    WATCHED.with_borrow_mut(|watched| {
        let watched = watched.get_or_insert_default();
        watched.retain(|control| control.upgrade().is_some_and(|control| control.is_running()));
        !watched.is_empty()
    })
}

/// Ends the watch, also where the task is dropped with its arbiter: the thread may have another one later.
struct Watching;

impl Drop for Watching {
    fn drop(&mut self) {
        WATCHED.take();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use futures::executor::block_on;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::engine::permit::Ticket;
    use crate::engine::state::Intake;
    use crate::pipeline::aggregator::Aggregator;
    use crate::pipeline::feed::Feeds;
    use crate::pipeline::generator::Generator;
    use crate::pipeline::receiver::Tail;
    use crate::protocol::{BatchSize, Protocol};
    use crate::util::time_slice::Slice;

    fn control(host: &Host) -> Arc<Control> {
        Arc::new(Control::new(Protocol::new(1, 8, BatchSize::Fixed(1), 8), 0, Intake::source()).on(host))
    }

    struct Nothing;
    impl Feeds for Nothing {
        fn poll(&mut self, _: &Arc<Control>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }

    /// What the pipeline ended with when a part of it was dropped, while the System goes on and after it was stopped.
    fn error_of(lose: impl Fn(&Arc<Control>)) -> [PipelineError; 2] {
        System::new().block_on(async {
            let error = |control: Arc<Control>| {
                lose(&control);
                assert!(control.is_stopped());
                control.error().unwrap().clone()
            };
            let host = Host::of_actors().unwrap();
            let alone = error(control(&host));
            System::current().stop();
            while host.is_running() {
                tokio::task::yield_now().await;
            }
            [alone, error(control(&host))]
        })
    }

    #[test]
    fn a_part_that_is_lost_is_named_and_is_not_taken_for_the_end_of_the_system() {
        let lost = |actor| [PipelineError::ActorLost { actor }, PipelineError::SystemStopped];
        let generator = |control: &Arc<Control>| drop(Generator::new(control, Nothing));
        assert_eq!(error_of(generator), lost("the generator"));
        let aggregator = |control: &Arc<Control>| {
            drop(Aggregator::<u8>::new(control, unbounded_channel().0, false, Slice::new(Duration::MAX)))
        };
        assert_eq!(error_of(aggregator), lost("the aggregator"));
        let stream = |control: &Arc<Control>| {
            let mut tail = Tail::<u8>::new(Arc::clone(control), unbounded_channel().1, Slice::new(Duration::MAX));
            block_on(tail.dry());
        };
        assert_eq!(error_of(stream), lost("the aggregator"));
        let batch = |control: &Arc<Control>| drop(Ticket::hand_out(control, 3));
        assert_eq!(error_of(batch), lost("the worker pool"));
    }
}
