use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_fan::web::{Events, Refused, WriteJson, events, submit};
use actix_fan::{FanIn, FanOutExt, Job, Pool, StopHandle, Stopped, pool, work_fn};
use actix_web::web::{Data, get};
use std::net::SocketAddr;

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{Count, assert_settled, run};

/// What the handlers started.
type Started = Arc<Mutex<Option<StopHandle>>>;

/// A server of endless events; the one that is quiet yields none.
fn endless(closed: Closed, quiet: bool, heartbeat: Duration) -> (SocketAddr, Started) {
    let started = Started::default();
    let told = Arc::clone(&started);
    let server = serve(closed, move |app| {
        let told = Arc::clone(&told);
        let handler = move || {
            let numbers: FanIn<u64> = (0u64..).fan_out().filter_map(move |n| (!quiet).then_some(n)).unwrap();
            *told.lock().unwrap() = Some(numbers.stop_handle());
            let events: Events<_, WriteJson<u64>> = events(numbers).opening("start", "").heartbeat(heartbeat);
            std::future::ready(events)
        };
        app.route("/", get().to(handler));
    });
    (server, started)
}

async fn started(server: SocketAddr, started: &Started) -> (Client, StopHandle) {
    let mut client = Client::ask(server, "/").await;
    client.head().await;
    assert!(client.chunk().await.unwrap().starts_with("event: start\n"));
    let stop = started.lock().unwrap().take().unwrap();
    assert!(!stop.is_stopped());
    (client, stop)
}

/// The test hangs, and so fails, unless the pipeline ends.
async fn assert_stops(stop: &StopHandle) {
    stop.workers_stopped().await;
    assert!(stop.is_stopped());
    assert_settled(&stop.stats());
}

#[test]
fn a_client_that_goes_while_results_come_stops_the_pipeline() {
    run(async {
        for closed in [Closed::Half, Closed::Gone] {
            let (server, handles) = endless(closed, false, Duration::ZERO);
            let (client, stop) = started(server, &handles).await;
            drop(client);
            assert_stops(&stop).await;
        }
    });
}

#[test]
fn a_client_that_goes_while_nothing_comes_is_noticed_by_the_heartbeat() {
    run(async {
        let (server, handles) = endless(Closed::Half, true, Duration::from_millis(5));
        let (client, stop) = started(server, &handles).await;
        drop(client);
        assert_stops(&stop).await;
    });
}

#[test]
fn a_client_that_goes_while_nothing_comes_is_noticed_at_once_where_half_closed_connections_are_not_allowed() {
    run(async {
        let (server, handles) = endless(Closed::Gone, true, Duration::ZERO);
        let (client, stop) = started(server, &handles).await;
        drop(client);
        assert_stops(&stop).await;
    });
}

#[test]
fn a_connection_that_is_reset_is_noticed_at_once_everywhere() {
    run(async {
        for closed in [Closed::Half, Closed::Gone] {
            let (server, handles) = endless(closed, true, Duration::ZERO);
            let (client, stop) = started(server, &handles).await;
            client.reset();
            assert_stops(&stop).await;
        }
    });
}

/// A pool whose items run until nobody waits for them, and what tells of it.
struct Endless {
    pool: Pool<(), ()>,
    begun: Count,
    given_up: Count,
}

impl Endless {
    fn new() -> Self {
        let (begun, given_up) = (Count::new(), Count::new());
        let (begin, give_up) = (begun.clone(), given_up.clone());
        let work = move || {
            let (begin, give_up) = (begin.clone(), give_up.clone());
            work_fn(move |(), job: &mut Job<'_, ()>| {
                begin.add();
                while !job.is_stopped() {
                    std::thread::yield_now();
                }
                give_up.add();
                Err(Stopped.into())
            })
        };
        Self { pool: pool().workers(1).window(2).with(work).unwrap(), begun, given_up }
    }

    fn serve(&self, closed: Closed) -> SocketAddr {
        let pool = self.pool.clone();
        serve(closed, move |app| {
            app.app_data(Data::new(pool.clone())).route("/", get().to(handler));
        })
    }
}

async fn handler(pool: Data<Pool<(), ()>>) -> Result<&'static str, Refused> {
    submit(&pool, ()).await?;
    Ok("done")
}

#[test]
fn a_request_whose_client_goes_gives_its_item_up_where_half_closed_connections_are_not_allowed() {
    run(async {
        let endless = Endless::new();
        let server = endless.serve(Closed::Gone);
        let client = Client::ask(server, "/").await;
        endless.begun.reached(1).await;
        drop(client);
        endless.given_up.reached(1).await;
        assert_eq!(endless.pool.drain().await.unwrap().skipped, 1);
    });
}

#[test]
fn a_request_whose_connection_is_reset_gives_its_item_up_everywhere() {
    run(async {
        let endless = Endless::new();
        let server = endless.serve(Closed::Half);
        let client = Client::ask(server, "/").await;
        endless.begun.reached(1).await;
        client.reset();
        endless.given_up.reached(1).await;
        assert_eq!(endless.pool.drain().await.unwrap().skipped, 1);
    });
}

#[test]
fn a_client_that_only_asks_no_more_gets_its_answer_where_half_closed_connections_are_allowed() {
    run(async {
        let (begun, gate) = (Count::new(), crate::support::Gate::new());
        let (begin, pass) = (begun.clone(), gate.clone());
        let work = move |()| {
            begin.add();
            pass.pass();
        };
        let pool = pool().workers(1).map(work).unwrap();
        let server = serve(Closed::Half, move |app| {
            app.app_data(Data::new(pool.clone())).route("/", get().to(handler));
        });
        let mut client = Client::ask(server, "/").await;
        client.half_close().await;
        begun.reached(1).await;
        gate.open();
        assert_eq!(client.answer().await, (200, "done".to_owned()));
    });
}
