//! Channels that are dropped in any state of a pool: their items leave the admission queue, and no other items.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use proptest::prelude::*;

use crate::engine::run::Core;
use crate::pool::channel::{PoolSink, PoolStream};
use crate::pool::queue::Queue;
use crate::pool::request::{Admitted, Answered, Request};
use crate::pool::submission::Submission;
use crate::pool::{Pool, SubmitError};
use crate::protocol::{BatchSize, Protocol};

const CHANNELS: usize = 3;

/// An item is the number of its channel. The reference count is the number of items that are left.
type Item = Arc<usize>;

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit,
    /// A submission is dropped.
    DropSubmission(usize),
    /// At most this number of items are fed into a channel, while it is ready.
    Feed(usize, usize),
    /// A result is taken from a channel.
    Take(usize),
    /// The stream of a channel is dropped.
    DropStream(usize),
    /// A worker takes the next item.
    Begin,
    /// One of the running items ends.
    End(usize),
    Drain,
    /// The queued items are removed, as by a shutdown at its deadline.
    TakeQueued,
    Stop,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Submit),
        4 => any::<usize>().prop_map(Step::DropSubmission),
        12 => (0..CHANNELS, prop_oneof![1usize..4, Just(300)]).prop_map(|(channel, items)| Step::Feed(channel, items)),
        3 => (0..CHANNELS).prop_map(Step::Take),
        2 => (0..CHANNELS).prop_map(Step::DropStream),
        6 => Just(Step::Begin),
        4 => any::<usize>().prop_map(Step::End),
        1 => Just(Step::Drain),
        1 => Just(Step::TakeQueued),
        1 => Just(Step::Stop),
    ];
    prop::collection::vec(step, 0..80)
}

struct Channel {
    sink: PoolSink<Item, ()>,
    stream: Option<PoolStream<Item, ()>>,
    item: Item,
}

/// A pool without worker threads: the steps take and end items.
struct World {
    queue: Arc<Queue<Item, ()>>,
    pool: Pool<Item, ()>,
    channels: Vec<Channel>,
    submitted: Item,
    submissions: Vec<Submission<Item, ()>>,
    running: Vec<Admitted<Item, ()>>,
}

impl World {
    fn new(window: usize) -> Self {
        let protocol = Protocol::new(1, window, BatchSize::Fixed(1), 8);
        let queue = Queue::new(Core::new(protocol, 1, None));
        let pool = Pool::new(&queue);
        let channels = (0..CHANNELS).map(|channel| {
            let (sink, stream) = pool.channel();
            Channel { sink, stream: Some(stream), item: Arc::new(channel) }
        });
        let channels = channels.collect();
        let submitted = Arc::new(CHANNELS);
        Self { queue, pool, channels, submitted, submissions: Vec::new(), running: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Submit => self.submissions.push(self.pool.submit(Arc::clone(&self.submitted))),
            Step::DropSubmission(which) if !self.submissions.is_empty() => {
                drop(self.submissions.swap_remove(which % self.submissions.len()));
            }
            Step::Feed(channel, items) => {
                let Channel { sink, item, .. } = &mut self.channels[channel];
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..items {
                    let Poll::Ready(Ok(())) = sink.poll_ready_unpin(&mut cx) else { break };
                    match sink.start_send_unpin(Arc::clone(item)) {
                        Ok(()) => {}
                        Err(SubmitError::Closed(_)) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Step::Take(channel) => {
                if let Some(stream) = &mut self.channels[channel].stream {
                    stream.next().now_or_never();
                }
            }
            Step::DropStream(channel) => self.drop_stream(channel),
            Step::Begin if self.pool.stats().queued > 0 => self.running.extend(self.queue.next()),
            Step::End(which) if !self.running.is_empty() => {
                let which = which % self.running.len();
                end(self.running.swap_remove(which));
            }
            Step::Drain => self.pool.drain(),
            Step::TakeQueued if self.pool.is_closed() => drop(self.queue.take_queued()),
            Step::Stop => self.pool.stop(),
            Step::DropSubmission(_) | Step::Begin | Step::End(_) | Step::TakeQueued => {}
        }
    }

    fn drop_stream(&mut self, channel: usize) {
        let Some(stream) = self.channels[channel].stream.take() else { return };
        let counts = |world: &Self| {
            let items = world.channels.iter().map(|channel| &channel.item).chain([&world.submitted]);
            items.map(Arc::strong_count).collect::<Vec<_>>()
        };
        let mut expected = counts(self);
        let run = self.running.iter().filter(|running| *running.request.item == channel).count();
        expected[channel] = 1 + run;
        drop(stream);
        assert_eq!(counts(self), expected, "the items of channel {channel} that don't run were dropped, and no others");
    }

    fn finish(mut self) {
        (0..CHANNELS).for_each(|channel| self.drop_stream(channel));
        self.submissions.clear();
        self.running.drain(..).for_each(end);
        let stats = self.pool.stats();
        assert_eq!((stats.in_flight, stats.queued, stats.waiting), (0, 0, 0), "{stats:?}");
        assert_eq!((stats.taken, stats.failed), (stats.accounted(), 0), "{stats:?}");
    }
}

fn end(admitted: Admitted<Item, ()>) {
    let Admitted { request: Request { item, reply, .. }, mut permit, .. } = admitted;
    drop(item);
    permit.record(1, 0, 1, Duration::ZERO);
    Answered::new(reply, Ok(()), Some(permit)).send();
}

proptest! {
    #[test]
    fn a_dropped_stream_drops_all_its_items_and_no_others(
        window in prop_oneof![1usize..12, Just(1_000)],
        steps in steps(),
    ) {
        let mut world = World::new(window);
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
    }
}
