//! The example `page` as a process.

use std::env::current_exe;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::http::ask;
use crate::patience::until;

/// Returns the command of the example, without arguments.
pub(crate) fn command() -> Command {
    // Cargo's folder of examples is beside that of the tests.
    let tests = current_exe().expect("a test knows its own path");
    let mut command = Command::new(tests.ancestors().nth(2).expect("it is in two folders").join("examples/page"));
    command.stdin(Stdio::null());
    command
}

/// A server on a free port. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start(workers: usize) -> Self {
        Self::with(&["--port", "0", "--workers", &workers.to_string()])
    }

    /// Starts a server at the address of another that has ended.
    pub(crate) fn again(port: u16) -> Self {
        Self::with(&["--port", &port.to_string(), "--workers", "1"])
    }

    pub(crate) fn with(args: &[&str]) -> Self {
        Self::spawn(command().args(args))
    }

    /// Starts a server, and reads its address from its output.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
            panic!("{command:?}: {error}; `cargo build --example page` makes it");
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it is text");
        let address = line.trim_end().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("the server says {line:?}")) }
    }

    /// Takes its standard error, which must be a pipe.
    pub(crate) fn stderr(&mut self) -> BufReader<ChildStderr> {
        BufReader::new(self.child.stderr.take().expect("it is piped, and not taken yet"))
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.expect("there is a kill program").success());
    }

    /// Waits until it has ended by itself, and returns its exit code.
    pub(crate) fn code(&mut self) -> Option<i32> {
        until("the server has ended", || self.child.try_wait().expect("it is a child")).code()
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

    /// Returns the pipelines that the server lists, the newest last.
    pub(crate) fn pipelines(&self) -> Vec<Value> {
        let (status, mut stats) = ask(self.address, "GET", "/stats", None).expect("the server answers");
        assert_eq!(status, 200, "{stats}");
        stats["pipelines"].as_array_mut().map(std::mem::take).expect("they are a list")
    }

    /// Returns the pipeline that was started last.
    pub(crate) fn pipeline(&self) -> Value {
        self.pipelines().pop().expect("one was started")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
