//! Signals, closed readers and `kill -9`, for every command and every kind of output.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use prime_fan::is_prime;
use tempfile::TempDir;

use crate::program::{Running, names, prime_fan};

/// The time after which a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The signals that end the program, and their numbers.
const SIGNALS: [(&str, i32); 3] = [("-INT", 2), ("-TERM", 15), ("-HUP", 1)];

/// Endless searches. `filter` reads the input that [`start`] writes.
const ENDLESS: [&str; 3] = ["random -q --number 18446744073709551615", "filter -q", "range -q 0.."];

fn start(folder: &Path, arguments: &str) -> Running {
    let mut running = Running::spawn(prime_fan(arguments).current_dir(folder).stdin(Stdio::piped()));
    let mut stdin = running.stdin();
    // Ends when the program does.
    thread::spawn(move || while stdin.write_all(b"7 8 9 11\n").is_ok() {});
    running
}

/// Waits until the temporary file has `bytes` bytes. Returns true if that was before the program ended.
fn wait_for_bytes(running: &mut Running, folder: &Path, bytes: u64) -> bool {
    loop {
        let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let mut temporary = files.filter(|file| file.file_name().to_string_lossy().starts_with(".prime-fan-"));
        // The program may rename it at any time.
        if temporary.any(|file| file.metadata().is_ok_and(|metadata| metadata.len() >= bytes)) {
            return true;
        }
        if running.has_ended() {
            return false;
        }
        thread::yield_now();
    }
}

#[test]
fn a_signal_ends_every_search_with_whole_lines() {
    let folder = TempDir::new().unwrap();
    for arguments in ENDLESS {
        for (signal, number) in SIGNALS {
            let mut running = start(folder.path(), arguments);
            running.line();
            running.kill(signal);
            let ended = running.end();
            assert_eq!((ended.signal, ended.stderr.as_str()), (Some(number), ""), "{signal} {arguments}");
            assert!(ended.stdout.is_empty() || ended.stdout.ends_with('\n'), "{signal} {arguments}");
            // Panics if a line is not a number.
            ended.numbers();
        }
    }
}

#[test]
fn a_second_signal_ends_every_search_whose_output_is_not_read() {
    let folder = TempDir::new().unwrap();
    for arguments in ENDLESS {
        let mut running = start(folder.path(), arguments);
        running.line();
        // A signal that comes too soon after the first counts as the same.
        while !running.has_ended() {
            running.kill("-INT");
        }
        assert_eq!(running.signal(), Some(2), "{arguments}");
    }
}

/// As with results on the standard output.
#[test]
fn a_signal_keeps_what_every_search_had_found_in_its_file() {
    for arguments in ENDLESS {
        for (signal, number) in SIGNALS {
            let folder = TempDir::new().unwrap();
            fs::write(folder.path().join("primes"), "old").unwrap();
            let mut running = start(folder.path(), &format!("{arguments} -o primes"));
            assert!(wait_for_bytes(&mut running, folder.path(), 1));
            running.kill(signal);
            let ended = running.end();
            assert_eq!(ended.signal, Some(number), "{signal} {arguments}");
            assert_eq!(ended.stderr, "");
            assert_eq!(names(folder.path()), ["primes"]);
            let text = fs::read_to_string(folder.path().join("primes")).unwrap();
            assert!(text.ends_with('\n') && text.lines().all(|line| line.parse().is_ok_and(is_prime)));
        }
    }
}

/// A command that fills a pipe and then executes the program.
fn into_full_pipe(pipe: &str, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("yes | head -c 65536 >&{pipe}; exec \"$0\" {arguments}")]);
    command.arg(env!("CARGO_BIN_EXE_prime-fan")).stdin(Stdio::piped());
    command
}

/// Container runtimes send a single SIGTERM.
#[test]
fn one_signal_ends_every_search_whose_output_is_not_read() {
    for (arguments, (signal, number)) in ENDLESS.into_iter().zip(SIGNALS) {
        let mut running = Running::spawn(&mut into_full_pipe("1", &arguments.replace("-q", "-v")));
        running.stdin().write_all(b"7\n").unwrap();
        while !running.error_line().contains("fan-out started") {}
        running.kill(signal);
        assert_eq!(running.signal(), Some(number), "{signal} {arguments}");
    }
}

