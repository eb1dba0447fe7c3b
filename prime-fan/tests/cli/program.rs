//! Starts the program under test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::thread;

/// `prime-fan` with arguments separated by spaces, and without the caller's log settings.
pub(crate) fn prime_fan(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prime-fan"));
    if ignores_signals() {
        command = Command::new("env");
        command.args(["--default-signal=HUP,INT,QUIT,TERM", env!("CARGO_BIN_EXE_prime-fan")]);
    }
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    for variable in ["RUST_LOG", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// Returns true if these tests were started with ignored signals, as by `nohup` or by a script in the background. The
/// program inherits that, and leaves ignored signals ignored.
fn ignores_signals() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP, SIGINT, SIGQUIT and SIGTERM are 1, 2, 3 and 15.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 0x4007 != 0)
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it; always `None` on systems without signals.
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Parses the printed numbers.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.stdout.lines().map(|line| line.parse().expect("a line is a number")).collect()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the output is text");
        let (code, signal) = (output.status.code(), signal(output.status));
        Self { code, signal, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// Returns the names of the files in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("there is a folder").map(|entry| entry.expect("it can be read"));
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Runs `prime-fan` to its end.
pub(crate) fn run(arguments: &str) -> Ended {
    prime_fan(arguments).output().expect("prime-fan starts").into()
}

/// Runs `prime-fan` to its end on an input.
pub(crate) fn run_on(arguments: &str, input: impl Into<Vec<u8>>) -> Ended {
    let mut running = Running::reading(arguments);
    let mut stdin = running.stdin();
    let input = input.into();
    // The program may end before it has read all of the input.
    let writer = thread::spawn(move || _ = stdin.write_all(&input));
    let ended = running.end();
    writer.join().expect("writing can't panic");
    ended
}

/// A running program. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    pub(crate) fn start(arguments: &str) -> Self {
        Self::spawn(&mut prime_fan(arguments))
    }

    /// Starts it with an input that the test writes.
    pub(crate) fn reading(arguments: &str) -> Self {
        Self::spawn(prime_fan(arguments).stdin(Stdio::piped()))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("prime-fan starts");
        let stdout = child.stdout.take().map(BufReader::new);
        let stderr = child.stderr.take().map(BufReader::new).expect("it is piped");
        Self { child, stdout, stderr }
    }

    /// Takes its standard input, which ends when it is dropped.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("it is piped and was not taken before")
    }

    /// Waits for a line on the standard output.
    pub(crate) fn line(&mut self) -> String {
        line(self.stdout.as_mut().expect("it was not closed"))
    }

    /// Waits for a line on the standard error.
    pub(crate) fn error_line(&mut self) -> String {
        line(&mut self.stderr)
    }

    /// Closes the pipe of the standard output, as `head` does.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub(crate) fn kill(&self, signal: &str) {
        kill(signal, &self.child.id().to_string());
    }

    /// Sends a signal to the process group that the process leads, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn kill_group(&self, signal: &str) {
        kill(signal, &format!("-{}", self.child.id()));
    }

    /// Sends a signal to the only child of the process.
    #[cfg(target_os = "linux")]
    pub(crate) fn kill_child(&self, signal: &str) {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux tells them");
        kill(signal, children.trim());
    }

    /// Returns the peak of its memory so far.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status("VmHWM:").trim_end_matches("kB").trim().parse().expect("it is a number")
    }

    /// Returns true if it handles SIGTERM by now.
    #[cfg(target_os = "linux")]
    pub(crate) fn listens(&self) -> bool {
        u64::from_str_radix(&self.status("SigCgt:"), 16).expect("it is a mask") >> (15 - 1) & 1 == 1
    }

    #[cfg(target_os = "linux")]
    fn status(&self, field: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let value = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux tells it");
        value.trim().to_owned()
    }

    /// Returns true if it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_some()
    }

    /// Waits for the end without reading the standard output.
    pub(crate) fn code(mut self) -> Option<i32> {
        self.child.wait().expect("it can be waited for").code()
    }

    /// Waits for the end by a signal, without reading the standard output.
    #[cfg(unix)]
    pub(crate) fn signal(mut self) -> Option<i32> {
        signal(self.child.wait().expect("it can be waited for"))
    }

    /// Reads what is left of the output, up to the end.
    pub(crate) fn end(mut self) -> Ended {
        let stdout = self.stdout.take();
        let stdout = thread::spawn(move || stdout.map(rest).unwrap_or_default());
        let stderr = rest(&mut self.stderr);
        let stdout = stdout.join().expect("the output is text");
        let status = self.child.wait().expect("it can be waited for");
        Ended { code: status.code(), signal: signal(status), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if the program has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal with the program `kill`.
#[cfg(unix)]
fn kill(signal: &str, process: &str) {
    let status = Command::new("kill").args([signal, "--", process]).status();
    assert!(status.expect("there is a kill program").success(), "kill {signal} {process}");
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line can be read");
    assert!(line.ends_with('\n'), "the output ended with {line:?}");
    line.trim_end().to_owned()
}

fn rest(mut reader: impl Read) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("the output is text");
    text
}
