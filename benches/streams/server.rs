//! The server, which is this program in a process of its own.

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use actix_fan::FanOutExt;
use actix_fan::web::ndjson;
use actix_web::error::ErrorInternalServerError;
use actix_web::web::{self, Bytes, Data, get};
use actix_web::{App, HttpResponse, HttpServer, Responder, Result};
use futures::{StreamExt, TryStreamExt, stream};

use crate::Load;
use crate::contender::Contender;
use crate::support::server_process::ServerProcess;
use crate::support::spin::spin;

/// Starts the server of a contender.
pub(crate) fn start(contender: Contender, load: Load) -> ServerProcess {
    ServerProcess::start(&["serve", contender.name(), &load.items.to_string(), &load.steps.to_string()])
}

/// An answer of so many items, each of so many steps.
#[derive(Clone, Copy)]
struct Answer {
    items: u64,
    steps: u64,
}

async fn by_pipeline(answer: Data<Answer>) -> Result<impl Responder> {
    let Answer { items, steps } = **answer;
    let results = (0..items).fan_out().map(move |n| spin(n, steps));
    Ok(ndjson(results.map_err(ErrorInternalServerError)?))
}

async fn by_block(answer: Data<Answer>) -> HttpResponse {
    let Answer { items, steps } = **answer;
    let results = stream::iter(0..items).then(move |n| web::block(move || spin(n, steps)));
    let lines = results.map_ok(|result| Bytes::from(format!("{result}\n")));
    HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines)
}

/// `contender items steps`: serves until the process is ended.
pub(crate) fn serve(arguments: &[String]) {
    let [contender, items, steps] = arguments else { panic!("serve contender items steps") };
    let contender = Contender::named(contender);
    let number = |text: &String| text.parse().expect("it is a number");
    let answer = Data::new(Answer { items: number(items), steps: number(steps) });
    actix::System::new().block_on(async {
        let server = HttpServer::new(move || {
            let app = App::new().app_data(answer.clone()).route("/ping", get().to(async || "pong"));
            match contender {
                Contender::Pipeline => app.route("/stream", get().to(by_pipeline)),
                Contender::Block | Contender::BlockOnCores => app.route("/stream", get().to(by_block)),
            }
        })
        .workers(1);
        let server = match contender {
            Contender::BlockOnCores => {
                server.worker_max_blocking_threads(available_parallelism().map_or(1, NonZeroUsize::get))
            }
            Contender::Pipeline | Contender::Block => server,
        };
        let server = server.bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        println!("{}", server.addrs()[0]);
        server.run().await.expect("the server can serve");
    });
}
