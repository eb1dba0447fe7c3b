//! `examples/actix_app.rs` as a process that is interrupted.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::mem;
use std::process::{Child, ChildStdout, Command, Stdio};

const FIRST: [&str; 4] = ["from 1000000000", "1000000007", "1000000009", "1000000021"];
const SECOND: [&str; 4] = ["from 2000000000", "2000000011", "2000000033", "2000000063"];
const LAST: &str = "all workers have stopped";

struct App {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    lines: Vec<String>,
}

fn spawn(stdout: Stdio, stderr: Stdio) -> Child {
    let path = env::current_exe().unwrap().with_file_name("../examples/actix_app");
    Command::new(&path).stdout(stdout).stderr(stderr).spawn().unwrap_or_else(|error| {
        panic!("{error}: {} is built by `cargo test`, or by `cargo build --examples`", path.display())
    })
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(status.expect("there is a kill program").success());
}

impl App {
    fn start() -> Self {
        let mut child = spawn(Stdio::piped(), Stdio::piped());
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout, lines: Vec::new() }
    }

    /// Reads on until this line has come.
    fn until(&mut self, awaited: &str) {
        while self.lines.last().is_none_or(|last| last != awaited) {
            let mut line = String::new();
            assert_ne!(
                self.stdout.as_mut().unwrap().read_line(&mut line).unwrap(),
                0,
                "{awaited} never came: {:?}",
                self.lines
            );
            self.lines.push(line.trim_end().into());
        }
    }

    /// Closes what it prints to.
    fn hang_up(&mut self) {
        self.stdout = None;
    }

    fn interrupt(&self) {
        signal(&self.child, "INT");
    }

    /// Checks that it ends in order; returns what it printed.
    fn end(mut self) -> Vec<String> {
        let (mut rest, mut errors) = (String::new(), String::new());
        self.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
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

#[test]
fn each_signal_that_ends_a_process_ends_it_in_order() {
    for name in ["TERM", "HUP"] {
        let mut app = App::start();
        app.until(FIRST[0]);
        signal(&app.child, name);
        app.end();
    }
}

/// An actor that owns the application and panics would leave a process that no signal ends: these tests would hang.
#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    for phase in FIRST.into_iter().chain(SECOND) {
        let mut app = App::start();
        app.until(phase);
        app.hang_up();
        let mut errors = String::new();
        app.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!((app.child.wait().unwrap().code(), errors.as_str()), (Some(0), ""), "after {phase}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_takes_nothing_ends_it_with_its_error() {
    let full = || Stdio::from(std::fs::File::create("/dev/full").unwrap());
    let output = spawn(full(), Stdio::piped()).wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), errors.lines().count()), (Some(1), 1), "{errors}");
    assert!(errors.starts_with("No space left on device"), "{errors}");
    // If the error can't be printed either, the exit code says it.
    assert_eq!(spawn(full(), full()).wait().unwrap().code(), Some(1));
}
