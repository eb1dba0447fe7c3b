//! Scenarios that take a process of their own: whether one ends, and in silence, shows from outside only.

use std::any::type_name;
use std::env;
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

/// Set in the process that runs the scenario.
const ALONE: &str = "ACTIX_FAN_TEST_ALONE";

/// Runs the scenario of a test in another process, and checks that this ends with success and says nothing: no panic,
/// on whatever thread. The scenario must be a closure written in the test's function itself.
pub(crate) fn alone<F: FnOnce()>(scenario: F) {
    if env::var_os(ALONE).is_some() {
        thread::spawn(|| {
            thread::sleep(Duration::from_secs(60));
            eprintln!("the scenario hangs");
            process::exit(3);
        });
        return scenario();
    }
    let (_, test) = type_name::<F>().trim_end_matches("::{{closure}}").split_once("::").expect("a crate has modules");
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("1 passed"), "{test} is no test of this suite: {stdout}");
}
