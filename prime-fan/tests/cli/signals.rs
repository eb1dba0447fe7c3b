//! SIGINT (Ctrl-C), SIGTERM and SIGHUP.

use std::io::Write;

use prime_fan::is_prime;

use crate::program::{Running, run};

const ENDLESS: &str = "--number 18446744073709551615";

#[test]
fn a_signal_prints_what_was_found_and_the_summary() {
    for (signal, number) in [("-INT", 2), ("-TERM", 15), ("-HUP", 1)] {
        for options in ["", "--ordered", "--finder trial --bits 30"] {
            let mut running = Running::start(&format!("{ENDLESS} --seed 3 {options}"));
            let first = running.line().parse().unwrap();
            running.kill(signal);
            let ended = running.end();
            assert_eq!(ended.signal, Some(number), "{signal} {options}");
            assert!(is_prime(first) && ended.numbers().into_iter().all(is_prime));
            let summary = format!(", {} prime", ended.numbers().len() + 1);
            assert!(ended.stderr.contains(&summary), "{summary:?} in {:?}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
}

#[test]
fn an_ordered_search_that_was_interrupted_has_printed_the_beginning_of_the_whole() {
    let options = "--seed 11 --ordered";
    let mut running = Running::start(&format!("{ENDLESS} {options}"));
    let first = running.line();
    running.kill("-INT");
    let printed = format!("{first}\n{}", running.end().stdout);
    let whole = run(&format!("--number {} {options} --workers 1", printed.lines().count()));
    assert!(whole.stdout == printed, "the drain left something out");
}

/// A range of one prime, for which trial division takes seconds: all items are in flight when the note comes.
const LONG: &str = "--finder trial --min 18446744073709551557 --max 18446744073709551557 --workers 2";

#[test]
fn a_second_signal_leaves_at_once() {
    let mut running = Running::start(LONG);
    assert!(running.error_line().contains(" numbers tested, 0 of 10 primes found so far"));
    running.kill("-INT");
    assert!(running.error_line().contains("interrupt again to quit at once"));
    running.kill("-INT");
    let ended = running.end();
    assert_eq!((ended.signal, ended.stdout.as_str(), ended.stderr.as_str()), (Some(2), "", ""));
}

#[test]
fn signals_work_while_the_output_is_not_read() {
    let mut running = Running::start(ENDLESS);
    running.line();
    running.kill("-INT");
    // A signal that comes too soon after the first counts as the same.
    while !running.has_ended() {
        running.kill("-TERM");
    }
    // The first signal is enough if the pipe had room for all results in flight.
    assert!(matches!(running.signal(), Some(2 | 15)));
}

/// Programs such as `timeout` send a signal twice.
#[test]
fn a_signal_that_comes_twice_in_a_row_is_one() {
    // A test takes long, so that one is running when the signals come.
    let prime = "10000000000000061";
    let mut running = Running::start(&format!("--finder trial --min {prime} --max {prime} {ENDLESS} --workers 1"));
    assert_eq!(running.line(), prime);
    running.kill("-TERM");
    running.kill("-TERM");
    let ended = running.end();
    assert_eq!(ended.signal, Some(15));
    assert!(ended.stdout.starts_with(prime), "what was in flight is lost: {ended:?}");
}

/// As by `nohup`. The program inherits the ignored signal from the shell.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_ignored_at_the_start_stays_ignored() {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" filter", env!("CARGO_BIN_EXE_prime-fan")]);
    let mut running = Running::spawn(command.stdin(std::process::Stdio::piped()));
    let mut stdin = running.stdin();
    for prime in ["7", "11"] {
        writeln!(stdin, "{prime}").unwrap();
        assert_eq!(running.line(), prime);
        running.kill("-HUP");
    }
    drop(stdin);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_second_signal_removes_the_file_that_is_not_complete() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("primes");
    let mut running = Running::start(&format!("{LONG} --output {}", path.display()));
    running.error_line();
    running.kill("-INT");
    assert!(running.error_line().contains("interrupt again to quit at once"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    running.kill("-INT");
    assert_eq!(running.signal(), Some(2));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_run_that_is_stuck_ends_soon_after_its_time() {
    let mut running = Running::start(&format!("{ENDLESS} --timeout 1s"));
    running.line();
    // The pipe is not read, so the program blocks in a write.
    assert_eq!(running.code(), Some(124));
}

#[test]
fn a_signal_ends_a_search_that_finds_nothing() {
    let mut running = Running::reading("filter --progress always");
    let mut stdin = running.stdin();
    writeln!(stdin, "4").unwrap();
    assert!(running.error_line().contains(" 0 found"));
    running.kill("-INT");
    let ended = running.end();
    assert_eq!(ended.signal, Some(2));
    assert!(ended.stderr.contains(", 0 primes found, source-bound "), "{}", ended.stderr);
}

#[test]
fn a_signal_just_after_the_start_ends_it() {
    // The signal may come before the pipeline starts or while it runs. It must never be lost.
    for _ in 0..20 {
        let running = Running::start(&format!("{ENDLESS} -o /dev/null"));
        running.kill("-TERM");
        let ended = running.end();
        assert_eq!(ended.signal, Some(15), "{ended:?}");
    }
}

/// Ctrl-C also goes to the shell, which stops its script only if the program ends by the signal.
#[test]
fn ctrl_c_ends_the_script_around_it() {
    let line = "for run in 1 2 3; do \"$0\" range 0..1e15 --count --progress always; echo \"run $run: $?\"; done";
    let mut command = std::process::Command::new("setsid");
    command.args(["bash", "-c", line, env!("CARGO_BIN_EXE_prime-fan")]);
    let has_bash = std::process::Command::new("setsid").args(["bash", "-c", ""]).status();
    if !has_bash.is_ok_and(|status| status.success()) {
        println!("skipped: there is no setsid or no bash");
        return;
    }
    let mut running = Running::spawn(&mut command);
    assert!(running.error_line().starts_with("prime-fan: 0 %"));
    running.kill_group("-INT");
    let ended = running.end();
    assert_eq!((ended.signal, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
}

/// Signals have no default action for process 1 of a container.
#[cfg(target_os = "linux")]
#[test]
fn the_first_process_of_a_container_exits_with_the_code_of_the_signal() {
    let mut command = std::process::Command::new("unshare");
    command.args(["--map-root-user", "--pid", "--fork", "--kill-child"]);
    if !command.arg("true").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: unshare gives no process namespace here");
        return;
    }
    let mut command = std::process::Command::new("unshare");
    command.args(["--map-root-user", "--pid", "--fork", "--kill-child", env!("CARGO_BIN_EXE_prime-fan")]);
    command.args(["range", "0..1e15", "--count", "--progress", "always"]);
    let mut running = Running::spawn(&mut command);
    running.error_line();
    running.kill_child("-TERM");
    assert_eq!(running.end().code, Some(143));
}
