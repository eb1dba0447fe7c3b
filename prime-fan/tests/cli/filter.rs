//! `prime-fan filter`.

use std::collections::BTreeSet;
use std::io::Write;

use prime_fan::is_prime;

use crate::program::{Running, run, run_on};

/// Returns enough numbers for several slices of the input.
fn many() -> (String, Vec<u64>) {
    let mut seed = 1u64;
    let numbers = (0..60_000).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> (seed % 64)
    });
    let numbers: Vec<u64> = numbers.collect();
    let text = numbers.iter().map(|n| format!("{n}\n")).collect();
    (text, numbers.into_iter().filter(|&n| is_prime(n)).collect())
}

#[test]
fn the_primes_come_in_the_order_of_the_input_with_any_number_of_workers() {
    let (input, primes) = many();
    for options in ["--workers 1", "--workers 2", "--workers 7"] {
        let ended = run_on(&format!("filter {options}"), input.clone());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{options}");
        assert!(ended.numbers() == primes, "{options}");
    }
}

#[test]
fn without_an_order_they_are_the_same_primes() {
    let (input, mut primes) = many();
    let mut unordered = run_on("filter --unordered --workers 3", input).numbers();
    unordered.sort_unstable();
    primes.sort_unstable();
    assert!(unordered == primes);
}

#[test]
fn the_index_is_that_of_the_word_with_any_number_of_workers() {
    let (input, _) = many();
    let words: Vec<&str> = input.split_whitespace().collect();
    let ended = run_on("filter --format csv --workers 3", input.clone());
    for line in ended.stdout.lines().skip(1) {
        let (number, rest) = line.split_once(',').unwrap();
        let (index, verdict) = rest.split_once(',').unwrap();
        assert_eq!((number, verdict), (words[index.parse::<usize>().unwrap()], "prime"));
    }
}

#[test]
fn a_line_that_arrives_is_answered_without_waiting_for_more() {
    let mut running = Running::reading("filter");
    let mut stdin = running.stdin();
    for prime in ["7", "0x1F", "18446744073709551557"] {
        stdin.write_all(format!("8\n{prime}\n").as_bytes()).unwrap();
        assert_eq!(running.line(), prime);
    }
    stdin.write_all(b"11").unwrap();
    drop(stdin);
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "11\n"));
}

#[test]
fn everything_before_a_bad_word_is_put_out_and_nothing_after_it() {
    let (input, primes) = many();
    let input = format!("{input}oops\n{input}");
    let ended = run_on("filter --workers 3", input.clone());
    assert_eq!(ended.code, Some(2));
    assert!(ended.numbers() == primes);
    assert!(
        ended.stderr.starts_with("prime-fan: the standard input:60001: \"oops\" is not a number"),
        "{}",
        ended.stderr
    );
    // Without an order, items in flight after the bad word may be printed as well.
    let ended = run_on("filter --workers 3 --unordered", input);
    assert_eq!(ended.code, Some(2));
    let found: BTreeSet<u64> = ended.numbers().into_iter().collect();
    assert!(primes.iter().all(|prime| found.contains(prime)));
}

#[test]
fn bad_words_are_told_with_their_lines_however_the_input_is_cut() {
    let (input, primes) = many();
    let ended = run_on("filter --bad report --workers 3", format!("{input}oops\n{input}\n-1").repeat(2));
    assert_eq!((ended.code, ended.numbers().len()), (Some(2), 4 * primes.len()));
    let places: Vec<&str> = ended.stderr.lines().filter_map(|line| line.split('"').next()).collect();
    let expected = [60_001, 120_003, 180_003, 240_005].map(|line| format!("prime-fan: the standard input:{line}: "));
    assert_eq!(places[..4], expected);
    assert_eq!(places[4], "prime-fan: bad words in the input: 4");
}

/// A gigabyte without a line break, which would exceed the memory if it were kept.
#[cfg(target_os = "linux")]
#[test]
fn a_line_of_a_gigabyte_takes_no_memory() {
    const BLOCK: usize = 1 << 20;
    for (block, options, code, message) in [
        ("7".repeat(BLOCK), "filter --bad skip", 1, "is not a number: it has more than 65536 characters"),
        (format!("{} 7 ", " ".repeat(BLOCK - 3)), "filter", 0, ""),
    ] {
        let mut running = Running::reading(options);
        let mut stdin = running.stdin();
        for _ in 0..1024 {
            stdin.write_all(block.as_bytes()).unwrap();
        }
        assert!(running.peak_kib() < 64 * 1024, "{} KiB", running.peak_kib());
        drop(stdin);
        let ended = running.end();
        assert_eq!(ended.code, Some(code));
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert!(ended.stderr.len() < 1000);
        assert_eq!(ended.stdout.lines().count(), if code == 0 { 1024 } else { 0 });
    }
}

/// The word is rejected before its end was read. (The timeout only ends a program that waits for the end.)
#[test]
fn a_word_that_is_too_long_is_refused_before_its_end_comes() {
    for options in ["", "--unordered"] {
        let mut running = Running::reading(&format!("filter --timeout 1m {options}"));
        let mut stdin = running.stdin();
        stdin.write_all(b"7\n").unwrap();
        assert_eq!(running.line(), "7");
        // The program may have ended before it has read all of the input.
        let _ = stdin.write_all(&[b'1'; 64 * 1024 + 4]);
        let ended = running.end();
        assert_eq!(ended.code, Some(2), "{options}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("input:2: \"1111") && ended.stderr.contains("more than 65536"),
            "{}",
            ended.stderr
        );
        drop(stdin);
    }
    let mut running = Running::reading("filter --bad report");
    let mut stdin = running.stdin();
    stdin.write_all(&[b'1'; 64 * 1024 + 4]).unwrap();
    assert!(running.error_line().contains("more than 65536"));
    stdin.write_all(b"1 7\n").unwrap();
    drop(stdin);
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), "7\n"), "the rest of the word is no word");
    assert_eq!(ended.stderr, "prime-fan: bad words in the input: 1\n");
}

