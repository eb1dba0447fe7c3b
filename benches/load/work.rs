//! Clients that ask for work, one request after another.

use std::net::SocketAddr;
use std::time::Instant;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::Load;

#[derive(Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) answers: u64,
    /// Answers other than 200.
    pub(crate) refused: u64,
}

/// Keeps all connections requesting work; answers after the time to warm up count.
pub(crate) fn ask(server: SocketAddr, load: Load) -> Asked {
    let counted = Instant::now() + load.warm_up;
    let end = counted + load.length;
    let all = actix::System::new()
        .block_on(async { join_all((0..load.connections).map(|_| actix::spawn(client(server, counted, end)))).await });
    all.into_iter().map(|asked| asked.expect("no client panics")).fold(Asked::default(), |sum, asked| Asked {
        answers: sum.answers + asked.answers,
        refused: sum.refused + asked.refused,
    })
}

async fn client(server: SocketAddr, counted: Instant, end: Instant) -> Asked {
    let mut stream = TcpStream::connect(server).await.expect("the server listens");
    let mut asked = Asked::default();
    while let Ok(status) = timeout_at(end.into(), request(&mut stream)).await {
        if Instant::now() < counted {
            continue;
        }
        if status == "200" {
            asked.answers += 1;
        } else {
            asked.refused += 1;
        }
    }
    asked
}

/// The status of the answer.
async fn request(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET /work HTTP/1.1\r\nHost: load\r\n\r\n").await.expect("the server reads");
    let mut answer = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut answer).await.expect("the server answers"), 0, "the server answers");
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if Some(body.len()) == length {
                return head.split(' ').nth(1).unwrap_or_default().to_owned();
            }
        }
    }
}
