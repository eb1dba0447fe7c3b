//! Progress and messages on the standard error.

use crate::program::{Ended, Running, prime_fan, run};

const ESCAPE: char = '\u{1b}';

/// Finds the same prime again and again, without end.
const LONG: &str = "--number 18446744073709551615 --min 24 --max 29 -o /dev/null --workers 2";

#[test]
fn without_a_terminal_progress_is_lines_without_escapes() {
    let mut running = Running::start(&format!("{LONG} --progress always"));
    for _ in 0..2 {
        let line = running.error_line();
        assert!(line.starts_with("prime-fan: 0 %, ") && line.contains(" found, "), "{line}");
        assert!(line.ends_with(" in flight") && !line.contains(ESCAPE), "{line}");
    }
}

#[test]
fn a_range_tells_how_long_the_rest_of_it_will_take() {
    let mut running = Running::start("range 0..1e12 --count --workers 2 --progress always");
    running.error_line();
    let line = running.error_line();
    assert!(line.contains(" in flight, ") && line.ends_with(" left"), "{line}");
}

#[test]
fn nothing_is_shown_without_a_terminal_or_with_quiet() {
    for options in ["auto", "never", "workers"] {
        // Long enough for a line of progress.
        let ended = run(&format!("range 0..1e15 --count --workers 1 --timeout 1500ms --progress {options}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(124), ""), "{options}");
        // On a busy machine the drain may take long enough for a note.
        let lines: Vec<&str> = ended.stderr.lines().filter(|line| !line.ends_with(" to quit at once")).collect();
        assert!(
            lines.len() == 2
                && lines[0].contains(" found, worker-bound ")
                && lines[1].starts_with("prime-fan: stopped by --timeout"),
            "{lines:?}"
        );
    }
}

#[test]
fn messages_are_coloured_when_that_is_asked_for() {
    let stderr = |options: &str| run(&format!("filter nowhere {options}")).stderr;
    assert!(!stderr("").contains(ESCAPE));
    assert!(!stderr("--color never").contains(ESCAPE));
    assert!(stderr("--color always").contains(ESCAPE));
    // Errors of clap and of the program have the same prefix.
    let prefix = stderr("--color always").split(' ').next().unwrap().to_owned();
    assert!(run("--oops --color=always").stderr.starts_with(&prefix), "{prefix:?}");
    assert!(prefix.contains("prime-fan:") && run("--oops").stderr.starts_with("prime-fan: "));
    assert!(!run("--oops").stderr.contains(ESCAPE));
    assert!(run("--help --color=always").stdout.contains(ESCAPE));
    assert!(run("range 2..4 -v --color always --workers 1").stderr.contains(ESCAPE));
    // Results have no colours.
    assert_eq!(run("range 2..4 --color always").stdout, "2\n3\n");
}

#[test]
fn no_color_is_respected_and_what_is_typed_has_the_last_word() {
    let stderr = |options: &str| {
        let mut command = prime_fan(&format!("filter nowhere {options}"));
        Ended::from(command.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1").output().unwrap()).stderr
    };
    assert!(!stderr("").contains(ESCAPE));
    assert!(stderr("--color always").contains(ESCAPE));
}

#[test]
fn the_log_has_levels() {
    let stderr = |options: &str| run(&format!("range 2..4 --workers 1 {options}")).stderr;
    assert_eq!(stderr(""), "");
    let (started, detail) = ("fan-out started: 1 workers", "worker 0 has its work");
    assert!(stderr("-v").contains(started) && !stderr("-v").contains(detail));
    assert!(stderr("-vv").contains(started) && stderr("-vv").contains(detail));
    assert_eq!(stderr("-q"), "");
}
