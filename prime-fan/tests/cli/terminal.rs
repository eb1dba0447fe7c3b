//! The program on a terminal: one that is closed, one that is not read, one that another job uses, a narrow one.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use crate::program::prime_fan;

/// The time after which a test fails.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Erases what follows the cursor. The program sends it whenever it draws.
const ERASE: &str = "\u{1b}[J";

/// A pseudo-terminal, seen from the side of the terminal emulator.
struct Window {
    side: File,
    /// The path that programs open.
    path: PathBuf,
    /// The output that was read but not returned yet.
    shown: String,
}

impl Window {
    fn open(columns: u16) -> Self {
        let side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&side).unwrap();
        unlockpt(&side).unwrap();
        tcsetwinsize(&side, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let path = ptsname(&side, Vec::new()).unwrap().into_string().unwrap().into();
        Self { side: side.into(), path, shown: String::new() }
    }

    /// Opens the terminal for a program. It does not become the controlling terminal of the test.
    fn terminal(&self, flags: OFlags) -> File {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | flags;
        rustix::fs::open(&self.path, flags, Mode::empty()).unwrap().into()
    }

    /// Starts a program with the terminal as its standard error.
    fn spawn(&self, mut command: Command, flags: OFlags) -> Child {
        // The command is dropped here, and with it the test's handle of the terminal.
        command.env("TERM", "xterm").stderr(self.terminal(flags)).spawn().unwrap()
    }

    /// Starts a program with the terminal as its controlling terminal; `None` if the tools for that are missing.
    fn log_in(&self, command: &[&str]) -> Option<Child> {
        if !Command::new("setsid").args(["bash", "-c", ""]).status().is_ok_and(|status| status.success()) {
            println!("skipped: there is no setsid or no bash");
            return None;
        }
        let mut setsid = Command::new("setsid");
        setsid.args(["--ctty", "env", "--default-signal=HUP,INT,QUIT,TERM"]).args(command);
        for variable in ["RUST_LOG", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            setsid.env_remove(variable);
        }
        setsid.stdin(self.terminal(OFlags::empty())).stdout(self.terminal(OFlags::empty()));
        Some(self.spawn(setsid, OFlags::empty()))
    }

    /// Waits until a text is shown. Returns the output up to it since the last call.
    fn wait_for(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.shown.find(text) {
                return self.shown.drain(..at + text.len()).collect();
            }
            let mut bytes = [0; 4096];
            let read = self.side.read(&mut bytes).unwrap_or_else(|error| panic!("{error} after {:?}", self.shown));
            self.shown += std::str::from_utf8(&bytes[..read]).unwrap();
        }
    }

    /// Returns the rest of the output, up to the end of the last program.
    fn rest(mut self) -> String {
        let mut bytes = [0; 4096];
        // A read fails when no program has the terminal open.
        while let Ok(read) = self.side.read(&mut bytes) {
            self.shown += std::str::from_utf8(&bytes[..read]).unwrap();
        }
        self.shown
    }

    /// Writes to the terminal until a write would block.
    fn fill(&self) {
        let mut terminal = self.terminal(OFlags::NONBLOCK);
        loop {
            match terminal.write(&[b'x'; 64]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // The kernel may make room with a delay.
                    let time = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                    if poll(&mut [PollFd::new(&terminal, PollFlags::OUT)], Some(&time)).unwrap() == 0 {
                        return;
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).split_at(1).1)
}

/// Waits until `done` returns true.
fn wait_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < TIMEOUT, "timed out");
        thread::yield_now();
    }
}

/// A filter that writes into a file and waits for input.
fn filter(folder: &TempDir) -> Command {
    let mut command = prime_fan("filter -o primes");
    command.current_dir(folder.path()).stdin(Stdio::piped());
    command
}

#[test]
fn a_terminal_that_is_gone_costs_no_result() {
    let folder = TempDir::new().unwrap();
    let mut window = Window::open(80);
    let mut child = window.spawn(filter(&folder), OFlags::empty());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"7\n").unwrap();
    window.wait_for(ERASE);
    drop(window);
    stdin.write_all(b"8 11\n").unwrap();
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_to_string(folder.path().join("primes")).unwrap(), "7\n11\n");
}

#[test]
fn a_terminal_that_takes_nothing_keeps_no_result_back() {
    for flags in [OFlags::empty(), OFlags::NONBLOCK] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("primes");
        let mut window = Window::open(80);
        let mut child = window.spawn(filter(&folder), flags);
        let mut stdin = child.stdin.take().unwrap();
        window.wait_for(ERASE);
        window.fill();
        stdin.write_all(b"7 8 11\n").unwrap();
        drop(stdin);
        wait_until(|| fs::read_to_string(&path).is_ok_and(|text| text == "7\n11\n"));
        // The write of the summary blocks until it is read.
        window.rest();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{flags:?}");
    }
}

#[test]
fn nothing_is_drawn_from_the_background() {
    let program = env!("CARGO_BIN_EXE_prime-fan");
    let run = "\"$0\" range 0.. --count --timeout 600ms --workers 1";
    let shown = |line: &str| {
        let window = Window::open(80);
        let mut child = window.log_in(&["bash", "-c", line, program])?;
        let shown = window.rest();
        child.wait().unwrap();
        Some(shown)
    };
    let Some(foreground) = shown(run) else { return };
    assert!(foreground.contains(ERASE), "{foreground:?}");
    let background = shown(&format!("set -m; {run} & wait $!; echo \"code $?\"")).unwrap();
    assert!(!background.contains(ERASE) && background.contains("code 124"), "{background:?}");
}

#[test]
fn a_bar_says_how_to_leave_and_ctrl_c_ends_the_script() {
    let prime = "18446744073709551557";
    let line = format!("for run in 1 2 3; do \"$0\" --finder trial --min {prime} --max {prime} --workers 2; done");
    for columns in [80, 40] {
        let mut window = Window::open(columns);
        let Some(mut child) = window.log_in(&["bash", "-c", &line, env!("CARGO_BIN_EXE_prime-fan")]) else { return };
        window.wait_for(ERASE);
        window.side.write_all(b"\x03").unwrap();
        window.wait_for("interrupt again to quit at once");
        window.side.write_all(b"\x03").unwrap();
        let rest = window.rest();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(2), "{rest:?}");
    }
}

#[test]
fn lines_fit_on_the_terminal_whatever_its_width() {
    for columns in [80, 40, 20, 3] {
        for options in ["--progress auto", "--progress workers --color always"] {
            let mut window = Window::open(columns);
            let command = prime_fan(&format!("range 0.. --count --timeout 700ms --workers 2 {options}"));
            let mut child = window.spawn(command, OFlags::empty());
            window.wait_for(ERASE);
            let shown = window.rest();
            assert_eq!(child.wait().unwrap().code(), Some(124));
            for line in without_escapes(&shown).split(['\r', '\n']) {
                // Errors may be longer.
                if line.starts_with("prime-fan: stopped by --timeout after") {
                    continue;
                }
                let fits = line.len() <= usize::from(columns) || columns < 40 && line.ends_with(" found");
                assert!(fits, "{columns} columns: {line:?}");
            }
        }
    }
}
