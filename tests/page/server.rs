//! The example `web` as a process.

use std::env::current_exe;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::http::ask;

/// A server on a free port. It is killed when a test gives it up.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start(workers: usize) -> Self {
        Self::with(&["--port", "0", "--workers", &workers.to_string()])
    }

    /// One that comes back where another one was.
    pub(crate) fn again(port: u16) -> Self {
        Self::with(&["--port", &port.to_string(), "--workers", "1"])
    }

    pub(crate) fn with(args: &[&str]) -> Self {
        // Cargo puts examples beside the folder of the tests.
        let tests = current_exe().expect("a test knows its own path");
        let program = tests.ancestors().nth(2).expect("it is in two folders").join("examples/web");
        let mut child =
            Command::new(&program).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap_or_else(
                |error| panic!("{}: {error}; `cargo build --features web --example web` makes it", program.display()),
            );
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it is text");
        let address = line.trim_end().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("the server says {line:?}")) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Every pipeline that the server knows, the newest last.
    pub(crate) fn pipelines(&self) -> Vec<Value> {
        let (status, mut stats) = ask(self.address, "GET", "/stats", None).expect("the server answers");
        assert_eq!(status, 200, "{stats}");
        stats["pipelines"].as_array_mut().map(std::mem::take).expect("they are a list")
    }

    /// The pipeline that was started last.
    pub(crate) fn pipeline(&self) -> Value {
        self.pipelines().pop().expect("one was started")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error is that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
