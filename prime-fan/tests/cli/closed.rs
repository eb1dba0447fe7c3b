//! Standard streams that are closed when the program starts.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// Where a stream is closed, the standard library opens /dev/null in its place before the program begins. What is
/// written to a standard output that is closed is therefore lost without an error, and no other file gets its number.
#[test]
fn closed_streams_do_no_harm() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("numbers"), "7\n8\n11\n").unwrap();
    for (arguments, code, text) in [
        ("random -q --min 7 --max 7 --number 2", 0, "7\n7\n"),
        ("filter", 1, ""),
        ("filter numbers", 0, "7\n11\n"),
        ("filter --bad report - numbers", 0, "7\n11\n"),
        ("range 2..6", 0, "2\n3\n5\n"),
        ("range 2..6 -vv --progress always --stats json", 0, "2\n3\n5\n"),
    ] {
        for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
            for output in ["", "-o primes"] {
                // The shell has its own streams, which stay open.
                let line = format!("(exec \"$0\" {arguments} {output} {closed})");
                let run = Command::new("sh")
                    .args(["-c", &line, env!("CARGO_BIN_EXE_prime-fan")])
                    .current_dir(folder.path())
                    .stdin(std::process::Stdio::null())
                    .output()
                    .unwrap();
                let case = format!("{arguments} {output} {closed}");
                assert_eq!(run.status.code(), Some(code), "{case}");
                let is_shown = output.is_empty() && !closed.contains(" >&-") && !closed.starts_with(">&-");
                assert_eq!(String::from_utf8_lossy(&run.stdout), if is_shown { text } else { "" }, "{case}");
                assert!(!String::from_utf8_lossy(&run.stderr).contains("panicked"), "{case}");
                if !output.is_empty() {
                    assert_eq!(fs::read_to_string(folder.path().join("primes")).unwrap(), text, "{case}");
                    fs::remove_file(folder.path().join("primes")).unwrap();
                }
                assert_eq!(fs::read_to_string(folder.path().join("numbers")).unwrap(), "7\n8\n11\n", "{case}");
                assert_eq!(crate::program::names(folder.path()), ["numbers"], "{case}");
            }
        }
    }
}

#[test]
fn closed_streams_do_not_change_what_is_wrong() {
    for closed in ["2>&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        for (arguments, code) in [("--oops", 2), ("filter nowhere", 74), ("range 9..2", 2), ("random --tested 1", 1)] {
            let line = format!("exec \"$0\" {arguments} {closed}");
            let status = Command::new("sh").args(["-c", &line, env!("CARGO_BIN_EXE_prime-fan")]).output().unwrap();
            assert_eq!(status.status.code(), Some(code), "{arguments} {closed}");
        }
    }
}
