//! Random command lines and inputs: the program ends with a documented exit code.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tempfile::TempDir;

use crate::program::prime_fan;

/// Options that can be combined freely.
const OPTIONS: [&str; 8] = [
    "--workers=3",
    "--format=json",
    "--format=csv",
    "--progress=always",
    "--stats=json",
    "--stats=text",
    "-q",
    "--color=always",
];

const OUTPUTS: [&str; 7] = [
    "--output=out",
    "--output=folder",
    "--output=missing/out",
    "--output=/dev/full",
    "--output=-",
    "--output=in",
    "-v",
];

const RANDOM: [&str; 8] =
    ["--number=1", "--number=1000", "--min=24", "--max=30", "--seed=7", "--tested=1", "--tested=5000", "--ordered"];

const FILTER: [&str; 11] =
    ["in", "-", "91", "1e19", "nowhere", "folder", "/dev/null", "--not", "--annotate", "--bad=skip", "--bad=report"];

const RANGES: [&str; 9] =
    ["0..100", "0..=0", "5..5", "..", "1e18..+1e5", "18446744073709551615..", "0..1e12", "9..2", "2^64.."];

const RANGE: [&str; 2] = ["--count", "--twins"];

/// Short timeouts, so that the test does not wait for long.
const TIMES: [&str; 4] = ["--timeout=0s", "--timeout=1ms", "--timeout=20ms", "--timeout=50ms"];

/// Arguments that are wrong, or that mean something else than a search.
const ODD: [&str; 29] = [
    "",
    "-",
    "--",
    "-o",
    "7",
    "\u{663}..4",
    "-1..9",
    "1e3",
    "0..1e30",
    "--oops",
    "--help",
    "-h",
    "--version",
    "--workers=0",
    "--workers=4097",
    "--format=xml",
    "--output=",
    "--stats",
    "--color=green",
    "--number=0",
    "--min=18446744073709551616",
    "--bits=65",
    "--bits=1",
    "--bits=64",
    "--bad=",
    "--finder=slow",
    "--timeout=1",
    "--timeout=-1s",
    "--timeout=18446744073709551615s 1000ms",
];

fn arguments() -> impl Strategy<Value = Vec<&'static str>> {
    let own = prop_oneof![
        subsequence(&RANDOM[..], 0..4).prop_map(|own| (vec!["random"], own)),
        subsequence(&RANDOM[..], 0..4).prop_map(|own| (vec![], own)),
        subsequence(&FILTER[..], 0..5).prop_map(|own| (vec!["filter"], own)),
        (select(&RANGES[..]), subsequence(&RANGE[..], 0..=2))
            .prop_map(|(range, own)| (vec!["range"], [vec![range], own].concat())),
    ];
    let some = |options, probability| prop::option::weighted(probability, select(options));
    let all = (subsequence(&OPTIONS[..], 0..4), some(&OUTPUTS[..], 0.5), some(&ODD[..], 0.3), select(&TIMES[..]));
    (own, all).prop_flat_map(|((command, own), (options, output, odd, time))| {
        let options = own.into_iter().chain(options).chain(output).chain(odd).collect::<Vec<_>>();
        // The timeout comes first, so that no argument before it takes it for a value.
        Just(options).prop_shuffle().prop_map(move |options| [command.clone(), vec![time], options].concat())
    })
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec("[0-9]{1,40}[ \n]|0x[0-9a-f]{1,33}\r\n|-?[0-9x]{0,3}\t", 0..30);
    prop_oneof![3 => words.prop_map(|words| words.concat().into_bytes()), 1 => any::<Vec<u8>>()]
}

#[test]
fn every_command_line_and_every_input_has_an_answer_of_the_documented_ones() {
    let config = Config { cases: 250, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let result = runner.run(&(arguments(), input(), input()), |(arguments, file, stdin)| {
        let folder = TempDir::new()?;
        fs::create_dir(folder.path().join("folder"))?;
        fs::write(folder.path().join("in"), file)?;
        let mut command = prime_fan("");
        command.args(&arguments).current_dir(folder.path()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // The input fits into the pipe. The program may end without reading it, so an error is no failure.
        _ = child.stdin.take().expect("it is piped").write_all(&stdin);
        let id = child.id();
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(Duration::from_secs(60)) else {
            _ = std::process::Command::new("kill").args(["-9", &id.to_string()]).status();
            return Err(TestCaseError::fail("the program does not end"));
        };
        let output = output?;
        let stderr = String::from_utf8(output.stderr).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(!stderr.contains("panicked"), "{}", stderr);
        prop_assert!(matches!(output.status.code(), Some(0 | 1 | 2 | 74 | 124)), "{}: {}", output.status, stderr);
        prop_assert!(String::from_utf8(output.stdout).is_ok());
        for name in crate::program::names(folder.path()) {
            prop_assert!(["folder", "in", "out"].contains(&name.as_str()), "{} is left", name);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
