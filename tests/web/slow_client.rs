//! A client that reads slowly.

use std::io;

use actix_fan::FanOutExt;
use actix_fan::web::ndjson_with;
use actix_web::web::get;

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{DropCounter, Tracked, run};

const ITEMS: u64 = 1000;
const LINE: usize = 64 * 1024;
const WINDOW: usize = 8;
/// More lines than the sockets' buffers hold: the system's limit for sending is 4 MiB by default.
const UNDER_WAY: u64 = 300;

#[test]
fn a_slow_client_slows_the_pipeline_and_holds_no_more_results_than_the_window() {
    run(async {
        let counter = DropCounter::new();
        let all = counter.clone();
        let server = serve(Closed::Half, move |app| {
            let tracker = all.clone();
            let handler = move || {
                let tracker = tracker.clone();
                let results = (0..ITEMS).fan_out().window(WINDOW).map(move |_| tracker.track()).unwrap();
                let write = |_: &Tracked, line: &mut Vec<u8>| -> io::Result<()> {
                    line.resize(line.len() + LINE, b'0');
                    Ok(())
                };
                std::future::ready(ndjson_with(results, write))
            };
            app.route("/", get().to(handler));
        });
        let mut client = Client::ask(server, "/").await;
        client.head().await;
        let mut received = 0;
        while let Some(chunk) = client.chunk().await {
            received += chunk.lines().count() as u64;
            let made = counter.created() as u64;
            assert!(made <= received + UNDER_WAY, "{made} lines were made while {received} had arrived");
        }
        // The last line is the end's.
        received -= 1;
        assert_eq!((received, counter.created() as u64, counter.alive()), (ITEMS, ITEMS, 0));
        // Each worker and the writer have one in hand.
        assert!(counter.peak() <= WINDOW + 1, "{}", counter.peak());
    });
}
