//! Notices that a System was stopped while its event loop goes on.

use std::cell::RefCell;
use std::time::Duration;

use actix::clock::sleep;

use crate::engine::host::Host;
use crate::engine::run::{Run, WeakRun};
use crate::error::PipelineError;
use crate::protocol::Phase;

/// How soon a pipeline notices that its System was stopped while the event loop goes on, as inside `block_on`. A stop
/// that ends the event loop is noticed at once.
const INTERVAL: Duration = Duration::from_millis(100);

thread_local! {
    /// The pipelines of this arbiter, while a task watches them.
    static WATCHED: RefCell<Option<Vec<WeakRun>>> = const { RefCell::new(None) };
}

/// Fails the run when the System of this thread is stopped, although its event loop, and so the run's actors, go on.
///
/// actix has no notification for that. So on each arbiter one task asks every 100 ms, as long as there are pipelines.
pub(crate) fn watch(run: &Run, host: &Host) {
    if host.system().is_none() {
        return;
    }
    let first = WATCHED.with_borrow_mut(|watched| {
        let first = watched.is_none();
        watched.get_or_insert_default().push(run.downgrade());
        first
    });
    if first {
        let (host, watching) = (host.clone(), Watching);
        actix::spawn(async move {
            let _watching = watching;
            while host.is_running() {
                sleep(INTERVAL).await;
                if !any_left() {
                    return;
                }
            }
            for run in WATCHED.take().into_iter().flatten().filter_map(|run| run.upgrade()) {
                // One that drains comes to its end by itself, since the loop goes on.
                if run.state.is_running() {
                    run.fail(PipelineError::SystemStopped, Phase::Stopped);
                }
            }
        });
    }
}

/// Forgets the pipelines that no longer run; returns true if there are others.
fn any_left() -> bool {
    WATCHED.with_borrow_mut(|watched| {
        let watched = watched.get_or_insert_default();
        watched.retain(|run| run.upgrade().is_some_and(|run| run.state.is_running()));
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

    use actix::System;
    use futures::executor::block_on;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::engine::permit::Permit;
    use crate::engine::run::Core;
    use crate::pipeline::aggregator::Aggregator;
    use crate::pipeline::feed::Feeds;
    use crate::pipeline::generator::Generator;
    use crate::pipeline::intake::SourceIntake;
    use crate::pipeline::receiver::Receiver;
    use crate::protocol::{BatchSize, Protocol};
    use crate::util::time_slice::TimeSlice;

    fn run(host: &Host) -> Run {
        let protocol = Protocol::new(1, 8, BatchSize::Fixed(1), 8);
        SourceIntake::new(Core::new(protocol, 0, Some(host.clone())), Vec::new()).run()
    }

    struct Nothing;
    impl Feeds for Nothing {
        fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }

    /// What the pipeline ended with when a part of it was dropped, while the System goes on and after it was stopped.
    fn error_of(lose: impl Fn(&Run)) -> [PipelineError; 2] {
        System::new().block_on(async {
            let error = |run: Run| {
                lose(&run);
                assert!(run.state.is_stopped());
                run.state.error().unwrap().clone()
            };
            let host = Host::of_actors().unwrap();
            let alone = error(run(&host));
            System::current().stop();
            while host.is_running() {
                tokio::task::yield_now().await;
            }
            [alone, error(run(&host))]
        })
    }

    #[test]
    fn a_part_that_is_lost_is_named_and_is_not_taken_for_the_end_of_the_system() {
        let lost = |actor| [PipelineError::ActorLost { actor }, PipelineError::SystemStopped];
        let generator = |run: &Run| drop(Generator::new(run, Nothing));
        assert_eq!(error_of(generator), lost("the generator"));
        let aggregator =
            |run: &Run| drop(Aggregator::<u8>::new(run, unbounded_channel().0, false, TimeSlice::new(Duration::MAX)));
        assert_eq!(error_of(aggregator), lost("the aggregator"));
        let stream = |run: &Run| {
            let mut receiver = Receiver::<u8>::new(run.clone(), unbounded_channel().1, TimeSlice::new(Duration::MAX));
            block_on(receiver.dry());
        };
        assert_eq!(error_of(stream), lost("the aggregator"));
        let batch = |run: &Run| drop(Permit::hand_out(run, 3));
        assert_eq!(error_of(batch), lost("a worker thread"));
    }
}
