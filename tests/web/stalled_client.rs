//! Clients that stay connected and read nothing.

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_fan::web::{Streams, events, ndjson_with};
use actix_fan::{FanOutExt, ItemError};
use actix_web::web::get;
use futures::{StreamExt, stream};

use crate::client::Client;
use crate::server::{Closed, Started, serve};
use crate::support::{assert_settled, run};

const SHORT: Duration = Duration::from_millis(5);

fn long(_: &u64, line: &mut Vec<u8>) -> io::Result<()> {
    line.resize(line.len() + 64 * 1024, b'0');
    Ok(())
}

#[test]
fn a_client_that_reads_nothing_stops_its_pipeline_and_its_answer_is_broken_off() {
    run(async {
        let (streams, started) = (Streams::new(1), Started::default());
        let (shared, told) = (streams.clone(), Arc::clone(&started));
        let server = serve(Closed::Half, move |app| {
            let (streams, told) = (shared.clone(), Arc::clone(&told));
            let handler = move || {
                let permit = streams.permit().unwrap();
                let numbers = (0u64..).fan_out().map(|n| n).unwrap();
                *told.lock().unwrap() = Some(numbers.stop_handle());
                ready(ndjson_with(numbers, long).permit(permit).stall_timeout(SHORT))
            };
            app.route("/", get().to(handler));
        });
        let mut client = Client::ask(server, "/").await;
        client.head().await;
        let stop = started.lock().unwrap().take().unwrap();
        stop.finished().await.unwrap();
        assert!(stop.is_stopped());
        assert_settled(&stop.stats());
        // The connection is still there, and holds no permit.
        streams.finished().await;
        assert_eq!(streams.stats().stalled, 1);
        let rest = client.rest().await;
        assert!(!rest.ends_with("0\r\n\r\n") && !rest.contains("end"));
    });
}

#[test]
fn a_quiet_stream_is_not_taken_for_a_stalled_client() {
    run(async {
        let (quiet_streams, stalled_streams) = (Streams::new(1), Streams::new(1));
        let shared = (quiet_streams.clone(), stalled_streams.clone());
        let server = serve(Closed::Half, move |app| {
            let (for_quiet, for_stalled) = shared.clone();
            let quiet = move || {
                let permit = for_quiet.permit().unwrap();
                let results = stream::iter([Ok(7u64)]).chain(stream::pending::<Result<u64, ItemError>>());
                ready(events(results).heartbeat(Duration::ZERO).permit(permit).stall_timeout(SHORT))
            };
            let stalled = move || {
                let permit = for_stalled.permit().unwrap();
                ready(ndjson_with(stream::repeat(7u64).map(Ok), long).permit(permit).stall_timeout(SHORT))
            };
            app.route("/quiet", get().to(quiet)).route("/stalled", get().to(stalled));
        });
        let mut quiet = Client::ask(server, "/quiet").await;
        quiet.head().await;
        quiet.chunk().await.unwrap();
        // Other streams stall one after the other meanwhile, which proves that the timeout has passed several times.
        for stalled in 1..=4 {
            let mut client = Client::ask(server, "/stalled").await;
            client.head().await;
            stalled_streams.finished().await;
            assert_eq!(stalled_streams.stats().stalled, stalled);
        }
        quiet_streams.stop();
        assert!(quiet.chunk().await.unwrap().contains(r#"{"end":"stopped","results":1,"failures":0}"#));
        assert_eq!(quiet_streams.stats().stalled, 0);
    });
}
