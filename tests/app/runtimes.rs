//! Starts of a pipeline and a pool under each runtime, by the code that the documentation shows for it.

use std::io;
use std::sync::mpsc;
use std::thread;

use actix::System;
use actix_fan::{FanIn, FanOutExt, Pool, StartError, pool};
use futures::StreamExt;
use futures::executor::block_on;
use tokio::sync::oneshot;

/// A System on a thread of its own.
fn system() -> io::Result<System> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("actix".into()).spawn(move || {
        let runner = System::new();
        let _ = sender.send(System::current());
        runner.run()
    })?;
    receiver.recv().map_err(io::Error::other)
}

async fn on<T: Send + 'static>(system: &System, start: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, started) = oneshot::channel();
    system.arbiter().spawn_fn(move || _ = sender.send(start()));
    started.await.expect("the System runs")
}

fn squares() -> Result<FanIn<u64>, StartError> {
    (0..10u64).fan_out().workers(2).map(|n| n * n)
}

fn squarer() -> Result<Pool<u64, u64>, StartError> {
    pool().workers(1).map(|n| n * n)
}

async fn total(mut squares: FanIn<u64>) -> u64 {
    let total = squares.by_ref().map(Result::unwrap).fold(0, async |total, square| total + square).await;
    squares.finished().await.unwrap();
    total
}

/// Pipelines and pools start here.
async fn starts() {
    assert_eq!(total(squares().unwrap()).await, 285);
    let detached = (0..10u64).fan_out().detached().map(|n| n * n).unwrap();
    assert_eq!(total(detached).await, 285);
    uses_a_pool().await;
}

async fn uses_a_pool() {
    let squarer = squarer().unwrap();
    assert_eq!(squarer.submit(7).await.unwrap(), 49);
    squarer.drain();
    squarer.finished().await.unwrap();
}

/// A pool starts here. A pipeline fails, and says what to write instead; with that it starts, and is used here.
async fn needs_an_arbiter() {
    uses_a_pool().await;
    let error = squares().unwrap_err();
    assert!(matches!(error, StartError::NoSystem));
    let text = error.to_string();
    for recipe in
        ["`.fan_out().detached()`", "`#[actix::main]`", "`system.arbiter().spawn_fn`", "Where it can be started"]
    {
        assert!(text.contains(recipe), "{text}");
    }
    let detached = (0..10u64).fan_out().detached().map(|n| n * n).unwrap();
    assert_eq!(total(detached).await, 285);
    let system = system().unwrap();
    assert_eq!(total(on(&system, squares).await.unwrap()).await, 285);
    let squarer = on(&system, squarer).await.unwrap();
    assert_eq!(squarer.submit(7).await.unwrap(), 49);
    squarer.drain();
    squarer.finished().await.unwrap();
    system.stop();
}

#[test]
fn under_the_main_macro_of_actix() {
    #[actix::main]
    async fn main() {
        starts().await;
    }
    main();
}

#[test]
fn under_a_tokio_runtime_of_many_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(needs_an_arbiter());
    runtime.block_on(async { tokio::spawn(needs_an_arbiter()).await.unwrap() });
}

#[test]
fn under_a_tokio_runtime_of_one_thread_and_in_a_local_set() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(needs_an_arbiter());
    runtime.block_on(tokio::task::LocalSet::new().run_until(starts()));
}

#[test]
fn without_any_runtime() {
    block_on(needs_an_arbiter());
}

/// A handler of actix-web runs in a `LocalSet`, and where the server was started under tokio there is no System.
#[cfg(feature = "web")]
#[test]
fn in_a_handler_of_an_actix_web_server_that_runs_under_tokio() {
    use actix_web::{App, HttpServer, web};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let handler = async || {
            starts().await;
            "as documented"
        };
        let server = HttpServer::new(move || App::new().route("/", web::get().to(handler)));
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        let server = tokio::spawn(server);
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("as documented"), "{answer}");
        handle.stop(true).await;
        server.await.unwrap().unwrap();
    });
}
