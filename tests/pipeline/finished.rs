//! `finished`, and the end of the stream.

use actix_fan::{FanOutExt, Job, work_fn};
use futures::{FutureExt, Stream, StreamExt};

use crate::support::{DropCounter, Gate, TrackedWork, assert_settled, run};

#[test]
fn finished_waits_for_every_worker_to_stop() {
    run(async {
        for items in [0, 1, 1000] {
            let counter = DropCounter::new();
            let tracker = counter.clone();
            let mut results = (0..items).fan_out().workers(3).with(move || TrackedWork::new(&tracker)).unwrap();
            assert_eq!(results.by_ref().count().await as u64, items);
            let stats = results.finished().await.unwrap();
            assert_eq!(counter.alive(), 0);
            assert_settled(&stats);
            assert_eq!(stats.elapsed, results.stats().elapsed, "the clock stands still");
        }
    });
}

#[test]
fn finished_drops_unread_results() {
    run(async {
        let mut results = (0..100_000u64).fan_out().workers(2).window(64).map(|n| n).unwrap();
        results.next().await.unwrap().unwrap();
        let stats = results.finished().await.unwrap();
        assert_eq!((stats.completed, stats.emitted), (100_000, 1));
        assert!(results.next().await.is_none());
    });
}

#[test]
fn finished_can_be_cancelled_and_called_again() {
    run(async {
        let gate = Gate::new();
        let pass = gate.clone();
        let mut results = (0..3u64).fan_out().workers(1).map(move |_| pass.pass()).unwrap();
        gate.arrived(1).await;
        assert!(results.finished().now_or_never().is_none());
        gate.open();
        assert_eq!(results.finished().await.unwrap().completed, 3);
    });
}

#[test]
fn the_stream_is_fused_and_its_size_hint_is_correct() {
    run(async {
        // Of one item, so that they leave together: a batch is smaller where the source's time slice is spent.
        let ten = || work_fn(|(), job: &mut Job<'_, u64>| Ok(job.emit_all(0..10)?));
        let mut results = [()].fan_out().workers(1).with(ten).unwrap();
        assert_eq!(results.size_hint(), (0, None));
        results.next().await;
        assert_eq!(results.size_hint(), (9, None));
        assert!(!futures::stream::FusedStream::is_terminated(&results));
        assert_eq!(results.by_ref().count().await, 9);
        assert_eq!(results.size_hint(), (0, Some(0)));
        assert!(futures::stream::FusedStream::is_terminated(&results));
        for _ in 0..3 {
            assert!(results.next().await.is_none());
        }
    });
}

#[test]
fn next_chunk_returns_at_most_one_batch() {
    run(async {
        let mut results = (0..10u64).fan_out().workers(1).batch(4).map(|n| n).unwrap();
        assert_eq!(results.next().await.unwrap().unwrap(), 0);
        let mut sizes = Vec::new();
        let mut got = Vec::new();
        while let Some(chunk) = results.next_chunk().await {
            sizes.push(chunk.len());
            got.extend(chunk.map(Result::unwrap));
        }
        // Fewer than four where the time slice of the source ended between two of them.
        assert!(sizes.iter().all(|size| (1..=4).contains(size)), "{sizes:?}");
        assert_eq!(got, (1..10).collect::<Vec<_>>());
        assert_eq!(results.finished().await.unwrap().emitted, 10);
    });
}

#[test]
fn finished_waits_until_the_closure_is_dropped() {
    struct Captured(Gate);
    impl Drop for Captured {
        fn drop(&mut self) {
            self.0.pass();
        }
    }
    let gate = Gate::new();
    let captured = Captured(gate.clone());
    run(async move {
        let mut results = (0..10u64)
            .fan_out()
            .workers(2)
            .map(move |n| {
                let _ = &captured;
                n
            })
            .unwrap();
        while results.next().await.is_some() {}
        gate.arrived(1).await;
        let early = results.finished().now_or_never().is_some();
        gate.open();
        assert!(!early, "finished returned while the closure is being dropped");
        results.finished().await.unwrap();
    });
}