#[cfg(unix)]
#[test]
fn a_device_without_an_end_is_refused() {
    for options in ["", "--unordered", "--bad stop --count"] {
        let ended = run(&format!("filter /dev/zero --timeout 1m {options}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{options}: {}", ended.stderr);
    }
}

#[test]
fn text_in_another_encoding_is_named() {
    let text = "\u{feff}7\r\n11\r\n";
    for bytes in [
        text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        text.encode_utf16().skip(1).flat_map(u16::to_le_bytes).collect(),
        text.encode_utf16().skip(1).flat_map(u16::to_be_bytes).collect(),
    ] {
        for (options, code, beginning) in [
            ("--bad stop", 2, "prime-fan: the standard input:1: \""),
            ("--bad skip", 1, "prime-fan: no word of the input is a number; "),
        ] {
            let ended = run_on(&format!("filter {options}"), bytes.clone());
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{options}");
            let end = "is text in UTF-16: convert the input, for example with `iconv -f UTF-16 -t UTF-8`\n";
            assert!(ended.stderr.starts_with(beginning) && ended.stderr.ends_with(end), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
}

#[test]
fn numbers_are_counted_in_any_form_and_by_any_number_of_workers() {
    let (input, primes) = many();
    for (options, text) in [
        ("", format!("{}\n", primes.len())),
        ("--not", format!("{}\n", 60_000 - primes.len())),
        ("--unordered --workers 3 --format csv", format!("count\n{}\n", primes.len())),
        ("--workers 3 --format json", format!("{{\"count\":{}}}\n", primes.len())),
    ] {
        let ended = run_on(&format!("filter --count {options}"), input.clone());
        assert_eq!((ended.code, ended.stdout, ended.stderr.as_str()), (Some(0), text, ""), "{options}");
    }
    // No count is printed for a part of the input.
    let ended = run_on("filter --count", format!("{input} x"));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
}

#[test]
fn the_place_of_a_number_is_its_file_and_line_however_the_input_is_cut() {
    let (input, _) = many();
    let words: Vec<&str> = input.lines().collect();
    let ended = run_on("filter --location --annotate --workers 3", input.clone());
    assert_eq!(ended.stdout.lines().count(), words.len());
    for (index, line) in ended.stdout.lines().enumerate() {
        assert!(line.starts_with(&format!("-:{}:{} ", index + 1, words[index])), "{line}");
    }
}

/// On Linux, a read at the start of /proc/self/mem fails for every user.
#[cfg(target_os = "linux")]
#[test]
fn a_read_that_fails_is_told_with_the_file() {
    let ended = run_on("filter - /proc/self/mem nowhere", "7\n");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(74), "7\n"));
    assert_eq!(
        ended.stderr,
        "prime-fan: could not read /proc/self/mem: Input/output error\n\
         prime-fan: could not read nowhere: No such file or directory\n"
    );
}

#[test]
fn a_run_that_could_read_nothing_has_no_summary() {
    let ended = run("filter nowhere --progress always");
    assert_eq!(ended.code, Some(74));
    assert!(ended.stderr.starts_with("prime-fan: could not read nowhere: ") && ended.stderr.lines().count() == 1);
    // A run that has read an input has a summary, also if it found nothing.
    assert!(run_on("filter --progress always", "8").stderr.starts_with("prime-fan: 1 number tested"));
}

#[test]
fn an_input_without_an_end_stops_when_the_time_is_up() {
    let mut running = Running::reading("filter --timeout 2s");
    let mut stdin = running.stdin();
    stdin.write_all(b"7\n").unwrap();
    assert_eq!(running.line(), "7");
    // The input stays open until the program has ended.
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(124), ""));
    let (summary, message) = ended.stderr.split_once('\n').unwrap();
    assert!(
        summary.starts_with("prime-fan: 1 number tested by ") && summary.contains(", 1 prime found, source-bound "),
        "{summary}"
    );
    assert_eq!(message, "prime-fan: stopped by --timeout after 2s\n");
    drop(stdin);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_an_input_that_waits() {
    let mut running = Running::reading("filter");
    let mut stdin = running.stdin();
    stdin.write_all(b"7\n").unwrap();
    assert_eq!(running.line(), "7");
    running.kill("-INT");
    let ended = running.end();
    assert_eq!((ended.signal, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains(", 1 prime found, ") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    drop(stdin);
}

#[test]
fn a_reader_that_has_seen_enough_ends_an_input_without_an_end() {
    let mut running = Running::reading("filter");
    let mut stdin = running.stdin();
    stdin.write_all(b"7\n").unwrap();
    assert_eq!(running.line(), "7");
    running.close_stdout();
    // On Unix the program watches its output. Elsewhere the write of the next result fails, and it may read on until then.
    while cfg!(not(unix)) && stdin.write_all(b"11\n").is_ok() {}
    let ended = running.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}
