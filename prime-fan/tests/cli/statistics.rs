//! The JSON statistics: one document per run, also of a run that fails.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

#[cfg(unix)]
use crate::program::{Ended, names, prime_fan};
use crate::program::{Running, run, run_on};

struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("statistics.json");
        Self { _folder: folder, path }
    }

    fn option(&self) -> String {
        format!("--stats-file {}", self.path.display())
    }

    /// Reads the only line of the file.
    fn document(&self) -> Value {
        let text = fs::read_to_string(&self.path).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        serde_json::from_str(&text).unwrap()
    }

    fn reason(&self) -> String {
        self.document()["end"]["reason"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_complete_run_is_told_in_its_own_file() {
    let file = File::new();
    let ended = run(&format!("range 0..100 --count {}", file.option()));
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "25\n", ""));
    let document = file.document();
    assert_eq!((&document["command"], &document["seed"]), (&"range".into(), &Value::Null));
    assert_eq!((&document["tested"], &document["found"]), (&100.into(), &25.into()));
    assert_eq!((&document["end"]["reason"], &document["end"]["message"]), (&"complete".into(), &Value::Null));
}

#[test]
fn the_seed_that_was_drawn_repeats_the_run() {
    let file = File::new();
    let first = run(&format!("-n 3 --ordered --quiet {}", file.option()));
    let seed = file.document()["seed"].as_u64().unwrap();
    assert_eq!(run(&format!("-n 3 --ordered --quiet --seed {seed}")).stdout, first.stdout);
}

#[test]
fn a_failure_is_told_with_its_message() {
    let file = File::new();
    let ended = run_on(&format!("filter {}", file.option()), "2\nseven\n");
    assert_eq!(ended.code, Some(2));
    let document = file.document();
    assert_eq!(document["end"]["reason"], "failed");
    assert!(document["end"]["message"].as_str().unwrap().contains("\"seven\""), "{document}");
    assert!(!document["end"]["message"].as_str().unwrap().contains('\u{1b}'));
}

#[test]
fn a_time_limit_is_told() {
    let file = File::new();
    assert_eq!(run(&format!("range 0.. --count --timeout 100ms {}", file.option())).code, Some(124));
    assert_eq!(file.reason(), "timeout");
}

#[test]
fn a_file_that_cannot_be_written_is_named_before_the_search() {
    let ended = run("range 0.. --stats-file /nowhere/statistics.json");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(74), ""));
    assert!(ended.stderr.contains("/nowhere/statistics.json"), "{}", ended.stderr);
}

/// To create the file would empty the input, and the output would replace it.
#[cfg(unix)]
#[test]
fn a_file_that_is_an_input_or_the_output_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("numbers"), "7\n8\n").unwrap();
    std::os::unix::fs::symlink("numbers", path("link")).unwrap();
    for arguments in [
        "filter numbers --stats-file numbers",
        "filter link --stats-file numbers",
        "filter - --stats-file link",
        "range 0..9 -o numbers --stats-file ./numbers",
        "range 0..9 -o new --stats-file ./new",
        "range 0..9 --stats-file /dev/stdout",
    ] {
        let mut command = prime_fan(arguments);
        command.current_dir(folder.path()).stdin(fs::File::open(path("numbers")).unwrap());
        if arguments.contains("/dev/stdout") {
            command.stdout(fs::File::options().append(true).open(path("numbers")).unwrap());
        }
        let ended = Ended::from(command.output().unwrap());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(74), ""), "{arguments}");
        assert!(ended.stderr.contains("it is also an input or the output"), "{arguments}: {}", ended.stderr);
        assert_eq!(fs::read_to_string(path("numbers")).unwrap(), "7\n8\n", "{arguments}");
        assert_eq!(names(folder.path()), ["link", "numbers"], "{arguments}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_is_gone_is_told() {
    let file = File::new();
    let mut running = Running::start(&format!("range 0.. --stats json {}", file.option()));
    assert_eq!(running.line(), "2");
    running.close_stdout();
    assert_eq!(running.end().code, Some(0));
    assert_eq!(file.reason(), "reader-closed");
    assert!(file.document()["tested"].as_u64().unwrap() > 0);
}

#[cfg(unix)]
#[test]
fn a_reader_that_is_gone_leaves_the_document_on_the_standard_error() {
    let mut running = Running::start("range 0.. --stats json");
    assert_eq!(running.line(), "2");
    running.close_stdout();
    let ended = running.end();
    let document: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(document["end"]["reason"], "reader-closed");
}

/// The output is not read, so the drain never ends. The time limit for a blocked run ends the process.
#[cfg(unix)]
#[test]
fn a_run_that_is_left_by_signals_is_told() {
    let file = File::new();
    let mut running = Running::start(&format!("range 0.. {}", file.option()));
    assert_eq!(running.line(), "2");
    running.kill("-TERM");
    let ended = running.end();
    assert_eq!(ended.signal, Some(15));
    assert_eq!(file.reason(), "signal");
}
