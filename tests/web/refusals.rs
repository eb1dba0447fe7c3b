use std::net::SocketAddr;
use std::time::Duration;

use actix_fan::web::{Refused, refusals, refusals_with, submit, submit_within};
use actix_fan::{Job, Pool, Stopped, pool, work_fn};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, Path, ServiceConfig, get, scope};
use actix_web::{HttpRequest, HttpResponse};

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{Count, Gate, assert_balanced, assert_settled, run, settle};

type Tens = Pool<u64, u64>;

async fn patient(pool: Data<Tens>, n: Path<u64>) -> Result<String, Refused> {
    Ok(submit(&pool, *n).await?.to_string())
}

async fn hasty(pool: Data<Tens>, n: Path<u64>) -> Result<String, Refused> {
    Ok(submit_within(&pool, *n, Duration::from_millis(5)).await?.to_string())
}

fn serve_pool(pool: &Tens) -> SocketAddr {
    let pool = pool.clone();
    serve(Closed::Half, move |app| {
        app.app_data(Data::new(pool.clone()))
            .route("/patient/{n}", get().to(patient))
            .route("/hasty/{n}", get().to(hasty));
    })
}

/// Items wait at the gate.
fn gated(window: usize, gate: &Gate) -> Tens {
    let gate = gate.clone();
    let work = move |n| {
        gate.pass();
        10 * n
    };
    pool().workers(1).window(window).map(work).unwrap()
}

#[test]
fn a_full_pool_is_a_503_with_retry_after() {
    run(async {
        let gate = Gate::new();
        let pool = gated(1, &gate);
        let server = serve_pool(&pool);
        let mut first = Client::ask(server, "/patient/1").await;
        gate.arrived(1).await;

        let mut second = Client::ask(server, "/patient/2").await;
        let head = second.head().await;
        assert_eq!(
            (head.status, head.get("retry-after"), head.get("cache-control")),
            (503, Some("1"), Some("no-store"))
        );
        assert_eq!(second.body(&head).await, "the server is busy: try again in 1 s\n");

        gate.open();
        assert_eq!(first.answer().await, (200, "10".to_owned()));
        // The permit is free before the answer arrives, and the connection stays open.
        second.get("/patient/2").await;
        assert_eq!(second.answer().await, (200, "20".to_owned()));
    });
}

#[test]
fn retry_after_is_the_expected_wait() {
    run(async {
        let gate = Gate::new();
        let pool = gated(3, &gate);
        let submits = [1, 2, 3].map(|n| pool.submit(n));
        // Nothing was measured yet.
        let refused = submit(&pool, 4).await.unwrap_err();
        assert!(matches!(refused, Refused::Full { retry_after: Duration::ZERO }), "{refused}");
        gate.arrived(1).await;
        gate.let_through(1);
        let [first, _second, _third] = submits;
        first.await.unwrap();
        let _fourth = pool.try_submit(4).unwrap();
        gate.arrived(2).await;
        let Err(Refused::Full { retry_after }) = submit(&pool, 5).await else { panic!("the pool is full") };
        assert_eq!(Some(retry_after), pool.expected_wait());
        assert!(retry_after > pool.stats().mean_service.unwrap(), "{retry_after:?}: two wait, and one runs");
        // Those with a deadline have left by then.
        let deadline = Duration::from_nanos(1);
        assert!(retry_after > deadline);
        let Err(Refused::Full { retry_after }) = submit_within(&pool, 5, deadline).await else { panic!("it is full") };
        assert_eq!(retry_after, deadline);
        gate.open();
    });
}

#[test]
fn a_queued_item_whose_deadline_passes_is_a_504_and_returns_its_permit_at_once() {
    run(async {
        let gate = Gate::new();
        let pool = gated(2, &gate);
        let server = serve_pool(&pool);
        let mut running = Client::ask(server, "/patient/1").await;
        gate.arrived(1).await;
        assert_eq!(Client::ask(server, "/hasty/2").await.answer().await, (504, "no result within 5ms\n".to_owned()));
        let stats = pool.stats();
        assert_balanced(&stats);
        assert_eq!((stats.in_flight, stats.queued, stats.skipped), (1, 0, 1));
        let third = pool.try_submit(3).expect("a permit is free again");
        gate.open();
        assert_eq!((third.await.unwrap(), running.answer().await.0), (30, 200));
    });
}

#[test]
fn a_running_item_whose_deadline_passes_is_a_504_and_sees_its_cancellation() {
    run(async {
        let given_up = Count::new();
        let give_up = given_up.clone();
        let work = move || {
            let give_up = give_up.clone();
            work_fn(move |_: u64, job: &mut Job<'_, u64>| {
                while !job.is_stopped() {
                    std::thread::yield_now();
                }
                give_up.add();
                Err(Stopped.into())
            })
        };
        let pool = pool().workers(1).window(1).with(work).unwrap();
        let server = serve_pool(&pool);
        let mut client = Client::connect(server).await;
        let mut asked = 0;
        // On a busy machine the deadline may pass before the item begins.
        while given_up.get() == 0 {
            client.get("/hasty/1").await;
            asked += u64::from(client.answer().await.0 == 504);
        }
        pool.drain();
        let stats = pool.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!((stats.taken, stats.skipped), (asked, asked));
    });
}

