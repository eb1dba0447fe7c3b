use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread;

use actix_fan::web::{Refused, submit};
use actix_fan::{Pool, pool};
use actix_web::web::{Data, Path, get};
use futures::future::join_all;

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{assert_settled, run};

async fn square(pool: Data<Pool<u64, u64>>, n: Path<u64>) -> Result<String, Refused> {
    Ok(submit(&pool, *n).await?.to_string())
}

#[test]
fn clients_and_threads_of_the_server_share_one_pool() {
    run(async {
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let seen = Arc::clone(&threads);
        let work = move |n: u64| {
            seen.lock().unwrap().insert(thread::current().id());
            n * n
        };
        let squares = pool().workers(2).map(work).unwrap();
        let shared = squares.clone();
        let server = serve(Closed::Half, move |app| {
            app.app_data(Data::new(shared.clone())).route("/{n}", get().to(square));
        });
        // The server gives connections to its threads in turn.
        join_all((0..4u64).map(|first| async move {
            let mut client = Client::connect(server).await;
            for n in (first..100).step_by(4) {
                client.get(&format!("/{n}")).await;
                assert_eq!(client.answer().await, (200, (n * n).to_string()));
            }
        }))
        .await;
        squares.drain();
        let stats = squares.finished().await.unwrap();
        assert_settled(&stats);
        assert_eq!(stats.completed, 100);
        assert!(threads.lock().unwrap().len() <= 2);
    });
}
