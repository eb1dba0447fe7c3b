//! `--output`: a file that is created or replaced at the end.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::program::{Ended, Running, names, prime_fan};

/// Runs `prime-fan` in a folder.
fn run_in(folder: &Path, arguments: &str) -> Ended {
    prime_fan(arguments).current_dir(folder).output().expect("prime-fan starts").into()
}

#[test]
fn a_complete_search_leaves_the_file_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    for (arguments, code, text) in [
        ("range 2..8 -o primes", 0, "2\n3\n5\n7\n"),
        ("range 8..12 -o primes", 0, "11\n"),
        ("range 24..28 -o primes", 1, ""),
        ("--min 7 --max 7 --number 2 --tested 1 -q -o primes", 1, "7\n"),
        ("range 2..8 --count -o primes", 0, "4\n"),
    ] {
        let ended = run_in(folder.path(), arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{arguments}");
        assert_eq!(fs::read_to_string(folder.path().join("primes")).unwrap(), text, "{arguments}");
        assert_eq!(names(folder.path()), ["primes"]);
    }
}

#[test]
fn a_search_that_fails_leaves_what_was_there() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("bad"), "7 x").unwrap();
    for (arguments, code) in
        [("filter bad -o new", 2), ("filter nowhere -o new", 74), ("range 0.. --count --timeout 1ms -o new", 124)]
    {
        let ended = run_in(folder.path(), arguments);
        assert_eq!(ended.code, Some(code), "{arguments}");
        assert!(ended.stderr.contains("new was not written"), "{}", ended.stderr);
        assert_eq!(names(folder.path()), ["bad"], "{arguments}");
    }
    // The bad word comes first, so the timeout does not change the result.
    let ended = run_in(folder.path(), "filter --unordered bad -o new --timeout 1m");
    assert_eq!((ended.code, names(folder.path())), (Some(2), vec!["bad".to_owned()]));
    let ended = run_in(folder.path(), "filter bad -o bad");
    assert_eq!((ended.code, fs::read_to_string(folder.path().join("bad")).unwrap()), (Some(2), "7 x".to_owned()));
}

/// As with results on the standard output.
#[test]
fn what_was_found_when_the_time_is_up_is_in_the_file() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("primes"), "old").unwrap();
    let mut running =
        Running::spawn(prime_fan("filter --timeout 2s -o primes").current_dir(folder.path()).stdin(Stdio::piped()));
    let mut stdin = running.stdin();
    stdin.write_all(b"7 8\n11\n").unwrap();
    // The input stays open until the program has ended.
    let ended = running.end();
    assert_eq!(ended.code, Some(124));
    assert!(ended.stderr.ends_with("prime-fan: stopped by --timeout after 2s\n"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("was not written"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("primes")).unwrap(), "7\n11\n");
    assert_eq!(names(folder.path()), ["primes"]);
    drop(stdin);
}

#[test]
fn an_input_may_be_the_output() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("numbers"), "7 8 9 11").unwrap();
    assert_eq!(run_in(folder.path(), "filter numbers -o numbers").code, Some(0));
    assert_eq!(fs::read_to_string(folder.path().join("numbers")).unwrap(), "7\n11\n");
}

#[test]
fn a_search_that_had_found_nothing_when_the_time_was_up_leaves_what_was_there() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("primes"), "old").unwrap();
    let mut running =
        Running::spawn(prime_fan("filter --timeout 50ms -o primes").current_dir(folder.path()).stdin(Stdio::piped()));
    let stdin = running.stdin();
    let ended = running.end();
    assert_eq!(ended.code, Some(124));
    assert!(ended.stderr.contains("primes was not written: the results are not complete\n"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("primes")).unwrap(), "old");
    drop(stdin);
}