#[test]
fn a_failed_item_is_a_500_without_details_and_the_pool_survives() {
    run(async {
        let work = |n: u64| match n {
            0 => panic!("a secret"),
            1 => Err("another secret"),
            n => Ok(10 * n),
        };
        let pool = pool().workers(1).try_map(work).unwrap();
        let server = serve_pool(&pool);
        let mut client = Client::connect(server).await;
        for path in ["/patient/0", "/patient/1"] {
            client.get(path).await;
            assert_eq!(client.answer().await, (500, "the request could not be processed\n".to_owned()));
        }
        client.get("/patient/2").await;
        assert_eq!(client.answer().await, (200, "20".to_owned()));
        // The application has the details.
        let refused = submit(&pool, 0).await.unwrap_err();
        assert_eq!(refused.item_error().unwrap().panic_message(), Some("a secret"));
    });
}

#[test]
fn a_closed_pool_is_a_503() {
    run(async {
        let gate = Gate::new();
        let pool = gated(4, &gate);
        let server = serve_pool(&pool);
        pool.drain();
        let head = Client::ask(server, "/patient/1").await.head().await;
        assert_eq!((head.status, head.get("retry-after")), (503, None));
        assert_eq!(gate.arrivals(), 0);
    });
}

#[test]
fn a_pool_that_is_stopped_while_a_request_waits_is_a_503() {
    run(async {
        let gate = Gate::new();
        let pool = gated(4, &gate);
        let server = serve_pool(&pool);
        let mut running = Client::ask(server, "/patient/1").await;
        gate.arrived(1).await;
        let mut queued = Client::ask(server, "/patient/2").await;
        while pool.stats().queued == 0 {
            settle().await;
        }
        pool.stop();
        assert_eq!(queued.answer().await.0, 503);
        gate.open();
        running.answer().await;
    });
}

#[test]
fn a_refusal_is_text_json_or_the_response_of_the_application() {
    fn page(refused: &Refused, request: &HttpRequest) -> HttpResponse {
        let index = refused.item_error().map(|error| error.index());
        HttpResponse::ImATeapot().body(format!("{} {index:?}", request.path()))
    }
    run(async {
        let gate = Gate::new();
        let full = gated(1, &gate);
        let failing = pool().workers(1).try_map(|_: u64| Err::<u64, _>("a secret")).unwrap();
        let routes = |full: &Tens, failing: &Tens| {
            let (full, failing) = (full.clone(), failing.clone());
            move |app: &mut ServiceConfig| {
                app.service(scope("/full").app_data(Data::new(full.clone())).route("/{n}", get().to(patient)))
                    .service(scope("/failing").app_data(Data::new(failing.clone())).route("/{n}", get().to(patient)));
            }
        };
        let (by_accept, own) = (routes(&full, &failing), routes(&full, &failing));
        let server = serve(Closed::Half, move |app| {
            app.service(scope("/by").wrap(from_fn(refusals)).configure(by_accept.clone()))
                .service(scope("/own").wrap(from_fn(refusals_with(page))).configure(own.clone()));
        });
        let mut first = Client::ask(server, "/by/full/1").await;
        gate.arrived(1).await;
        let text = ("*/*", "text/plain; charset=utf-8");
        let json = ("text/plain;q=0.5, application/json", "application/json");
        for (path, (accept, kind), status, retry, expected) in [
            ("full", text, 503, Some("1"), "the server is busy: try again in 1 s\n"),
            (
                "full",
                json,
                503,
                Some("1"),
                "{\"error\":\"the server is busy: try again in 1 s\",\"status\":503,\"retry_after\":1}\n",
            ),
            ("failing", text, 500, None, "the request could not be processed\n"),
            ("failing", json, 500, None, "{\"error\":\"the request could not be processed\",\"status\":500}\n"),
        ] {
            let mut client = Client::connect(server).await;
            client.get_with(&format!("/by/{path}/2"), &format!("Accept: {accept}\r\n")).await;
            let head = client.head().await;
            assert_eq!((head.status, head.get("retry-after"), head.get("content-type")), (status, retry, Some(kind)));
            assert_eq!(head.get("cache-control"), Some("no-store"));
            assert_eq!(client.body(&head).await, expected);
        }
        let mut client = Client::ask(server, "/own/failing/2").await;
        assert_eq!(client.answer().await, (418, "/own/failing/2 Some(2)".to_owned()));
        client.get("/own/full/2").await;
        assert_eq!(client.answer().await, (418, "/own/full/2 None".to_owned()));
        gate.open();
        assert_eq!(first.answer().await, (200, "10".to_owned()));
    });
}
