//! A client that reads the bytes of an answer as they were sent.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

pub(crate) struct Client {
    stream: TcpStream,
    /// Received, and not read by the test yet.
    received: Vec<u8>,
}

pub(crate) struct Head {
    pub(crate) status: u16,
    /// In lower case.
    headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        // A small buffer, so that a client that doesn't read is soon known as one.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        Self { stream: socket.connect(address).await.unwrap(), received: Vec::new() }
    }

    /// Connects and asks.
    pub(crate) async fn ask(address: SocketAddr, path: &str) -> Self {
        let mut client = Self::connect(address).await;
        client.get(path).await;
        client
    }

    pub(crate) async fn get(&mut self, path: &str) {
        self.get_with(path, "").await;
    }

    /// Asks with more headers, each of which ends its line.
    pub(crate) async fn get_with(&mut self, path: &str, headers: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).await.unwrap();
    }

    pub(crate) async fn head(&mut self) -> Head {
        let head = self.until(b"\r\n\r\n").await;
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().to_owned())
        };
        Head { status, headers: lines.filter(|line| !line.is_empty()).map(header).collect() }
    }

    /// The next chunk of a body that comes in chunks; `None` after the last.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        self.chunk_of_bytes().await.map(text)
    }

    /// The next chunk of a body that isn't text.
    pub(crate) async fn chunk_of_bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(self.until(b"\r\n").await.trim_end(), 16).unwrap();
        let mut chunk = self.exactly(length + 2).await;
        assert!(chunk.ends_with(b"\r\n"));
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    /// What is left of a body.
    pub(crate) async fn body(&mut self, head: &Head) -> String {
        if let Some(length) = head.get("content-length") {
            return text(self.exactly(length.parse().unwrap()).await);
        }
        let mut body = String::new();
        while let Some(chunk) = self.chunk().await {
            body += &chunk;
        }
        body
    }

    /// The whole answer.
    pub(crate) async fn answer(&mut self) -> (u16, String) {
        let head = self.head().await;
        (head.status, self.body(&head).await)
    }

    /// All that still comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> String {
        // Its being reset is an end, too.
        while self.stream.read_buf(&mut self.received).await.is_ok_and(|read| read > 0) {}
        text(std::mem::take(&mut self.received))
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&mut self, request: &str) {
        self.stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// Says that nothing more will be asked, and goes on reading.
    pub(crate) async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Goes away in a way that the other side learns of at once.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    async fn until(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end) {
                return text(self.take(at + end.len()));
            }
            self.receive().await;
        }
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length {
            self.receive().await;
        }
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.received.split_off(length);
        std::mem::replace(&mut self.received, rest)
    }

    async fn receive(&mut self) {
        assert_ne!(self.stream.read_buf(&mut self.received).await.unwrap(), 0, "the server closed the connection");
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}
