//! Windows, pools, items and results of extreme sizes.

use actix_fan::FanOutExt;
use futures::StreamExt;

use crate::support::{DropCounter, assert_settled, run, settle, with_large_stacks};

const MIB: usize = 1024 * 1024;

#[test]
fn zero_sized_items_and_results_pass_at_every_window_and_number_of_workers() {
    for (workers, window) in [(1, 1), (1, usize::MAX), (16, 1), (16, usize::MAX)] {
        for ordered in [false, true] {
            run(async move {
                let mut builder = std::iter::repeat_n((), 2000).fan_out().workers(workers).window(window);
                if ordered {
                    builder = builder.ordered();
                }
                let mut results = builder.map(|()| ()).unwrap();
                let mut got = 0;
                while let Some(result) = results.next().await {
                    result.unwrap();
                    got += 1;
                    assert!(results.stats().in_flight <= window);
                }
                let stats = results.finished().await.unwrap();
                assert_settled(&stats);
                assert_eq!((got, stats.completed), (2000, 2000));
            });
        }
    }
}

#[test]
fn no_more_large_items_and_results_are_alive_than_the_window_allows() {
    for (workers, window, ordered) in [(1, 1, false), (1, 4, true), (3, 5, false), (3, 1, true)] {
        run(async move {
            let (items, results) = (DropCounter::new(), DropCounter::new());
            let (arrive, leave) = (items.clone(), results.clone());
            let source = (0..60u8).map(move |n| (arrive.track(), vec![n; MIB]));
            let mut builder = source.fan_out().workers(workers).window(window);
            if ordered {
                builder = builder.ordered();
            }
            let mut stream =
                builder.map(move |(_item, bytes): (_, Vec<u8>)| (leave.track(), vec![bytes[MIB - 1]; MIB])).unwrap();
            let (mut sum, mut got) = (0, 0);
            while let Some(result) = stream.next().await {
                let (_result, bytes) = result.unwrap();
                sum += u64::from(bytes[MIB - 1]);
                got += 1;
                if got == 20 {
                    // A pause, in which the window fills.
                    settle().await;
                }
                assert!(stream.stats().in_flight <= window);
            }
            assert_eq!((got, sum), (60, 59 * 60 / 2));
            assert_settled(&stream.finished().await.unwrap());
            assert!(items.peak() <= window, "{} items", items.peak());
            // The consumer has one in its hand.
            assert!(results.peak() <= window + 1, "{} results", results.peak());
            assert_eq!((items.alive(), results.alive()), (0, 0));
        });
    }
}

#[test]
fn arrays_of_a_mebibyte_pass_by_value() {
    with_large_stacks(|| {
        run(async {
            let source = (0..20u8).map(|n| [n; MIB]);
            let mut results = source.fan_out().workers(2).window(3).ordered().map(|array| array).unwrap();
            for n in 0..20 {
                assert_eq!(results.next().await.unwrap().unwrap()[MIB - 1], n);
                assert!(results.stats().in_flight <= 3);
            }
            assert_settled(&results.finished().await.unwrap());
        });
    });
}
