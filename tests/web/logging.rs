//! Log records.

use std::sync::Mutex;

use actix_fan::web::{Refused, ndjson, refusals, submit};
use actix_fan::{FanOutExt, Pool, RunError, Workers, pool};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, get, scope};
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{in_own_process, quiet_panic, run};

/// The lines of this crate about requests, at level `warn` or above.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collecting;

impl Log for Collecting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target().starts_with("actix_fan::web") && record.level() <= Level::Warn {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

async fn handler(pool: Data<Pool<(), ()>>) -> Result<&'static str, Refused> {
    submit(&pool, ()).await?;
    Ok("done")
}

async fn runs() -> Result<&'static str, RunError> {
    Workers::global().unwrap().run(|| quiet_panic("a secret")).await
}

/// Of a thousand failed items, as many lines as can be read.
#[test]
fn failed_items_are_logged_with_the_path_and_do_not_flood_the_log() {
    in_own_process(|| {
        log::set_logger(&Collecting).unwrap();
        log::set_max_level(LevelFilter::Debug);
        run(async {
            let failing = pool().workers(1).try_map(|()| Err::<(), _>("no")).unwrap();
            let server = serve(Closed::Half, move |app| {
                let failures =
                    async || ndjson((0..1000u64).fan_out().ordered().try_map(|_| Err::<u64, _>("no")).unwrap());
                app.app_data(Data::new(failing.clone()))
                    .route("/many/{kind}", get().to(failures))
                    .route("/bare", get().to(handler))
                    .route("/run", get().to(runs))
                    .service(
                        scope("/looked-at")
                            .wrap(from_fn(refusals))
                            .route("", get().to(handler))
                            .route("/run", get().to(runs)),
                    );
            });
            let (_, body) = Client::ask(server, "/many/a%0Ab?query").await.answer().await;
            assert!(body.ends_with("\n{\"end\":\"complete\",\"results\":0,\"failures\":1000}\n"));
            let lines = std::mem::take(&mut *LINES.lock().unwrap());
            assert_eq!(lines.len(), 11, "{lines:#?}");
            assert_eq!(lines[0], "/many/a%0Ab: item 0 failed: no");
            assert!(lines[9].starts_with("/many/a%0Ab: item 9 failed: no; more failures"), "{lines:#?}");
            assert_eq!(lines[10], "/many/a%0Ab: 1000 items failed in all");

            for (path, line) in [
                ("/bare", "answered with 500: item 0 failed: no"),
                ("/looked-at", "/looked-at: answered with 500: item 1 failed: no"),
                ("/run", "answered with 500: the closure panicked: a secret"),
                ("/looked-at/run", "/looked-at/run: answered with 500: the closure panicked: a secret"),
            ] {
                assert_eq!(Client::ask(server, path).await.answer().await.0, 500);
                assert_eq!(std::mem::take(&mut *LINES.lock().unwrap()), [line]);
            }
        });
    });
}
