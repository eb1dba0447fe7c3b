//! A network between a client and its server, which can be cut, stalled, or lose messages.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// What is sent waits here.
    Stalled,
    /// There is no connection.
    Cut,
}

/// A server's address that is another one's.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<watch::Sender<State>>,
}

/// A message from a client to its server.
pub(crate) struct Frame<'a> {
    pub(crate) subject: &'a str,
    pub(crate) payload: &'a [u8],
}

impl Proxy {
    /// Stands before the server at this port.
    pub(crate) async fn new(port: u16) -> Self {
        Self::filtered(port, |_| true).await
    }

    /// Lets those messages of clients through for which `passes` returns true.
    pub(crate) async fn filtered(server: u16, passes: impl Fn(&Frame<'_>) -> bool + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new(State::Good));
        let (shared, passes) = (Arc::clone(&state), std::rc::Rc::new(passes));
        actix::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut states, passes) = (shared.subscribe(), passes.clone());
                actix::spawn(async move {
                    if *states.borrow() == State::Cut {
                        return;
                    }
                    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    let (up, down) = (states.clone(), states.clone());
                    tokio::select! {
                        _ = states.wait_for(|state| *state == State::Cut) => {}
                        () = carry(from_client, to_server, up, |frame| passes(frame)) => {}
                        () = carry_bytes(from_server, to_client, down) => {}
                    }
                });
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Closes all connections, and takes no more.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Holds back all that is sent.
    pub(crate) fn stall(&self) {
        self.state.send_replace(State::Stalled);
    }

    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Good);
    }
}

async fn pass(states: &mut watch::Receiver<State>) {
    // An error if the test has ended.
    let _ = states.wait_for(|state| *state == State::Good).await;
}

async fn carry_bytes(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut states: watch::Receiver<State>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        pass(&mut states).await;
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        pass(&mut states).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Message by message, in the protocol of NATS: a line, and for `PUB` and `HPUB` as many bytes as it says last.
async fn carry(
    from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut states: watch::Receiver<State>,
    passes: impl Fn(&Frame<'_>) -> bool,
) {
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        let Ok(1..) = from.read_until(b'\n', &mut line).await else { return };
        let text = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut payload = Vec::new();
        if let ["PUB" | "HPUB", .., length] = &words[..] {
            payload.resize(length.parse::<usize>().unwrap() + 2, 0);
            if from.read_exact(&mut payload).await.is_err() {
                return;
            }
            let frame = Frame { subject: words[1], payload: &payload[..payload.len() - 2] };
            if !passes(&frame) {
                continue;
            }
        }
        pass(&mut states).await;
        line.append(&mut payload);
        if to.write_all(&line).await.is_err() {
            return;
        }
    }
}
