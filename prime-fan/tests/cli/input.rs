//! Inputs that cannot be read, or that change while they are read.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;

use crate::program::{Ended, Running, names, prime_fan};

/// A user without rights. Tests that run as root use it, since root may read every file.
const NOBODY: u32 = 65_534;

#[test]
fn what_may_not_be_read_or_written_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "7").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    // Neither may a file be created beside it.
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    let is_root = fs::read(&file).is_ok();
    for (arguments, message) in [
        ("filter file", "could not read file"),
        ("range 0.. -o file", "could not write to file"),
        ("range 0.. -o new", "could not write to new"),
        ("filter - -o new", "could not write to new"),
    ] {
        let mut command = prime_fan(arguments);
        command.current_dir(folder.path());
        if is_root {
            command.uid(NOBODY);
        }
        match command.output() {
            Ok(output) => {
                let ended = Ended::from(output);
                assert_eq!((ended.code, ended.stdout.as_str()), (Some(74), ""), "{arguments}: {}", ended.stderr);
                let stderr = ended.stderr.to_lowercase();
                assert!(stderr.starts_with(&format!("prime-fan: {message}: permission denied")), "{stderr}");
            }
            Err(error) if is_root => println!("skipped: root can't run the program as another user: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(names(folder.path()), ["file"]);
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_folder_among_the_files_is_told_and_the_others_are_read() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("numbers"), "7\n").unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    let left = "prime-fan: primes was not written: the results are not complete\n";
    for (arguments, stdout, last) in [
        ("filter numbers folder numbers", "7\n7\n", ""),
        ("filter folder numbers --count", "1\n", ""),
        ("filter numbers folder -o primes", "", left),
    ] {
        let ended = Ended::from(prime_fan(arguments).current_dir(folder.path()).output().unwrap());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(74), stdout), "{arguments}");
        let message = format!("prime-fan: could not read folder: Is a directory\n{last}");
        assert_eq!(ended.stderr, message, "{arguments}");
        assert_eq!(names(folder.path()), ["folder", "numbers"]);
    }
}

/// An input of 8 MiB in words of a kilobyte: more than the program reads while its output is not read.
fn large() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let word = format!("{:01023}\n", 7);
    fs::write(folder.path().join("numbers"), word.repeat(8192)).unwrap();
    (folder, word)
}

#[test]
fn a_file_that_is_removed_while_it_is_read_is_read_to_its_end() {
    let (folder, word) = large();
    let mut running = Running::spawn(prime_fan("filter numbers --workers 1").current_dir(folder.path()));
    assert_eq!(running.line(), word.trim_end());
    fs::remove_file(folder.path().join("numbers")).unwrap();
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(ended.stdout == word.repeat(8191));
}

#[test]
fn a_file_that_is_cut_while_it_is_read_ends_there() {
    let (folder, word) = large();
    let mut running = Running::spawn(prime_fan("filter numbers --workers 1").current_dir(folder.path()));
    assert_eq!(running.line(), word.trim_end());
    fs::write(folder.path().join("numbers"), "").unwrap();
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let lines = ended.stdout.lines().count();
    assert!(lines < 8191 && ended.stdout == word.repeat(lines), "{lines} lines");
}

/// The name of a file may have any characters, but a message is one line without control characters.
#[test]
fn a_name_cannot_write_to_the_terminal() {
    let mut command = prime_fan("filter --color always");
    let ended = Ended::from(command.arg("a\u{1b}[31m\nb").output().unwrap());
    let message = "could not read a\\u{1b}[31m\\nb: No such file or directory\n";
    assert!(ended.stderr.ends_with(message), "{:?}", ended.stderr);
}

/// A process that shares a terminal or a pipe with this one may have made it non-blocking.
#[test]
fn a_stream_that_refuses_is_waited_for() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let mut command = prime_fan("range 0..1e6");
    let mut child = command.stdout(OwnedFd::from(theirs.try_clone().unwrap())).spawn().unwrap();
    drop(command);
    // The test reads only after a write of the program has failed with `WouldBlock`.
    let has_room = || poll(&mut [PollFd::new(&theirs, PollFlags::OUT)], Some(&Timespec::default())).unwrap() > 0;
    while has_room() && child.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
    drop(theirs);
    let lines = BufReader::new(ours).lines().count();
    assert_eq!((lines, child.wait().unwrap().code()), (78_498, Some(0)));

    let (mut ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let mut running = Running::spawn(prime_fan("filter").stdin(OwnedFd::from(theirs)));
    for number in ["7", "11", "13"] {
        writeln!(ours, "{number}").unwrap();
        // The program has then read the first part, and reads on.
        assert_eq!(running.line(), number);
    }
    drop(ours);
    assert_eq!(running.end().code, Some(0));
}
