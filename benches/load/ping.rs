//! How long a ping takes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(2);

/// Pings for `length`, after a time to warm up that isn't counted.
pub(crate) fn latencies(server: SocketAddr, warm_up: Duration, length: Duration) -> Vec<Duration> {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.set_nodelay(true).expect("it is a TCP stream");
    let counted = Instant::now() + warm_up;
    let mut latencies = Vec::new();
    let mut due = Instant::now();
    while due < counted + length {
        // The server is to blame for a ping that is late because the one before it was late, and not for one that is
        // late because this thread woke up late.
        let mut asked = due;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            sleep(early);
            asked = Instant::now();
        }
        ping(&mut stream);
        if due >= counted {
            latencies.push(asked.elapsed());
        }
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
