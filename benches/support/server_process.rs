//! A server that is this program in a process of its own.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Runs until it is dropped.
pub(crate) struct ServerProcess {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
}

impl ServerProcess {
    /// Starts this program with these arguments. It must print the address on which it listens, as its first line.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env::current_exe().expect("this program is a file"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process can be started");
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the server says where it listens");
        Self { process, address: line.trim().parse().expect("the server says where it listens") }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
