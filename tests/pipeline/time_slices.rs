//! Time slices on the arbiter: tasks that are always ready let others run. Each step takes longer than a time slice, so
//! that no test depends on the speed of the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_fan::{FanOutExt, fan_in};
use futures::task::noop_waker;
use futures::{Stream, StreamExt, stream};
use tokio::task::JoinHandle;

use crate::support::{Count, run, settle};

/// Counts the steps between two runs of another task on the arbiter.
#[derive(Clone)]
pub(crate) struct SliceMeter(Arc<Steps>);

#[derive(Default)]
struct Steps {
    all: AtomicUsize,
    in_this_slice: AtomicUsize,
    most: AtomicUsize,
}

impl SliceMeter {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn step(&self) {
        self.0.all.fetch_add(1, SeqCst);
        let steps = self.0.in_this_slice.fetch_add(1, SeqCst) + 1;
        self.0.most.fetch_max(steps, SeqCst);
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.all.load(SeqCst)
    }

    /// The most steps in one time slice.
    pub(crate) fn most(&self) -> usize {
        self.0.most.load(SeqCst)
    }

    /// Starts another task on the arbiter. It runs whenever the runtime has polled timers and sockets; each run ends
    /// the time slice of the steps.
    pub(crate) fn count(&self) -> JoinHandle<()> {
        let steps = Arc::clone(&self.0);
        actix::spawn(async move {
            loop {
                steps.in_this_slice.store(0, SeqCst);
                tokio::task::yield_now().await;
            }
        })
    }
}

pub(crate) fn longer_than_a_slice() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(110) {
        std::hint::spin_loop();
    }
}

/// Polls a stream that has `steps` items ready; returns how often it yielded nevertheless.
fn yields<S: Stream + Unpin>(mut stream: S, steps: usize) -> usize {
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let (mut got, mut yields) = (0, 0);
    while got < steps {
        match stream.poll_next_unpin(&mut cx) {
            Poll::Ready(Some(_)) => got += 1,
            Poll::Ready(None) => panic!("it ended"),
            Poll::Pending => yields += 1,
        }
        longer_than_a_slice();
    }
    yields
}

#[test]
fn a_consumer_of_a_ready_chunk_still_yields() {
    run(async {
        let done = Count::new();
        let count = done.clone();
        let results = (0..300u64).fan_out().workers(1).batch(300).map(move |_| count.add()).unwrap();
        done.reached(300).await;
        results.stop_handle().workers_stopped().await;
        settle().await;
        let yields = yields(results, 300);
        assert!(yields >= 10, "{yields} yields in 300 long steps");
    });
}

#[test]
fn a_consumer_of_ready_merged_streams_still_yields() {
    let yields = yields(fan_in([stream::repeat(0u8)]), 300);
    assert!(yields >= 10, "{yields} yields in 300 long steps");
}

/// An endless stream of steps that take longer than a time slice.
fn long_steps(meter: &SliceMeter) -> impl Stream<Item = ()> + Unpin + use<> {
    let meter = meter.clone();
    stream::repeat_with(move || {
        meter.step();
        longer_than_a_slice();
    })
}

#[test]
fn a_merged_stream_of_slow_parts_yields_after_each_item() {
    run(async {
        let meter = SliceMeter::new();
        let other = meter.count();
        let merged = fan_in([long_steps(&meter), long_steps(&meter)]);
        assert_eq!(merged.take(200).count().await, 200);
        assert!(meter.most() <= 2, "{} long items in one time slice", meter.most());
        other.abort();
    });
}

#[test]
fn a_ready_source_yields_within_a_batch() {
    const ITEMS: usize = 600;
    run(async {
        let meter = SliceMeter::new();
        let taken = meter.clone();
        let source = (0..ITEMS).inspect(move |_| {
            taken.step();
            longer_than_a_slice();
        });
        let other = meter.count();
        let results = source.fan_out().workers(1).batch(ITEMS).window(ITEMS).map(|n| n).unwrap();
        assert_eq!(results.count().await, ITEMS);
        // Two, where the other task runs first in one round of the runtime and last in the next.
        assert!(meter.most() <= 2, "{} long items in one time slice", meter.most());
        other.abort();
    });
}
