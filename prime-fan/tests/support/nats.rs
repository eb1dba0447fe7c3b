//! A NATS server for the tests of nodes: the first one that `NATS_SERVER` names, or the one on the PATH or Debian's.

use std::env;
use std::io::{BufRead, BufReader, Write, stderr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::thread;

use tempfile::TempDir;

/// A NATS server of its own, killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    _files: TempDir,
}

/// Finds a server to run.
fn program() -> Option<PathBuf> {
    if let Some(named) = env::var_os("NATS_SERVER") {
        // As the library's tests have it, there may be several, or none.
        return env::split_paths(&named).find(|program| !program.as_os_str().is_empty());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).chain(["/usr/sbin".into()]).map(|folder| folder.join("nats-server"));
    places.find(|place| place.is_file())
}

impl Server {
    /// Starts one on a free port. `None`, with the reason on the standard error, if there is no program.
    pub(crate) fn start(jetstream: bool) -> Option<Self> {
        Self::start_with(jetstream, &[])
    }

    pub(crate) fn start_with(jetstream: bool, options: &[&str]) -> Option<Self> {
        let Some(program) = program() else {
            static TOLD: Once = Once::new();
            // Not with a macro: the test harness captures their output if the test passes.
            let note = b"skipped: there is no nats-server, neither in NATS_SERVER nor on the PATH\n";
            TOLD.call_once(|| stderr().write_all(note).expect("there is a standard error"));
            return None;
        };
        let files = TempDir::new().unwrap();
        let mut command = Command::new(&program);
        command.args(["--addr", "127.0.0.1", "--port", "-1"]).args(options);
        if jetstream {
            command.arg("--jetstream").arg("--store_dir").arg(files.path());
        }
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address = None;
        for line in log.by_ref() {
            let line = line.unwrap();
            if let Some((_, found)) = line.split_once("Listening for client connections on ") {
                address = Some(found.to_owned());
            }
            if line.contains("Server is ready") {
                break;
            }
        }
        // A server whose log is not read would block.
        thread::spawn(move || log.for_each(drop));
        let url = format!("nats://{}", address.expect("it says where it listens"));
        Some(Self { child, url, _files: files })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
