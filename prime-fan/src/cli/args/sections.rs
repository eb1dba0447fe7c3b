//! The sections of the help and the man page that follow the options.

const EXIT_CODES: &str = "
    0  the search succeeded, or the reader closed the output
    1  nothing was found, or --tested ended `random` before it had enough
    2  an argument is wrong, or a word of the input is not a number
   69  the NATS server could not be reached, or did not do its part
   70  internal error: a test failed, or the search ended too early
   71  the operating system refused a thread or another resource
   74  a file or a stream could not be read or written
  124  --timeout ended the search; the results up to then are printed
  130  likewise Ctrl-C (SIGTERM 143, SIGHUP 129); a second quits at once";

const NUMBERS: &str = "
  1000, +1000, 1_000, 0x3e8, 1e3 and 10^3 are the same number in options,
  in ranges and in files. `filter` prints a number as it was written.";

const FIELDS: &str = "
  number   the number, in decimal; in JSON a string, to keep all digits
  twin     with --twins: the larger prime of the pair
  others   with --tuplets: the other primes; in CSV second, third and so on
  index    the position of the number, from 0: among the numbers drawn, the
           words of the input, or the numbers of the range
  verdict  prime, probable-prime, composite, or neither (0 and 1)
  file     with --location: its file; - is the standard input
  line     with --location: its line in the file, from 1
  count    with --count: how many there are; no other field is printed";

const STATISTICS: &str = "
  version             the version of the program
  command             random, filter or range
  seed                the seed of the random numbers, or null
  end                 reason: complete, reader-closed, signal, timeout or
                      failed; message: what failed, or null
  tested, found, bad  numbers, results, and words that are not numbers
  elapsed_seconds     the time since the first item was taken
  numbers_per_second  tested in this time
  items               unit: what an item is; taken, completed, failed,
                      skipped: numbers of items
  bottleneck          what limited the speed: kind (worker, source or
                      consumer), share of the time, and the seconds of each
  queue_wait,         how long an item was queued, and how long it ran:
  run_time            p50_seconds, p90_seconds, p99_seconds, max_seconds
  workers             for each: busy_seconds, busy (share of the time),
                      items, batches, rebuilt (after a panic)
  nodes               with --nats, for each: name, items, batches,
                      busy_seconds (of all its threads), silent_seconds";

const ENVIRONMENT: &str = "
  RUST_LOG        what to log without -q and -v, such as actix_fan=debug
  NO_COLOR        if set, and CLICOLOR if 0: no colours without --color
  CLICOLOR_FORCE  if set and not 0: colours even without a terminal
  TERM            if dumb: no progress bar is drawn
  COLUMNS         the width of the help";

/// Returns the sections after the short help (`-h`).
pub(super) fn short(examples: &str) -> String {
    format!("Examples:\n{examples}\n\nExit codes:{EXIT_CODES}")
}

const NODE_EXIT_CODES: &str = "
    0  SIGTERM, SIGHUP or Ctrl-C came, and its batches have ended
    2  an argument is wrong
   69  the NATS server could not be reached, or refused something
   71  the operating system refused a thread or another resource
  130  a second Ctrl-C came (SIGTERM 143, SIGHUP 129)";

const DOCTOR_EXIT_CODES: &str = "
    0  nothing is bad
    1  something is bad
    2  an argument is wrong
   74  the result could not be written";

const NEIGHBOUR_EXIT_CODES: &str = "
    0  each number has such a prime
    1  one of them has none
    2  an argument is wrong
   74  the result could not be written";

/// Returns the sections after the help of `next` and `prev`.
pub(super) fn of_neighbours(examples: &str) -> String {
    format!("Examples:\n{examples}\n\nExit codes:{NEIGHBOUR_EXIT_CODES}")
}

/// Returns the sections after the help of `node`.
pub(super) fn of_node(examples: &str) -> String {
    format!("Examples:\n{examples}\n\nExit codes:{NODE_EXIT_CODES}")
}

/// Returns the sections after the help of `doctor`.
pub(super) fn of_doctor(examples: &str) -> String {
    format!("Examples:\n{examples}\n\nExit codes:{DOCTOR_EXIT_CODES}")
}

/// Returns the sections after the long help (`--help`) and in the man page.
pub(super) fn long(examples: &str) -> String {
    let fields = format!("Fields of JSON and CSV:{FIELDS}\n\nFields of --stats json and --stats-file:{STATISTICS}");
    format!("{}\n\nNumbers:{NUMBERS}\n\n{fields}\n\nEnvironment:{ENVIRONMENT}", short(examples))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;

    #[test]
    fn every_search_has_all_sections_and_they_fit_a_terminal() {
        let program = Cli::command();
        let searches = ["random", "filter", "range"].map(|name| program.find_subcommand(name).unwrap().clone());
        for mut command in searches.into_iter().chain([program]) {
            let short = command.render_help().to_string();
            let long = command.get_after_long_help().unwrap().to_string();
            for heading in ["Examples:\n", "Exit codes:\n    0  "] {
                assert!(short.contains(heading) && long.contains(heading), "{heading} in {command}");
            }
            for heading in [
                "Numbers:\n",
                "Fields of JSON and CSV:\n",
                "  index ",
                "Fields of --stats json and --stats-file:\n",
                "Environment:\n",
                "  RUST_LOG ",
            ] {
                assert!(!short.contains(heading) && long.contains(heading), "{heading} in {command}");
            }
            // A line that wraps loses its columns. The man page indents them by five columns.
            let wide = long.lines().find(|line| line.chars().count() > 75);
            assert_eq!(wide, None);
        }
    }
}
