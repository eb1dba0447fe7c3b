//! Handlers that run closures on worker threads.

use actix_fan::web::{Refused, refusals};
use actix_fan::{RunError, Workers};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, Path, get, scope};

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{Gate, quiet_panic, run};

fn square(n: u64) -> u64 {
    if n == 0 { quiet_panic("a secret") } else { n * n }
}

/// The error is the response, as it is.
async fn plain(workers: Data<Workers>, n: Path<u64>) -> Result<String, RunError> {
    Ok(workers.run(move || square(*n)).await?.to_string())
}

/// Beside other errors, and refused where there is no room.
async fn busy(workers: Data<Workers>, n: Path<u64>) -> Result<String, Refused> {
    Ok(workers.try_run(move || square(*n))?.await?.to_string())
}

async fn nested(workers: Data<Workers>) -> Result<String, RunError> {
    let inner = Workers::clone(&workers);
    workers.run(move || inner.blocking_run(|| 1)).await??;
    unreachable!("a thread of the set was refused")
}

#[test]
fn a_closure_is_answered_with_its_result_or_with_500_or_503() {
    run(async {
        let (workers, gate) = (Workers::builder().threads(1).run_window(1).build().unwrap(), Gate::new());
        let data = workers.clone();
        let server = serve(Closed::Half, move |app| {
            let routes = |routes: actix_web::Scope| {
                routes
                    .app_data(Data::new(data.clone()))
                    .route("/plain/{n}", get().to(plain))
                    .route("/busy/{n}", get().to(busy))
                    .route("/nested", get().to(nested))
            };
            app.service(routes(scope("/text")))
                .service(scope("/json").wrap(from_fn(refusals)).service(routes(scope(""))));
        });
        for path in ["/text/plain", "/text/busy", "/json/plain", "/json/busy"] {
            assert_eq!(Client::ask(server, &format!("{path}/7")).await.answer().await, (200, "49".into()));
            let fault = (500, "the request could not be processed\n".into());
            assert_eq!(Client::ask(server, &format!("{path}/0")).await.answer().await, fault, "{path}");
        }
        assert_eq!(Client::ask(server, "/text/nested").await.answer().await.0, 500);
        let mut client = Client::connect(server).await;
        client.get_with("/json/plain/0", "Accept: application/json\r\n").await;
        let body = r#"{"error":"the request could not be processed","status":500}"#;
        assert_eq!(client.answer().await, (500, format!("{body}\n")));

        let pass = gate.clone();
        let held = workers.run(move || pass.pass());
        gate.arrived(1).await;
        for path in ["/text", "/json"] {
            let mut client = Client::ask(server, &format!("{path}/busy/7")).await;
            let head = client.head().await;
            assert_eq!((head.status, head.get("retry-after")), (503, Some("1")));
            assert_eq!(client.body(&head).await, "the server is busy: try again in 1 s\n");
        }
        let mut waiting = Client::ask(server, "/json/plain/8").await;
        gate.open();
        held.await.unwrap();
        assert_eq!(waiting.answer().await, (200, "64".into()));
    });
}
