//! A standard output that is closed or full.

use crate::program::Running;

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    for options in ["", "--ordered", "--finder trial --bits 20"] {
        let mut running = Running::start(&format!("--number 1000000000 {options}"));
        running.line();
        running.close_stdout();
        let ended = running.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{options}");
    }
}

#[test]
fn a_prime_does_not_wait_for_others_to_fill_a_buffer() {
    // Trial division takes so long for this prime that filling a buffer would take minutes.
    let prime = "100000000000031";
    let mut running =
        Running::start(&format!("--finder trial --min {prime} --max {prime} --number 18446744073709551615"));
    assert_eq!(running.line(), prime);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    use crate::program::{Ended, prime_fan};

    for options in ["", "--number 1000000", "--finder trial --bits 20", "--help"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = Ended::from(prime_fan(options).stdout(full).output().unwrap());
        assert_eq!(ended.code, Some(74), "{options}");
        let message = "prime-fan: could not write to the standard output: No space left on device";
        assert!(ended.stderr.starts_with(message), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}