/// The file is written before the messages, which may block.
#[test]
fn messages_that_are_not_read_delay_no_file_and_one_signal_ends_them() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("primes");
    // The pipe is full before the summary.
    let mut command = into_full_pipe("2", "random --min 7 --max 7 -n 2 -o primes");
    let running = Running::spawn(command.current_dir(folder.path()));
    let start = Instant::now();
    while !fs::read_to_string(&path).is_ok_and(|text| text == "7\n7\n") {
        assert!(start.elapsed() < PATIENCE, "the file is kept back");
        thread::yield_now();
    }
    running.kill("-TERM");
    assert_eq!(running.signal(), Some(15));
    assert_eq!(fs::read_to_string(&path).unwrap(), "7\n7\n");
    assert_eq!(names(folder.path()), ["primes"]);
}

/// Opening a named pipe for writing blocks until a reader opens it. The search starts after that.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_what_waits_for_a_reader_of_a_named_pipe() {
    let folder = TempDir::new().unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    for arguments in ENDLESS {
        let running = start(folder.path(), &format!("{arguments} -o pipe"));
        while !running.listens() {
            thread::yield_now();
        }
        running.kill("-TERM");
        assert_eq!(running.signal(), Some(15), "{arguments}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_or_the_time_ends_what_waits_for_a_writer_of_a_named_pipe() {
    let folder = TempDir::new().unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    let mut running = Running::spawn(prime_fan("filter -v pipe").current_dir(folder.path()));
    while !running.error_line().contains("fan-out started") {}
    running.kill("-TERM");
    assert_eq!(running.signal(), Some(15));
    let running = Running::spawn(prime_fan("filter pipe --timeout 50ms").current_dir(folder.path()));
    assert_eq!(running.code(), Some(124));
}

#[test]
fn head_ends_every_search_quietly() {
    let folder = TempDir::new().unwrap();
    let numbers: String = (0..200_000).map(|n| format!("{n}\n")).collect();
    fs::write(folder.path().join("numbers"), numbers).unwrap();
    for arguments in
        ["random -q --number 18446744073709551615", "filter numbers", "filter --annotate numbers", "range 0.."]
    {
        for options in ["", "--format json", "--format csv", "-o /dev/stdout"] {
            let line = format!("(\"$0\" {arguments} {options}; echo $? >&2) | head -n 1");
            let output = Command::new("sh")
                .args(["-c", &line, env!("CARGO_BIN_EXE_prime-fan")])
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), "0\n", "{arguments} {options}");
            assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1, "{arguments} {options}");
        }
    }
}

#[test]
fn messages_that_are_not_read_change_nothing() {
    for (arguments, code) in
        [("range 2..9 -vv", 0), ("random --number 3", 0), ("filter nowhere", 74), ("--oops", 2), ("filter -v", 1)]
    {
        let mut child = prime_fan(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments}");
    }
}

#[test]
fn a_file_is_the_old_or_the_new_one_whenever_the_program_is_killed() {
    let arguments = "range 0..1e6 -o primes";
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("primes");
    let run = || prime_fan(arguments).current_dir(folder.path()).output().unwrap();
    assert!(run().status.success());
    let new = fs::read_to_string(&path).unwrap();
    let (mut killed, mut left) = (0, 0);
    for moment in 0..24 {
        // With and without a file that was there before.
        match moment % 2 {
            0 => fs::write(&path, "old").unwrap(),
            _ => _ = fs::remove_file(&path),
        }
        let mut running = Running::spawn(prime_fan(arguments).current_dir(folder.path()));
        // The last moments are those when everything is written, and the file is about to be renamed.
        let bytes = (new.len() as u64 * moment / 20).min(new.len() as u64);
        if wait_for_bytes(&mut running, folder.path(), bytes) {
            running.kill("-KILL");
        }
        killed += u32::from(running.code().is_none());
        match fs::read_to_string(&path) {
            Ok(text) => assert!(text == new || (text == "old" && moment % 2 == 0), "half a file at {moment}"),
            Err(error) => assert!(error.kind() == std::io::ErrorKind::NotFound && moment % 2 == 1, "{error}"),
        }
        // A temporary file may be left behind. Its name is documented, and it does not disturb later runs.
        let others: Vec<String> = names(folder.path()).into_iter().filter(|name| name != "primes").collect();
        assert!(others.iter().all(|name| name.starts_with(".prime-fan-") && name.ends_with(".tmp")), "{others:?}");
        left = others.len();
        if moment % 6 == 5 {
            assert!(run().status.success());
            assert!(fs::read_to_string(&path).unwrap() == new);
            assert_eq!(names(folder.path()).len(), 1 + left, "another run touches nothing of it");
        }
    }
    assert!(killed > 0 && left > 0, "it was killed {killed} times and left {left} files");
}
