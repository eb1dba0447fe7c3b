//! Valid and wrong arguments.

use crate::program::{prime_fan, run};

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
        // The sum of the terms is too large by little.
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
    for arguments in ["--primes 3", "sieve", "-q sieve", "random 7", "-n 3 7", "range 7", "help sieve"] {
        assert_eq!(run(arguments).code, Some(2), "{arguments}");
    }
}

#[test]
fn options_may_stand_before_the_command() {
    for arguments in ["-q range 0..10", "--workers 2 --count range 0..10", "-fcsv -o /dev/stdout range -c 0..10"] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments}");
        assert!(ended.stdout.starts_with(['2', '4', 'c']), "{arguments}: {}", ended.stdout);
    }
    assert_eq!(run("-n 3 --seed 1 random --ordered -q").numbers().len(), 3);
    assert_eq!(run("--annotate filter -q 91").stdout, "91 composite\n");
}

#[test]
fn an_option_is_never_taken_for_a_value() {
    for (arguments, named) in [
        ("range --cuont 0..100", "unexpected argument '--cuont'"),
        ("--cuont range 0..100", "unexpected argument '--cuont'"),
        ("--cuont 0..100", "unexpected argument '--cuont'"),
        ("range --format", "a value is required for '--format <FORMAT>'"),
        ("range -o --count 0..100", "a value is required for '--output <FILE>'"),
        ("filter --nto numbers", "unexpected argument '--nto'"),
        ("random --min --max 3", "a value is required for '--min <N>'"),
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments}");
        assert!(ended.stderr.contains(named), "{arguments}: {}", ended.stderr);
    }
    for arguments in ["range --version", "filter -V", "random --version"] {
        assert!(run(arguments).stdout.ends_with(concat!(" ", env!("CARGO_PKG_VERSION"), "\n")), "{arguments}");
    }
}

#[test]
fn numbers_may_be_arguments_whatever_files_there_are() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("17"), "4").unwrap();
    std::fs::write(folder.path().join("more"), "23").unwrap();
    let run =
        |arguments: &str| crate::program::Ended::from(prime_fan(arguments).current_dir(&folder).output().unwrap());
    let note = "prime-fan: 17 is tested as a number; to read the file of that name, write ./17\n";
    for (arguments, code, stdout, stderr) in [
        ("17 91", 0, "17 prime\n91 composite\n", note),
        ("-q 17", 0, "17 prime\n", ""),
        ("filter 17 more 91 +0x1d", 0, "17\n23\n+0x1d\n", note),
        ("filter ./17", 1, "", ""),
        ("filter 91", 1, "", ""),
        ("-q 17 91 --not", 0, "91\n", ""),
        ("filter -q --location 0x11", 0, "(argument):1:0x11\n", ""),
        ("filter --format csv 2^61 0x11 -q", 0, "number,index,verdict\n17,1,prime\n", ""),
    ] {
        let ended = run(arguments);
        assert_eq!(
            (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
            (Some(code), stdout, stderr),
            "{arguments}"
        );
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
