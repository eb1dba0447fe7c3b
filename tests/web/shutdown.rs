//! A process that gets SIGTERM while streams are open.

use std::process::{self, Command};
use std::time::Duration;

use actix_fan::FanOutExt;
use actix_fan::web::{Refused, Streams, events};
use actix_web::web::{Data, get};
use actix_web::{App, HttpServer, Responder};

use crate::client::Client;
use crate::support::{in_own_process, run};

const CLIENTS: usize = 100;

async fn numbers(streams: Data<Streams>) -> Result<impl Responder, Refused> {
    let permit = streams.permit()?;
    Ok(events((0u64..).fan_out().workers(1).map(|n| n).unwrap()).permit(permit))
}

/// Endless streams would keep the server for all of its shutdown timeout, which is longer than the test may take.
#[test]
fn a_signal_ends_a_server_with_a_hundred_streams_in_order() {
    in_own_process(|| {
        run(async {
            let streams = Streams::new(CLIENTS);
            let data = Data::new(streams.clone());
            let server = HttpServer::new(move || App::new().app_data(data.clone()).route("/", get().to(numbers)))
                .workers(2)
                .shutdown_signal(streams.clone().on_signal(Duration::ZERO))
                .shutdown_timeout(600)
                .bind(("127.0.0.1", 0))
                .unwrap();
            let address = server.addrs()[0];
            let server = actix::spawn(server.run());
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                let mut client = Client::ask(address, "/").await;
                assert_eq!(client.head().await.status, 200);
                client.chunk().await.unwrap();
                clients.push(client);
            }
            assert_eq!(Client::ask(address, "/").await.head().await.status, 503);
            let killed = Command::new("kill").args(["-TERM", &process::id().to_string()]).status().unwrap();
            assert!(killed.success());
            for client in &mut clients {
                let mut last = String::new();
                while let Some(chunk) = client.chunk().await {
                    last = chunk;
                }
                assert!(last.contains("event: end\ndata: {\"end\":\"stopped\",\"results\":"), "{last}");
            }
            server.await.unwrap().unwrap();
            assert_eq!(streams.stats().open, 0);
        });
    });
}
