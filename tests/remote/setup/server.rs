//! NATS servers.

use std::env;
use std::fs;
use std::future::Future;
use std::io::{self, Write};
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use actix::System;
use futures::future::join_all;

use super::{Disk, Lines, print_log, signal};

/// How long a test may take.
const TIME_LIMIT: Duration = Duration::from_secs(180);

/// A server with a folder of its own. It is killed when this is dropped.
pub(crate) struct Server {
    program: PathBuf,
    folder: PathBuf,
    config: String,
    port: u16,
    /// What it stores on, if not on the one of all.
    disk: Option<Disk>,
    process: Option<(Child, Lines)>,
}

/// The programs to test with.
fn programs() -> Vec<PathBuf> {
    if let Some(named) = env::var_os("NATS_SERVER") {
        let named: Vec<_> = env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
        for program in &named {
            assert!(program.is_file(), "NATS_SERVER names {}, which is no file", program.display());
        }
        return named;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder: PathBuf| folder.join("nats-server")).find(|path| path.is_file()).into_iter().collect()
}

/// Runs a test on the first of the servers.
pub(crate) fn on_one_server<F: Future<Output = ()>>(test: impl Fn(Server) -> F) {
    on_servers(1, JETSTREAM, test);
}

/// Runs a test on each of the servers, at the same time.
pub(crate) fn on_each_server<F: Future<Output = ()>>(test: impl Fn(Server) -> F) {
    on_servers(usize::MAX, JETSTREAM, test);
}

const JETSTREAM: &str = "";

fn on_servers<F: Future<Output = ()>>(most: usize, config: &str, test: impl Fn(Server) -> F) {
    print_log(false);
    let programs = programs();
    if programs.is_empty() {
        static TOLD: Once = Once::new();
        // Past the capture of the tests' output.
        let tell = || drop(writeln!(io::stderr(), "skipped, since no nats-server was found: NATS_SERVER may name one"));
        TOLD.call_once(tell);
        return;
    }
    System::new().block_on(async {
        let tests = programs.into_iter().take(most).map(|program| async {
            let mut server = Server::new(program, config);
            server.start().await;
            test(server).await;
        });
        tokio::time::timeout(TIME_LIMIT, join_all(tests)).await.expect("the test hangs");
    });
}

/// A port that no other test has, of this process or, most likely, of another. It is none of those that the system gives to
/// connections, one of which would have it while a server is down.
pub(crate) fn free_port() -> u16 {
    const PORTS: Range<u32> = 12_000..32_000;
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Processes have numbers behind each other, so they begin far apart.
        let at = std::process::id().wrapping_mul(7_919).wrapping_add(COUNT.fetch_add(1, Relaxed));
        let port = (PORTS.start + at % (PORTS.end - PORTS.start)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Server {
    /// A server that is not started yet, whose configuration has these lines as well.
    fn new(program: PathBuf, config: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("nats-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { program, folder, config: config.to_owned(), port: free_port(), disk: None, process: None }
    }

    /// Another one of the same program, not started yet.
    pub(crate) fn another(&self, config: &str) -> Self {
        Self::new(self.program.clone(), config)
    }

    /// Has it store on a disk of its own that has so many MiB. Returns false, with a word on the standard error, where that takes
    /// permissions that this process lacks.
    #[must_use]
    pub(crate) fn on_small_disk(&mut self, size: u32) -> bool {
        self.disk = Disk::mount(&self.storage(), size);
        if self.disk.is_none() {
            let _ = writeln!(io::stderr(), "skipped, since a disk can't be mounted here");
        }
        self.disk.is_some()
    }

    pub(crate) fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("it has one")
    }

    /// Starts it, on the same port each time. Waits until it is ready.
    pub(crate) async fn start(&mut self) {
        self.launch();
        self.is_ready().await;
    }

    /// Waits until a server that was launched is ready.
    pub(crate) async fn is_ready(&self) {
        self.log().wait_for("Server is ready").await;
    }

    /// Has it take other lines of its configuration over.
    pub(crate) async fn reload(&mut self, config: &str) {
        self.config = config.to_owned();
        self.configure();
        let (process, log) = self.process.as_ref().expect("it runs");
        let count = log.count("Reloaded server configuration");
        signal("HUP", process.id());
        log.wait_for_nth("Reloaded server configuration", count + 1).await;
    }

    /// Starts it, without waiting.
    pub(crate) fn launch(&mut self) {
        self.configure();
        let mut command = match &self.disk {
            None => Command::new(&self.program),
            Some(disk) => disk.command(&self.program),
        };
        command
            .arg("--config")
            .arg(self.config_file())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let log = Lines::read("the server", process.stderr.take().unwrap());
        self.process = Some((process, log));
    }

    fn configure(&self) {
        // Its own lines come last: what they say of JetStream holds.
        let jetstream = match self.config.contains("jetstream") {
            true => String::new(),
            false => format!("jetstream {{ store_dir: {:?} }}\n", self.storage()),
        };
        let config = self.config.replace("STORAGE", &self.storage().display().to_string());
        fs::write(self.config_file(), format!("listen: \"127.0.0.1:{}\"\n{jetstream}{config}\n", self.port)).unwrap();
    }

    fn config_file(&self) -> PathBuf {
        self.file("server.conf")
    }

    /// Where a test has files of its own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn storage(&self) -> PathBuf {
        self.folder.join("storage")
    }

    pub(crate) fn log(&self) -> &Lines {
        &self.process.as_ref().expect("it runs").1
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// With the name and password of a user.
    pub(crate) fn url_of(&self, user: &str) -> String {
        format!("nats://{user}@127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        let (mut process, _) = self.process.take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// The files with the messages of a stream. It must be down.
    fn blocks(&self, stream: &str) -> Vec<PathBuf> {
        assert!(self.process.is_none(), "it runs");
        let messages = self.storage().join("jetstream/$G/streams").join(stream).join("msgs");
        let files = fs::read_dir(messages).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|extension| extension == "blk")).collect()
    }

    /// Cuts all files with messages of a stream in half. Returns how many bytes were cut off.
    pub(crate) fn cut_in_half(&self, stream: &str) -> u64 {
        let cut = |file: &PathBuf| {
            let length = fs::metadata(file).unwrap().len();
            fs::File::options().write(true).open(file).unwrap().set_len(length / 2).unwrap();
            length - length / 2
        };
        self.blocks(stream).iter().map(cut).sum()
    }

    /// Removes a stream with all its files.
    pub(crate) fn remove_stream(&self, stream: &str) {
        assert!(self.process.is_none(), "it runs");
        fs::remove_dir_all(self.storage().join("jetstream/$G/streams").join(stream)).unwrap();
    }

    /// Removes all that it has stored.
    pub(crate) fn remove_all(&self) {
        assert!(self.process.is_none(), "it runs");
        fs::remove_dir_all(self.storage()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((process, log)) = &mut self.process {
            // It may have ended.
            let _ = process.kill();
            let _ = process.wait();
            if std::thread::panicking() {
                println!("the last lines of the server's log:\n{}", log.last());
            }
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
