//! Runs tests in a System.

use std::future::Future;
use std::time::Duration;

use actix::System;

/// Runs a test inside a System. One that hangs fails after a minute instead.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    System::new()
        .block_on(async { actix::clock::timeout(Duration::from_secs(60), test).await.expect("the test hangs") })
}

/// Lets the other tasks on this arbiter run until those that were ready have made their progress.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