/// The program would read what it writes, and never end.
#[cfg(unix)]
#[test]
fn an_input_that_is_written_to_is_refused_by_whatever_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("numbers");
    std::os::unix::fs::symlink("numbers", folder.path().join("link")).unwrap();
    // The timeout ends a program that does not reject the input.
    for (line, name) in [
        ("filter --not numbers >> numbers", "numbers"),
        ("filter --not ./link >> numbers", "./link"),
        ("filter --not < numbers >> link", "the standard input"),
        ("filter --not < numbers 1<> numbers", "the standard input"),
        ("filter --not numbers 1<> numbers", "numbers"),
        ("filter --not numbers > numbers", "numbers"),
        ("filter --not numbers -o /dev/stdout >> numbers", "numbers"),
        ("filter --not numbers -o - >> numbers", "numbers"),
        #[cfg(target_os = "linux")]
        ("filter --not numbers -o /dev/fd/1 >> numbers", "numbers"),
    ] {
        fs::write(&path, "4 7 8 9 11\n").unwrap();
        let line = format!("\"$0\" --timeout 1m {line}").replace("--timeout 1m filter", "filter --timeout 1m");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &line, env!("CARGO_BIN_EXE_prime-fan")]).current_dir(folder.path());
        let ended = Ended::from(shell.output().unwrap());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(74), ""), "{line}: {}", ended.stderr);
        let beginning = format!("prime-fan: could not read {name}: it is also the output; ");
        assert!(ended.stderr.starts_with(&beginning), "{line}: {}", ended.stderr);
        let text = if line.contains(" > ") { "" } else { "4 7 8 9 11\n" };
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{line}");
    }
    // The standard error counts as an output as well. The other inputs are read.
    fs::write(&path, "4 x\n").unwrap();
    let line = "echo 7 | \"$0\" filter --bad report numbers - 2>> numbers";
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-c", line, env!("CARGO_BIN_EXE_prime-fan")]).current_dir(folder.path());
    let ended = Ended::from(shell.output().unwrap());
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(74), "7\n"));
    assert!(fs::read_to_string(&path).unwrap().starts_with("4 x\nprime-fan: could not read numbers: "));
}

