//! `examples/actix_app.rs` as it is run, and interrupted.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::mem;
use std::process::{Child, ChildStdout, Command, Stdio};

const FIRST: [&str; 4] = ["from 1000000000000", "1000000000039", "1000000000061", "1000000000063"];
const SECOND: [&str; 4] = ["from 2000000000000", "2000000000003", "2000000000123", "2000000000137"];
const LAST: &str = "every worker is gone";

struct App {
    child: Child,
    stdout: BufReader<ChildStdout>,
    lines: Vec<String>,
}

impl App {
    fn start() -> Self {
        let path = env::current_exe().unwrap().with_file_name("../examples/actix_app");
        let child = Command::new(&path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| {
            panic!("{error}: {} is built by `cargo test`, or by `cargo build --examples`", path.display())
        });
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, lines: Vec::new() }
    }

    /// Reads on until this line has come.
    fn until(&mut self, awaited: &str) {
        while self.lines.last().is_none_or(|last| last != awaited) {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "{awaited} never came: {:?}", self.lines);
            self.lines.push(line.trim_end().into());
        }
    }

    fn interrupt(&self) {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(status.expect("there is a kill program").success());
    }

    /// Checks that it ends in order; returns what it printed.
    fn end(mut self) -> Vec<String> {
        let (mut rest, mut errors) = (String::new(), String::new());
        self.stdout.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!((self.child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
        self.lines.extend(rest.lines().map(Into::into));
        assert_eq!(self.lines.last().unwrap(), LAST);
        assert_eq!(self.lines.iter().filter(|line| *line == LAST).count(), 1);
        mem::take(&mut self.lines)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // Of one that has ended already, or of a test that failed.
        let _ = self.child.kill();
    }
}

#[test]
fn it_prints_what_it_says() {
    let lines = App::start().end();
    assert_eq!(lines[..4], FIRST);
    assert_eq!(lines[5..9], SECOND);
    for total in [&lines[4], &lines[9]] {
        let count = total.strip_prefix("... ").and_then(|total| total.strip_suffix(" primes in all"));
        assert!(count.expect(total).parse::<u64>().unwrap() > 3);
    }
    assert_eq!(lines.len(), 11);
}

#[test]
fn an_interrupt_in_any_phase_ends_it_in_order() {
    for phase in FIRST.into_iter().chain(SECOND) {
        let mut app = App::start();
        app.until(phase);
        app.interrupt();
        let lines = app.end();
        assert!(lines.iter().any(|line| line.ends_with(" primes in all")), "what was in flight arrived: {lines:?}");
    }
}

#[test]
fn interrupts_that_come_again_and_again_change_nothing() {
    let mut app = App::start();
    app.until(FIRST[0]);
    for _ in 0..3 {
        app.interrupt();
    }
    app.end();
}
