//! Nodes and coordinators as processes: this program again.

use std::cell::Cell;
use std::env;
use std::io::{BufRead, Write};
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use actix::System;
use actix_fan::FanOutExt;
use actix_fan::remote::{Nats, Node};
use futures::StreamExt;

use super::{Lines, kind, print_log};
use crate::support::Gate;

/// What a process is told by its environment.
const ROLE: &str = "ACTIX_FAN_TEST_ROLE";

/// A process. It is killed when this is dropped.
pub(crate) struct Peer {
    process: Child,
    input: ChildStdin,
    lines: Lines,
    /// How often it was asked for a mark.
    marks: Cell<usize>,
}

impl Peer {
    /// A node that has the kind of the tests. `settings` are further ones, each a name and a value:
    ///
    /// - `hold`: the item at which work waits until [`release`](Self::release)
    /// - `deadly`: the item that ends the process
    /// - `pace`: how many microseconds an item takes
    /// - `kind`: another one
    /// - `threads`: 2 by default
    /// - `replicas`: 1 by default
    /// - `traces`: it has spans, and prints for each item in which trace it runs
    /// - `nkey`: the file with its key
    pub(crate) fn node(url: &str, settings: &[(&str, &str)]) -> Self {
        Self::new("node", url, settings)
    }

    /// A node that serves.
    pub(crate) async fn ready_node(url: &str, settings: &[(&str, &str)]) -> Self {
        let node = Self::node(url, settings);
        node.lines.wait_for("serves").await;
        node
    }

    /// The coordinator of a run of so many items.
    pub(crate) fn coordinator(url: &str, run: &str, items: u64) -> Self {
        Self::new("coordinator", url, &[("run", run), ("items", &items.to_string())])
    }

    fn new(role: &str, url: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["setup::peer::a_process", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role).env("PEER_URL", url);
        for (name, value) in settings {
            command.env(format!("PEER_{name}"), value);
        }
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = Lines::read(&format!("{role} {}", process.id()), process.stdout.take().unwrap());
        Self { input: process.stdin.take().unwrap(), process, lines, marks: Cell::new(0) }
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The items that it has begun, in their order. What it has printed by now is read first, which may take a moment.
    pub(crate) async fn begun(&self) -> Vec<u64> {
        self.marks.set(self.marks.get() + 1);
        // An error if it has ended.
        let _ = writeln!(&self.input, "mark");
        self.lines.has_or_ended("a mark", self.marks.get()).await;
        self.lines.numbers("begins")
    }

    /// Lets the item go on that is held.
    pub(crate) fn release(&mut self) {
        self.tell("release");
    }

    /// Has a node drain.
    pub(crate) fn drain(&mut self) {
        self.tell("drain");
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.input, "{what}").unwrap();
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }

    /// `kill -STOP`, or `-CONT`.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.process.id());
    }
}

/// As `kill -NAME PROCESS`.
pub(crate) fn signal(name: &str, process: u32) {
    let command = format!("kill -{name} {process}");
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Does nothing among the other tests: it is what such a process runs.
#[test]
fn a_process() {
    let Ok(role) = env::var(ROLE) else { return };
    print_log(true);
    // The line has the name of this test so far.
    println!();
    let (orders, ordered) = tokio::sync::mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match &*line {
                "release" => GATE.open(),
                "mark" => println!("a mark"),
                _ => drop(orders.send(line)),
            }
        }
        // The test has ended, or was killed.
        process::exit(0);
    });
    System::new().block_on(async {
        match &*role {
            "node" => node(ordered).await,
            _ => coordinator().await,
        }
    });
}

static GATE: LazyLock<Gate> = LazyLock::new(Gate::new);

fn setting(name: &str) -> Option<String> {
    env::var(format!("PEER_{name}")).ok()
}

fn number(name: &str) -> Option<u64> {
    setting(name).map(|value| value.parse().unwrap())
}

async fn connect() -> Nats {
    let mut builder = Nats::builder(setting("URL").unwrap())
        .ack_wait(Duration::from_secs(number("ack_wait").unwrap_or(1)))
        .max_bytes(256 << 20)
        .replicas(number("replicas").unwrap_or(1) as usize);
    if let Some(nkey) = setting("nkey") {
        builder = builder.nkey_file(nkey);
    }
    builder.connect().await.unwrap()
}

async fn node(mut orders: tokio::sync::mpsc::UnboundedReceiver<String>) {
    let nats = connect().await;
    let (hold, deadly, pace) = (number("hold"), number("deadly"), number("pace"));
    #[cfg(feature = "tracing")]
    let traces = setting("traces").is_some();
    let before = move |n: u64| {
        println!("begins {n}");
        #[cfg(feature = "tracing")]
        if traces {
            println!("in the trace {}", crate::traces::id());
        }
        if hold == Some(n) {
            println!("holds {n}");
            GATE.pass();
        }
        if deadly == Some(n) {
            process::abort();
        }
        if let Some(pace) = pace {
            thread::sleep(Duration::from_micros(pace));
        }
    };
    let builder = Node::builder()
        .threads(number("threads").unwrap_or(2) as usize)
        .try_map(&setting("kind").unwrap_or_else(|| kind::NUMBERS.to_owned()), move |n: u64| {
            before(n);
            kind::number(n)
        })
        .map(kind::BYTES, move |n: u64| {
            before(n);
            kind::bytes(n)
        });
    #[cfg(feature = "tracing")]
    let builder = if traces {
        tracing::subscriber::set_global_default(crate::traces::subscriber()).unwrap();
        builder.observe(std::sync::Arc::new(crate::traces::spans()))
    } else {
        builder
    };
    let node = match builder.start(&nats).await {
        Ok(node) => node,
        Err(error) => return println!("refused: {error}"),
    };
    println!("node {} serves", node.name());
    tokio::select! {
        Some(_) = orders.recv() => {
            node.drain();
            println!("drains");
            node.finished().await;
        }
        () = node.finished() => {}
    }
    println!("drained");
}

async fn coordinator() {
    let nats = connect().await;
    let numbers = (0..number("items").unwrap()).fan_out().ordered().batch(2);
    let mut results = numbers.over(&nats).run_id(setting("run").unwrap()).run::<u64>(kind::NUMBERS).unwrap();
    let mut count = 0;
    while results.next().await.is_some() {
        count += 1;
        println!("takes {count}");
    }
    match results.finished().await {
        Ok(_) => println!("complete"),
        Err(error) => println!("failed: {error}"),
    }
}
