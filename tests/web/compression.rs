use std::io::Write;

use actix_fan::ItemError;
use actix_fan::web::{events, ndjson};
use actix_web::middleware::Compress;
use actix_web::web::{get, scope};
use flate2::write::GzDecoder;
use futures::{Stream, StreamExt, stream};

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::run;

/// One result, and then nothing for good.
fn one() -> impl Stream<Item = Result<u32, ItemError>> {
    stream::iter([Ok(7)]).chain(stream::pending())
}

/// What a compressor keeps back until its block is full would reach the client minutes later, or never.
#[test]
fn a_result_leaves_a_compressed_stream_at_once() {
    run(async {
        let server = serve(Closed::Half, |app| {
            let lines = get().to(async || ndjson(one()));
            let messages = get().to(async || events(one()));
            app.service(scope("").wrap(Compress::default()).route("/lines", lines).route("/events", messages));
        });
        for (path, expected) in [("/lines", "7\n"), ("/events", "id: 0\ndata: 7\n\n")] {
            let mut client = Client::connect(server).await;
            client.get_with(path, "Accept-Encoding: gzip\r\n").await;
            let head = client.head().await;
            assert_eq!((head.status, head.get("content-encoding")), (200, Some("gzip")));
            let mut plain = GzDecoder::new(Vec::new());
            while plain.get_ref().len() < expected.len() {
                plain.write_all(&client.chunk_of_bytes().await.unwrap()).unwrap();
                plain.flush().unwrap();
            }
            assert_eq!(String::from_utf8_lossy(plain.get_ref()), expected);
        }
    });
}
