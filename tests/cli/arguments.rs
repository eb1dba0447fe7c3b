//! What the arguments may be.

use crate::program::run;

#[test]
fn bad_arguments_are_named_with_their_value_and_the_remedy() {
    for (arguments, parts) in [
        ("--number 0", ["'--number <N>'", "'0'", "from 1 to"]),
        ("--number -1", ["'--number <N>'", "'-1'", "from 1 to"]),
        ("--number ten", ["'--number <N>'", "'ten'", "a whole number"]),
        ("--tested 0", ["'--tested <N>'", "'0'", "from 1 to"]),
        ("--workers 0", ["'--workers <N>'", "'0'", "from 1 to 4096"]),
        ("--workers 4097", ["'--workers <N>'", "'4097'", "from 1 to 4096"]),
        ("--bits 0", ["'--bits <B>'", "'0'", "from 2 to 64"]),
        ("--bits 65", ["'--bits <B>'", "'65'", "from 2 to 64"]),
        ("--max 18446744073709551616", ["'--max <N>'", "'18446744073709551616'", "to 18446744073709551615"]),
        ("--min 5 --max 3", ["--min 5", "--max 3", "lower --min or raise --max"]),
        ("--bits 8 --min 3", ["'--bits <B>'", "cannot be used with", "'--min <N>'"]),
        ("--max 3 --bits 8", ["'--bits <B>'", "cannot be used with", "'--max <N>'"]),
        ("--seed 1.5", ["'--seed <N>'", "'1.5'", "from 0 to"]),
        ("--timeout 10", ["'--timeout <TIME>'", "'10'", "a number and its unit"]),
        // Its sum is just too large.
        ("--timeout 18446744073709551615s1000ms", ["'--timeout <TIME>'", "s1000ms'", "a number and its unit"]),
        ("--finder slow", ["'--finder <HOW>'", "'slow'", "fast, trial"]),
        ("--quiet --verbose", ["'--quiet'", "cannot be used with", "'--verbose...'"]),
    ] {
        for command in ["", "random "] {
            let ended = run(&format!("{command}{arguments}"));
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{command}{arguments}");
            for part in parts {
                assert!(ended.stderr.contains(part), "{part} in the answer to {arguments}: {}", ended.stderr);
            }
        }
    }
}

#[test]
fn unknown_words_are_refused() {
    for arguments in ["--primes 3", "sieve", "7", "random 7", "--number 3 random"] {
        assert_eq!(run(arguments).code, Some(2), "{arguments}");
    }
}

#[test]
fn help_has_examples_and_the_exit_codes() {
    for arguments in ["--help", "-h", "random --help", "help random"] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments}");
        for part in ["--number <N>", "Examples:\n  prime-fan ", "Exit codes:\n    0  ", "   74  ", "  130  "] {
            assert!(ended.stdout.contains(part), "{part:?} in {arguments}");
        }
    }
}

#[test]
fn the_version_is_the_crates() {
    assert_eq!(run("--version").stdout, concat!("prime-fan ", env!("CARGO_PKG_VERSION"), "\n"));
}
