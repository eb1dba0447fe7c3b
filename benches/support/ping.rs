//! How long a ping of a server takes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(2);

/// Sends `GET /ping` every 2 ms on one connection while `more` returns true for the instant at which the next one is
/// due. Returns these instants, each with how long the answer took.
pub(crate) fn latencies(server: SocketAddr, more: impl Fn(Instant) -> bool) -> Vec<(Instant, Duration)> {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.set_nodelay(true).expect("it is a TCP stream");
    let mut latencies = Vec::new();
    let mut due = Instant::now();
    while more(due) {
        // The server is to blame for a ping that is late because the one before it was late, and not for one that is
        // late because this thread woke up late.
        let mut asked = due;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            sleep(early);
            asked = Instant::now();
        }
        ping(&mut stream);
        latencies.push((due, asked.elapsed()));
        due += PERIOD;
    }
    latencies
}

fn ping(stream: &mut TcpStream) {
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: load\r\n\r\n").expect("the server reads");
    let mut answer = [0; 1024];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\npong") {
        let read = stream.read(&mut answer[length..]).expect("the server answers");
        assert_ne!(read, 0, "the server answers");
        length += read;
    }
}
