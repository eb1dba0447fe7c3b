//! Scenarios in a process of their own: only from outside can a test see that a process ends, and prints nothing.

use std::any::type_name;
use std::env;
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

/// Set in the process that runs the scenario.
const OWN_PROCESS: &str = "ACTIX_FAN_TEST_ALONE";

/// Runs the scenario of a test in another process, and checks that this ends with success and prints nothing: no panic
/// on any thread. The scenario must be a closure written in the test's function itself.
pub(crate) fn in_own_process<F: FnOnce()>(scenario: F) {
    in_own_process_by(Command::new(env::current_exe().unwrap()), scenario);
}

/// [`in_own_process`], in a process that is started by `command`, to which the arguments of this test's program are
/// added.
pub(crate) fn in_own_process_by<F: FnOnce()>(mut command: Command, scenario: F) {
    if env::var_os(OWN_PROCESS).is_some() {
        thread::spawn(|| {
            // For thousands of rounds on a busy machine.
            thread::sleep(Duration::from_secs(300));
            eprintln!("the scenario hangs");
            process::exit(3);
        });
        return scenario();
    }
    let (_, test) = type_name::<F>().trim_end_matches("::{{closure}}").split_once("::").expect("a crate has modules");
    // Also if the test is one that `cargo test` leaves out.
    let flags = ["--exact", "--include-ignored", "--nocapture", "--test-threads=1"];
    let output = command.arg(test).args(flags).env(OWN_PROCESS, "1").output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("1 passed"), "{test} is no test of this suite: {stdout}");
}

/// [`in_own_process`], where every thread's stack has room for many copies of large values: a build without
/// optimizations makes one per call.
pub(crate) fn with_large_stacks<F: FnOnce() + Send + 'static>(scenario: F) {
    if env::var_os(OWN_PROCESS).is_some() {
        // The size of the main thread's stack can't be set here.
        return thread::spawn(scenario).join().unwrap();
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.env("RUST_MIN_STACK", (256 << 20).to_string());
    in_own_process_by::<F>(command, scenario);
}
