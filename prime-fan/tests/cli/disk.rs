//! A full disk, and a limit on the size of files.

use std::fs::{self, File, OpenOptions};
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Ended, names, prime_fan};

/// Searches with more results than fit on the disk. `numbers` is a file of numbers.
const LARGE: [&str; 3] = ["random -q --number 100000", "filter numbers", "range 0..1e7"];

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let numbers: String = (0..400_000).map(|n| format!("{n}\n")).collect();
    fs::write(folder.path().join("numbers"), numbers).unwrap();
    folder
}

/// Runs a line of shell, in which `$0` is the program.
fn shell(folder: &TempDir, mut shell: Command, line: &str) -> Ended {
    let output = shell.args(["sh", "-c", line, env!("CARGO_BIN_EXE_prime-fan")]).current_dir(folder.path()).output();
    output.expect("there is a shell").into()
}

#[test]
fn every_search_reports_a_full_disk_under_the_standard_output() {
    let folder = folder();
    for arguments in LARGE {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = Ended::from(prime_fan(arguments).current_dir(folder.path()).stdout(full).output().unwrap());
        let message = "prime-fan: could not write to the standard output: No space left on device; \
                       make room, or write elsewhere with --output\n";
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(74), message), "{arguments}");
    }
}

/// Uses a file system of 64 KiB in a mount namespace of its own.
#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let folder = folder();
    fs::create_dir(folder.path().join("small")).unwrap();
    for arguments in LARGE {
        let line = format!(
            "mount -t tmpfs -o size=64k none small || exit 99; echo old > small/primes
            \"$0\" {arguments} -o small/primes; echo $?; ls -A small; cat small/primes"
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--mount"]);
        if !unshare.output().is_ok_and(|output| output.status.success()) {
            println!("skipped: unshare gives no mount namespace here");
            return;
        }
        let ended = shell(&folder, unshare, &line);
        if ended.code == Some(99) {
            println!("skipped: no file system can be mounted here: {}", ended.stderr);
            return;
        }
        assert_eq!(ended.stdout, "74\nprimes\nold\n", "{arguments}: {}", ended.stderr);
        let path = folder.path().canonicalize().unwrap().join("small/primes");
        let message = format!(
            "prime-fan: {path} was not written: the results are not complete\n\
             prime-fan: could not write to {path}: No space left on device; make room, or write \
             elsewhere with --output\n",
            path = path.display()
        );
        assert_eq!(ended.stderr, message, "{arguments}");
    }
}

/// SIGXFSZ would end the program if it did not handle it.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_leaves_the_old_file() {
    let folder = folder();
    for arguments in LARGE {
        fs::write(folder.path().join("primes"), "old").unwrap();
        let line = format!("ulimit -f 8; exec \"$0\" {arguments} -o primes");
        let ended = shell(&folder, Command::new("env"), &line);
        assert_eq!(ended.code, Some(74), "{arguments}: {}", ended.stderr);
        let message = "primes: File too large; raise the limit of `ulimit -f`, or look for less\n";
        assert!(ended.stderr.ends_with(message), "{}", ended.stderr);
        assert_eq!(names(folder.path()), ["numbers", "primes"]);
        assert_eq!(fs::read_to_string(folder.path().join("primes")).unwrap(), "old");

        // The same for a file that the shell has opened.
        let stdout = File::create(folder.path().join("primes")).unwrap();
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -f 8; exec \"$0\" {arguments}"), env!("CARGO_BIN_EXE_prime-fan")]);
        let ended = Ended::from(limited.current_dir(folder.path()).stdout(stdout).output().unwrap());
        assert_eq!(ended.code, Some(74), "{arguments}: {}", ended.stderr);
        assert!(ended.stderr.contains("could not write to the standard output: File too large"), "{}", ended.stderr);
    }
}
