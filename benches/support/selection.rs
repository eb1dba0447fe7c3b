//! Which rows the command line asks for, and how many rounds of them.

use std::env;

use super::args::measuring;

/// The arguments that aren't cargo's: a number is the number of rounds, a word selects what has it in its heading.
pub(crate) struct Selection {
    rounds: Option<usize>,
    words: Vec<String>,
}

impl Selection {
    pub(crate) fn of_arguments() -> Self {
        let given = || env::args().skip(1).filter(|argument| !argument.starts_with("--"));
        Self {
            rounds: given().find_map(|word| word.parse().ok()),
            words: given().filter(|word| word.parse::<usize>().is_err()).collect(),
        }
    }

    /// The number of rounds that was asked for, or else `default`; one round if nothing is measured.
    pub(crate) fn rounds(&self, default: usize) -> usize {
        if measuring() { self.rounds.unwrap_or(default).max(1) } else { 1 }
    }

    /// Returns true if the heading has all of the words.
    pub(crate) fn has(&self, heading: &str) -> bool {
        self.words.iter().all(|word| heading.contains(word))
    }
}