/// For example a terminal, or /dev/null.
#[cfg(unix)]
#[test]
fn a_device_may_be_read_and_written_to() {
    for line in ["\"$0\" filter < /dev/null > /dev/null", "\"$0\" filter /dev/null -o /dev/null"] {
        let status = std::process::Command::new("sh").args(["-c", line, env!("CARGO_BIN_EXE_prime-fan")]).status();
        assert_eq!(status.unwrap().code(), Some(1), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_and_the_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = TempDir::new().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file", &link).unwrap();
    assert_eq!(run_in(folder.path(), "range 2..4 -o link").code, Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), "2\n3\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_that_is_not_there_yet_stays_one() {
    let folder = TempDir::new().unwrap();
    std::os::unix::fs::symlink("file", folder.path().join("link")).unwrap();
    assert_eq!(run_in(folder.path(), "range 2..4 -o link").code, Some(0));
    assert!(fs::symlink_metadata(folder.path().join("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "2\n3\n");
}

#[cfg(unix)]
#[test]
fn links_that_lead_over_links_to_a_file_that_is_not_there_yet_stay_links() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    for (link, target) in [("first", "inner/second"), ("inner/second", "../third"), ("third", "inner/file")] {
        std::os::unix::fs::symlink(target, folder.path().join(link)).unwrap();
    }
    assert_eq!(run_in(folder.path(), "range 2..4 -o first").code, Some(0));
    for link in ["first", "inner/second", "third"] {
        assert!(fs::symlink_metadata(folder.path().join(link)).unwrap().is_symlink(), "{link}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("inner/file")).unwrap(), "2\n3\n");
    assert_eq!(names(&folder.path().join("inner")), ["file", "second"]);
}

#[cfg(unix)]
#[test]
fn an_input_may_be_the_output_by_another_name() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("numbers"), "7 8 9 11").unwrap();
    std::os::unix::fs::symlink("numbers", folder.path().join("link")).unwrap();
    assert_eq!(run_in(folder.path(), "filter numbers -o link").code, Some(0));
    assert!(fs::symlink_metadata(folder.path().join("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(folder.path().join("numbers")).unwrap(), "7\n11\n");
    assert_eq!(names(folder.path()), ["link", "numbers"]);
}

#[test]
fn what_cannot_be_a_file_is_told_before_the_search() {
    let folder = TempDir::new().unwrap();
    for (path, message) in [
        ("new/", "could not write to new/: Is a directory"),
        ("nowhere/new", "could not write to nowhere/new: No such file or directory"),
    ] {
        let ended = run_in(folder.path(), &format!("range 0.. -o {path}"));
        assert_eq!((ended.code, ended.stderr), (Some(74), format!("prime-fan: {message}\n")));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_stream_is_written_as_it_is() {
    for path in ["-", "/dev/stdout", "/dev/fd/1"] {
        let ended = run_in(Path::new("."), &format!("range 2..8 -o {path}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "2\n3\n5\n7\n"), "{path}");
        let mut running = Running::start(&format!("range 2.. -o {path}"));
        assert_eq!(running.line(), "2");
        running.close_stdout();
        assert_eq!(running.end().code, Some(0), "the reader has closed {path}");
    }
    let ended = run_in(Path::new("."), "range 2..8 -o /dev/full");
    assert_eq!(ended.code, Some(74));
    assert_eq!(
        ended.stderr,
        "prime-fan: could not write to /dev/full: No space left on device; make room, or write elsewhere with --output\n"
    );
}

/// The shell has the file open, and others may write to it before and after.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_open_already_is_added_to() {
    let folder = TempDir::new().unwrap();
    let line = "(echo a; \"$0\" range 2..4 -o /dev/stdout; echo b) > file";
    let program = env!("CARGO_BIN_EXE_prime-fan");
    let shell = std::process::Command::new("sh").args(["-c", line, program]).current_dir(folder.path()).status();
    assert!(shell.unwrap().success());
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "a\n2\n3\nb\n");
}

#[test]
fn a_file_that_ends_anywhere_is_completed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("primes");
    for arguments in [
        "range 0..60 --format csv",
        "range 0..9 --down --count",
        "filter 1 2 3 4 5 --annotate",
        "random --seed 1 --number 3 --ordered --quiet",
        "range 24..29",
    ] {
        let whole = prime_fan(arguments).output().unwrap();
        let code = whole.status.code();
        for end in 0..=whole.stdout.len() {
            fs::write(&file, &whole.stdout[..end]).unwrap();
            let ended = run_in(folder.path(), &format!("{arguments} -o primes --continue"));
            assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{arguments}, {end}: {}", ended.stderr);
            assert_eq!(fs::read(&file).unwrap(), whole.stdout, "{arguments} from {end} on");
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(run_in(folder.path(), &format!("{arguments} -o primes --continue")).code, code);
        assert_eq!(fs::read(&file).unwrap(), whole.stdout, "{arguments} from nothing on");
    }
    // More than one buffer of it.
    let whole = prime_fan("range 0..1e6").output().unwrap().stdout;
    fs::write(&file, &whole[..300_000]).unwrap();
    assert_eq!(run_in(folder.path(), "range 0..1e6 -o primes --continue").code, Some(0));
    assert!(fs::read(&file).unwrap() == whole);
}

#[test]
fn a_file_of_other_results_is_not_continued_and_stays() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("primes");
    for (text, reason) in [
        ("2\n3\n7\n", "its line 3 is not what this search prints"),
        ("2\n3\n5\n7\n11\n", "after its line 4 it has more than this search prints"),
        ("prime", "its line 1 is not what this search prints"),
    ] {
        fs::write(&file, text).unwrap();
        let ended = run_in(folder.path(), "range 0..9 --output primes --continue");
        assert_eq!(ended.code, Some(74));
        let expected = format!("prime-fan: could not continue primes: {reason}");
        assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    let ended = run_in(folder.path(), "range 0..9 -o /dev/null --continue");
    assert_eq!(ended.code, Some(74));
    assert!(ended.stderr.ends_with("could not continue /dev/null: it is no regular file\n"), "{}", ended.stderr);
    for (arguments, reason) in [
        ("range 0..9 --continue", "--output <FILE>"),
        ("range 0..9 --output - --continue", "--continue needs a file"),
        ("random --seed 1 -o primes --continue", "--continue needs --seed N and --ordered"),
        ("random --ordered -o primes --continue", "--continue needs --seed N and --ordered"),
        ("filter 7 --unordered -o primes --continue", "--continue can't be used with --unordered"),
    ] {
        let ended = run_in(folder.path(), arguments);
        assert_eq!(ended.code, Some(2), "{arguments}");
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
}

#[test]
fn a_search_that_is_cut_short_finds_no_fault_with_a_file_that_has_more() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("primes");
    let whole = prime_fan("filter 7 11 13").output().unwrap().stdout;
    fs::write(&file, &whole).unwrap();
    let arguments = "filter 7 - -o primes --continue --timeout 1s";
    let mut running = Running::spawn(prime_fan(arguments).current_dir(folder.path()).stdin(Stdio::piped()));
    let stdin = running.stdin();
    // The input stays open until the program has ended.
    let ended = running.end();
    drop(stdin);
    assert_eq!(ended.code, Some(124), "{}", ended.stderr);
    assert_eq!(fs::read(&file).unwrap(), whole);
}

#[test]
fn a_file_that_is_completed_is_no_input() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("numbers"), "7\n").unwrap();
    let ended = run_in(folder.path(), "filter numbers -o numbers --continue");
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("numbers")).unwrap(), "7\n");
}
