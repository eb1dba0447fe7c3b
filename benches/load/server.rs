//! The server, which is this program in a process of its own.

use std::net::Ipv4Addr;

use actix::Addr;
use actix_fan::web::{Refused, submit};
use actix_fan::{Pool, pool};
use actix_web::error::ErrorInternalServerError;
use actix_web::web::{self, Data, get};
use actix_web::{App, HttpServer, Result};

use crate::contender::{Contender, How};
use crate::support::server_process::ServerProcess;
use crate::support::spin::ODD;
use crate::support::sync_arbiter::{Item, Worker};

/// Starts the server of a contender.
pub(crate) fn start(contender: Contender, steps: u64) -> ServerProcess {
    ServerProcess::start(&["serve", contender.how.name(), &contender.threads.to_string(), &steps.to_string()])
}

async fn by_fan(pool: Data<Pool<Item, u64>>, item: Data<Item>) -> Result<String, Refused> {
    Ok(submit(&pool, **item).await?.to_string())
}

async fn by_block(item: Data<Item>) -> Result<String> {
    let item = **item;
    Ok(web::block(move || item.run()).await?.to_string())
}

async fn by_sync_arbiter(workers: Data<Addr<Worker>>, item: Data<Item>) -> Result<String> {
    Ok(workers.send(**item).await.map_err(ErrorInternalServerError)?.to_string())
}

/// `how threads steps`: serves until the process is ended.
pub(crate) fn serve(arguments: &[String]) {
    let [how, threads, steps] = arguments else { panic!("serve how threads steps") };
    let (how, steps) = (How::named(how), steps.parse().expect("steps are a number"));
    let item = Item { value: ODD, steps };
    let threads = threads.parse().expect("threads are a number");
    actix::System::new().block_on(async {
        let fan = (how == How::Fan).then(|| Data::new(pool().workers(threads).map(Item::run).expect("threads")));
        let sync = (how == How::SyncArbiter).then(|| Data::new(Worker::start(threads)));
        let server = HttpServer::new(move || {
            let app = App::new().app_data(Data::new(item)).route("/ping", get().to(async || "pong"));
            match (&fan, &sync) {
                (Some(fan), _) => app.app_data(fan.clone()).route("/work", get().to(by_fan)),
                (_, Some(sync)) => app.app_data(sync.clone()).route("/work", get().to(by_sync_arbiter)),
                _ => app.route("/work", get().to(by_block)),
            }
        })
        .workers(1)
        .worker_max_blocking_threads(threads)
        .bind((Ipv4Addr::LOCALHOST, 0))
        .expect("some port is free");
        println!("{}", server.addrs()[0]);
        server.run().await.expect("the server can serve");
    });
}
