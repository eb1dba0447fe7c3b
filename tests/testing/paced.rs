//! `paced` streams.

use actix_fan::FanOutExt;
use actix_fan::testing::paced;
use futures::{FutureExt, StreamExt, stream};

use crate::run::{run, settle};

#[test]
fn a_paced_stream_yields_as_many_items_as_allowed_and_then_its_end() {
    let (mut slow, pace) = paced(stream::iter(0..2));
    assert_eq!(slow.next().now_or_never(), None);
    pace.allow(1);
    assert_eq!(slow.next().now_or_never(), Some(Some(0)));
    assert_eq!(slow.next().now_or_never(), None);
    pace.allow(usize::MAX);
    pace.allow(usize::MAX);
    assert_eq!(slow.next().now_or_never(), Some(Some(1)));
    assert_eq!(slow.next().now_or_never(), Some(None));
    assert_eq!((slow.get_mut().next().now_or_never(), slow.into_inner().count().now_or_never()), (Some(None), Some(0)));
}

#[test]
fn a_pending_item_uses_no_allowance() {
    let (mut never, pace) = paced(stream::pending::<u32>());
    pace.allow(1);
    assert_eq!(never.next().now_or_never(), None);
    assert!(format!("{pace:?}").contains("left: 1"), "{pace:?}");
}

#[test]
fn a_paced_consumer_keeps_the_pipeline_within_its_window() {
    run(async {
        let same = (0u32..).fan_out().workers(2).window(6).batch(1).map(|n| n).unwrap();
        let handle = same.stop_handle();
        let (mut slow, pace) = paced(same);
        let waiting = actix::spawn(async move { slow.next().await });
        settle().await;
        assert_eq!(handle.stats().emitted, 0);
        pace.allow(1);
        assert!(waiting.await.unwrap().is_some());
        assert!(handle.stats().taken <= 7);
    });
}
