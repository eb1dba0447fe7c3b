//! Clients that disconnect on HTTP/2, where actix-web itself notifies neither handlers nor quiet streams.

use std::future::ready;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_fan::web::{Ndjson, Refused, WriteJson, cancel_on_disconnect, ndjson, submit};
use actix_fan::{FanIn, FanOutExt, Pool};
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{Bytes, Data, ServiceConfig, get, post};
use actix_web::{App, HttpServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::endless_pool::EndlessPool;
use crate::server::Started;
use crate::support::{assert_settled, run};

/// Serves HTTP/2, and HTTP/1, without TLS until the test's System ends.
fn serve(routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> SocketAddr {
    serve_with(true, routes)
}

fn serve_with(middleware: bool, routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> SocketAddr {
    let app = move || {
        let middleware = Condition::new(middleware, from_fn(cancel_on_disconnect));
        App::new().configure(routes.clone()).wrap(middleware)
    };
    let server = HttpServer::new(app).workers(1).disable_signals().bind_auto_h2c((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.addrs()[0];
    actix::spawn(server.run());
    address
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection with a request on its first stream.
struct Request(TcpStream);

impl Request {
    async fn get(server: SocketAddr, path: &str) -> Self {
        Self::begin(server, b"GET", path, END_STREAM).await
    }

    async fn begin(server: SocketAddr, method: &[u8], path: &str, end: u8) -> Self {
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut request = Self(stream);
        request.send(SETTINGS, 0, 0, &[]).await;
        // Literals under names of HPACK's table: `:method`, `:path`, `:authority`; and all of `:scheme: http`.
        let mut head = vec![0x86];
        for (name, value) in [(2, method), (4, path.as_bytes()), (1, b"test")] {
            head.extend([name, value.len() as u8]);
            head.extend(value);
        }
        request.send(HEADERS, END_HEADERS | end, 1, &head).await;
        request
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
        let mut frame = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// The payload of the next frame of this kind.
    async fn frame(&mut self, awaited: u8) -> Vec<u8> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).await.unwrap();
            if head[3] == awaited {
                return payload;
            }
        }
    }
}

/// The ways in which a client goes.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    RstStream,
    Goaway,
    Close,
    TcpReset,
}

const ALL: [Leaves; 4] = [Leaves::RstStream, Leaves::Goaway, Leaves::Close, Leaves::TcpReset];

impl Leaves {
    /// Returns the connection, if it stays.
    async fn leave(self, mut request: Request) -> Option<Request> {
        const CANCEL: u8 = 8;
        match self {
            Self::RstStream => {
                request.send(RST_STREAM, 0, 1, &[0, 0, 0, CANCEL]).await;
                Some(request)
            }
            Self::Goaway => {
                request.send(GOAWAY, 0, 0, &[0; 8]).await;
                None
            }
            Self::Close => None,
            Self::TcpReset => {
                request.0.set_zero_linger().unwrap();
                None
            }
        }
    }
}

/// Answers with one line and nothing more, but for heartbeats; each client goes in another way.
async fn assert_that_a_quiet_stream_stops(middleware: bool, heartbeat: Duration) {
    let started = Started::default();
    let told = Arc::clone(&started);
    let server = serve_with(middleware, move |app| {
        let told = Arc::clone(&told);
        let handler = move || {
            let numbers: FanIn<u64> = (0u64..).fan_out().filter_map(|n| (n == 0).then_some(n)).unwrap();
            *told.lock().unwrap() = Some(numbers.stop_handle());
            let lines: Ndjson<_, WriteJson<u64>> = ndjson(numbers).heartbeat(heartbeat);
            ready(lines)
        };
        app.route("/", get().to(handler));
    });
    for leaves in ALL {
        let mut request = Request::get(server, "/").await;
        while request.frame(DATA).await != b"0\n" {}
        let stop = started.lock().unwrap().take().unwrap();
        assert!(!stop.is_stopped());
        let _connection = leaves.leave(request).await;
        // The test hangs, and so fails, unless the pipeline ends.
        stop.finished().await.unwrap();
        assert_settled(&stop.stats());
    }
}

#[test]
fn the_middleware_notices_a_disconnect_of_a_quiet_stream() {
    run(assert_that_a_quiet_stream_stops(true, Duration::ZERO));
}

#[test]
fn the_heartbeat_of_a_quiet_stream_notices_a_disconnect() {
    run(assert_that_a_quiet_stream_stops(false, Duration::from_millis(5)));
}

#[test]
fn a_disconnect_cancels_the_item_of_a_handler() {
    async fn handler(pool: Data<Pool<(), ()>>) -> Result<&'static str, Refused> {
        submit(&pool, ()).await?;
        Ok("done")
    }
    run(async {
        let EndlessPool { pool, begun, cancelled } = EndlessPool::new();
        let data = pool.clone();
        let server = serve(move |app| {
            app.app_data(Data::new(data.clone())).route("/", get().to(handler));
        });
        for (left, leaves) in (1..).zip(ALL) {
            let request = Request::get(server, "/").await;
            begun.reached(left).await;
            let _connection = leaves.leave(request).await;
            cancelled.reached(left).await;
        }
        pool.drain();
        assert_eq!(pool.finished().await.unwrap().skipped, ALL.len() as u64);
    });
}

#[test]
fn a_disconnect_cancels_the_item_of_a_handler_that_read_its_body() {
    async fn handler(pool: Data<Pool<(), ()>>, body: Bytes) -> Result<Bytes, Refused> {
        submit(&pool, ()).await?;
        Ok(body)
    }
    run(async {
        let EndlessPool { pool, begun, cancelled } = EndlessPool::new();
        let data = pool.clone();
        let server = serve(move |app| {
            app.app_data(Data::new(data.clone())).route("/", post().to(handler));
        });
        let mut request = Request::begin(server, b"POST", "/", 0).await;
        request.send(DATA, 0, 1, b"all ").await;
        request.send(DATA, END_STREAM, 1, b"of it").await;
        begun.reached(1).await;
        let _connection = Leaves::RstStream.leave(request).await;
        cancelled.reached(1).await;
        pool.drain();
        pool.finished().await.unwrap();
    });
}

#[test]
fn connected_clients_are_answered_on_both_versions() {
    async fn echo(body: Bytes) -> Bytes {
        body
    }
    run(async {
        let server = serve(|app| {
            app.route("/", post().to(echo)).route("/", get().to(async || "here"));
        });
        let mut request = Request::begin(server, b"POST", "/", 0).await;
        request.send(DATA, 0, 1, b"").await;
        request.send(DATA, END_STREAM, 1, b"echo").await;
        assert_eq!(request.frame(DATA).await, b"echo");
        assert_eq!(Request::get(server, "/").await.frame(DATA).await, b"here");
        assert_eq!(Client::ask(server, "/").await.answer().await, (200, "here".to_owned()));
    });
}
