//! A NATS server for a benchmark.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};

/// A server with JetStream, and its files; both are gone when this is dropped.
pub(crate) struct Server {
    process: Child,
    files: PathBuf,
    pub(crate) url: String,
}

impl Server {
    /// `None` if there is none, which is printed.
    pub(crate) fn start() -> Option<Self> {
        // The first, where it names several.
        let named = env::var_os("NATS_SERVER").and_then(|named| env::split_paths(&named).next());
        let program = named.map_or_else(|| OsString::from("nats-server"), PathBuf::into_os_string);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let files = env::temp_dir().join(format!("remote-bench-{}", process::id()));
        let mut command = Command::new(&program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(&files);
        let process = match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(process) => process,
            Err(error) => {
                println!("skipped: {} does not start ({error}); NATS_SERVER can name it", program.to_string_lossy());
                return None;
            }
        };
        let mut server = Self { process, files, url: format!("nats://127.0.0.1:{port}") };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Ok(Some(status)) = server.process.try_wait() {
                println!("skipped: {} has ended with {status}", program.to_string_lossy());
                return None;
            }
            std::thread::yield_now();
        }
        Some(server)
    }
}

impl Server {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.files);
    }
}
