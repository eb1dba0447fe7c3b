use actix_fan::FanOutExt;
use futures::StreamExt;

use crate::counting_source::CountingSource;
use crate::support::{Count, Gate, run, settle};

#[test]
fn a_consumer_that_takes_nothing_stops_the_source_at_the_window() {
    for (workers, window, batch) in [(1, 1, 1), (2, 1, 1), (3, 10, 4), (2, 64, 1)] {
        run(async move {
            let (source, done) = (CountingSource::new(), Count::new());
            let count = done.clone();
            let builder = source.clone().fan_out().workers(workers).window(window).batch(batch);
            let mut results = builder
                .map(move |n| {
                    count.add();
                    n
                })
                .unwrap();
            done.reached(window as u64).await;
            settle().await;
            assert_eq!(source.taken(), window as u64);
            assert_eq!(results.stats().in_flight, window);
            for _ in 0..1000 {
                results.next().await.unwrap().unwrap();
                let stats = results.stats();
                assert!(stats.in_flight <= window, "{stats:?}");
                assert!(source.taken() - stats.emitted <= window as u64, "{stats:?}");
            }
        });
    }
}

#[test]
fn results_held_back_for_order_count_against_the_window() {
    run(async {
        let (source, done, gate) = (CountingSource::new(), Count::new(), Gate::new());
        let (count, first) = (done.clone(), gate.clone());
        let mut results = source
            .clone()
            .fan_out()
            .workers(2)
            .window(8)
            .batch(1)
            .ordered()
            .map(move |n| {
                if n == 0 {
                    first.pass();
                }
                count.add();
                n
            })
            .unwrap();
        done.reached(7).await;
        settle().await;
        assert_eq!(source.taken(), 8, "item 0 runs, seven wait for it");
        gate.open();
        for n in 0..100 {
            assert_eq!(results.next().await.unwrap().unwrap(), n);
        }
    });
}

#[test]
fn before_a_measurement_each_worker_gets_one_item() {
    run(async {
        let (source, gate) = (CountingSource::new(), Gate::new());
        let pass = gate.clone();
        let mut results = source.clone().fan_out().workers(3).map(move |_| pass.pass()).unwrap();
        gate.arrived(3).await;
        settle().await;
        assert_eq!(source.taken(), 3, "before the first measurement nothing waits in the queue");
        gate.let_through(1);
        results.next().await.unwrap().unwrap();
        gate.arrived(4).await;
        gate.open();
    });
}

#[test]
fn a_window_of_usize_max_is_allowed() {
    run(async {
        let results = (0..1000u32).fan_out().workers(2).window(usize::MAX).map(|n| n).unwrap();
        assert_eq!(results.count().await, 1000);
    });
}

#[test]
fn items_without_size_and_large_items_pass() {
    run(async {
        let units = std::iter::repeat_n((), 5000).fan_out().workers(2).map(|unit| unit).unwrap();
        assert_eq!(units.count().await, 5000);
        let large = (0..40u8).fan_out().workers(2).map(|n| [n; 65_536]).unwrap();
        assert_eq!(large.map(|large| u64::from(large.unwrap()[65_535])).fold(0, async |a, b| a + b).await, 780);
    });
}

#[test]
fn items_without_results_need_no_consumer() {
    run(async {
        let done = Count::new();
        let count = done.clone();
        let mut results = (0..100u64)
            .fan_out()
            .workers(2)
            .window(4)
            .batch(1)
            .filter_map(move |_| {
                count.add();
                None::<u64>
            })
            .unwrap();
        done.reached(100).await;
        assert!(results.next_chunk().await.is_none(), "not even an empty chunk comes");
    });
}
