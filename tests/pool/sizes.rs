//! Windows, pools, items and results of extreme sizes.

use actix_fan::pool;
use futures::future::join_all;
use futures::{SinkExt, StreamExt};

use crate::support::{DropCounter, assert_settled, run, with_large_stacks};

const MIB: usize = 1024 * 1024;

#[test]
fn zero_sized_items_and_results_pass_at_every_window_and_number_of_workers() {
    for (workers, window) in [(1, 1), (1, usize::MAX), (16, 1), (16, usize::MAX)] {
        run(async move {
            let pool = pool().workers(workers).window(window).map(|()| ()).unwrap();
            assert!(join_all((0..2000).map(|_| pool.submit(()))).await.iter().all(Result::is_ok));
            pool.drain();
            let stats = pool.finished().await.unwrap();
            assert_settled(&stats);
            assert_eq!((stats.completed, stats.waiting), (2000, 0));
        });
    }
}

#[test]
fn no_more_large_results_are_alive_than_the_window_allows() {
    for (workers, window) in [(1, 1), (1, 4), (3, 5)] {
        run(async move {
            let (items, results) = (DropCounter::new(), DropCounter::new());
            let leave = results.clone();
            let pool = pool()
                .workers(workers)
                .window(window)
                .map(move |(_item, bytes): (_, Vec<u8>)| (leave.track(), vec![bytes[MIB - 1]; MIB]));
            let pool = pool.unwrap();
            let (mut sink, mut stream) = pool.channel();
            let arrive = items.clone();
            let feeding = actix::spawn(async move {
                for n in 0..60u8 {
                    sink.send((arrive.track(), vec![n; MIB])).await.unwrap();
                }
            });
            let mut sum = 0;
            while let Some(result) = stream.next().await {
                sum += u64::from(result.unwrap().1[MIB - 1]);
                assert!(pool.stats().in_flight <= window);
            }
            feeding.await.unwrap();
            assert_eq!(sum, 59 * 60 / 2);
            pool.drain();
            assert_settled(&pool.finished().await.unwrap());
            // One more waits for a permit in the sink, and the consumer holds one.
            assert!(items.peak() <= window + 1, "{} items", items.peak());
            assert!(results.peak() <= window + 1, "{} results", results.peak());
            assert_eq!((items.alive(), results.alive()), (0, 0));
        });
    }
}

#[test]
fn arrays_of_a_mebibyte_pass_by_value() {
    with_large_stacks(|| {
        run(async {
            let pool = pool().workers(2).window(3).map(|array: [u8; MIB]| array).unwrap();
            for n in 0..20 {
                assert_eq!(pool.submit([n; MIB]).await.unwrap()[MIB - 1], n);
            }
            pool.drain();
            assert_settled(&pool.finished().await.unwrap());
        });
    });
}
