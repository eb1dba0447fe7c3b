//! Clients that each take one stream to its end.

use std::net::SocketAddr;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Load;

/// Returns when all streams have ended.
///
/// # Panics
///
/// If one of them has too few lines.
pub(crate) fn take_streams(server: SocketAddr, load: Load) {
    let clients = async { join_all((0..load.connections).map(|_| actix::spawn(client(server)))).await };
    for lines in actix::System::new().block_on(clients) {
        let lines = lines.expect("no client panics");
        assert!(lines >= load.items, "{lines} lines");
    }
}

/// Returns the number of lines that hold nothing but a number.
async fn client(server: SocketAddr) -> u64 {
    let mut stream = TcpStream::connect(server).await.expect("the server listens");
    let request = b"GET /stream HTTP/1.1\r\nHost: streams\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the server answers to the end");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    // A chunk's length before it, in hexadecimal, ends with a carriage return; a line of the answer doesn't.
    let lines = answer.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty() && line.iter().all(u8::is_ascii_digit)).count() as u64
}
