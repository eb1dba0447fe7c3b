use std::time::Duration;

use actix_fan::ItemError;
use actix_fan::web::{events, ndjson};
use actix_web::web::get;
use futures::{StreamExt, stream};

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::run;

const SHORT: Duration = Duration::from_millis(5);

fn quiet() -> stream::Pending<Result<u32, ItemError>> {
    stream::pending()
}

#[test]
fn a_quiet_stream_of_events_is_kept_alive_by_comments() {
    run(async {
        let server = serve(Closed::Half, |app| {
            let results = || stream::iter([Ok(7u32)]).chain(quiet());
            app.route("/", get().to(move || async move { events(results()).heartbeat(SHORT) }));
        });
        let mut client = Client::ask(server, "/").await;
        client.head().await;
        assert_eq!(client.chunk().await.unwrap(), "id: 0\ndata: 7\n\n");
        for _ in 0..3 {
            assert_eq!(client.chunk().await.unwrap(), ":\n\n");
        }
    });
}

#[test]
fn a_quiet_stream_of_lines_is_kept_alive_by_empty_lines_on_request() {
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/", get().to(async || ndjson(quiet()).heartbeat(SHORT)));
        });
        let mut client = Client::ask(server, "/").await;
        client.head().await;
        for _ in 0..3 {
            assert_eq!(client.chunk().await.unwrap(), "\n");
        }
    });
}
