//! The statistics of `--stats json` and `--stats-file`: one JSON document per run, also of a run that fails.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use actix_fan::Stats;

use crate::cli::args::{Settings, StatsForm};
use crate::cli::counts::{Counts, Nouns};
use crate::cli::exit::Failure;
use crate::cli::format;
use crate::cli::messages;
use crate::cli::summary;
use crate::parse::identity::Identity;

/// Why a run ended: a word, and the message of a failure.
pub(crate) struct End {
    pub(crate) reason: &'static str,
    pub(crate) message: Option<String>,
}

impl End {
    pub(crate) fn because(reason: &'static str) -> Self {
        Self { reason, message: None }
    }

    pub(crate) fn of(result: &Result<(), Failure>) -> Self {
        let Err(failure) = result else { return Self::because("complete") };
        match failure.reason() {
            "failed" => Self { reason: "failed", message: Some(messages::error_text(failure)) },
            reason => Self::because(reason),
        }
    }
}

/// The content of the document, updated while the run goes on.
pub(crate) struct Statistics {
    /// The file to write to. `None`: the standard error.
    file: Option<(PathBuf, File)>,
    command: &'static str,
    seed: Option<u64>,
    nouns: Nouns,
    counts: Counts,
    stats: Stats,
}

impl Statistics {
    /// Prepares the statistics that `settings` ask for, if any. The file is created now, so that an error is reported
    /// before the search.
    ///
    /// `others` are the files of the results and of the input: if the file is one of them, that is an error.
    pub(crate) fn new<I: Iterator<Item = Identity>>(
        command: &'static str,
        settings: &Settings,
        others: impl FnOnce() -> I,
    ) -> Result<Option<Self>, Failure> {
        let file = match &settings.stats_file {
            Some(path) => {
                let file = create(path, others).map_err(|source| Failure::Output { path: path.clone(), source })?;
                Some((path.clone(), file))
            }
            None if settings.stats == Some(StatsForm::Json) => None,
            None => return Ok(None),
        };
        let seed = settings.seed.map(|seed| seed.value);
        let nouns = Nouns { found: ["prime", "primes"], items: ["item", "items"] };
        Ok(Some(Self { file, command, seed, nouns, counts: Counts::default(), stats: Stats::default() }))
    }

    pub(crate) fn record(&mut self, nouns: Nouns, counts: &Counts) {
        (self.nouns, self.counts) = (nouns, *counts);
    }

    pub(crate) fn record_pipeline(&mut self, stats: Stats) {
        self.stats = stats;
    }

    /// Writes the document on one line.
    pub(crate) fn write(self, end: &End) -> Result<(), Failure> {
        let document = self.document(end);
        match self.file {
            Some((path, mut file)) => {
                file.write_all(document.as_bytes()).map_err(|source| Failure::Output { path, source })
            }
            None => {
                messages::write(document);
                Ok(())
            }
        }
    }

    fn document(&self, end: &End) -> String {
        let Self { command, nouns, counts, stats, .. } = self;
        let seed = self.seed.map_or("null".to_owned(), |seed| seed.to_string());
        let message = end.message.as_deref().map_or("null".to_owned(), quoted);
        format!(
            "{{\"version\":\"{}\",\"command\":\"{command}\",\"seed\":{seed},\
             \"end\":{{\"reason\":\"{}\",\"message\":{message}}},{}}}\n",
            env!("CARGO_PKG_VERSION"),
            end.reason,
            summary::json(*nouns, counts, stats),
        )
    }
}

/// Creates a file, or empties it. It is an error if it is one of `others`, whose content would be lost.
fn create<I: Iterator<Item = Identity>>(path: &Path, others: impl FnOnce() -> I) -> io::Result<File> {
    let was_there = path.exists();
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    // It exists from here on, so that it is recognised if another option has a different name for it.
    let metadata = file.metadata()?;
    if let Some(identity) = Identity::of(&metadata)
        && others().any(|other| other == identity)
    {
        if !was_there {
            // If it can't be removed, an empty file stays behind.
            let _ = fs::remove_file(path);
        }
        return Err(io::Error::other("it is also an input or the output; name another file with --stats-file"));
    }
    if metadata.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Returns `text` as a JSON string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", format::json(text))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn parsed(end: &End) -> Value {
        let nouns = Nouns { found: ["prime", "primes"], items: ["segment", "segments"] };
        let counts = Counts { tested: 6, found: 1, ..Counts::default() };
        let statistics =
            Statistics { file: None, command: "random", seed: Some(u64::MAX), nouns, counts, stats: Stats::default() };
        serde_json::from_str(&statistics.document(end)).unwrap()
    }

    /// These names are documented, and other programs depend on them.
    #[test]
    fn the_fields_are_those_that_are_documented() {
        let document = parsed(&End::because("complete"));
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(
            names(&document),
            "bad bottleneck command elapsed_seconds end found items nodes numbers_per_second queue_wait run_time seed \
             tested version workers"
        );
        assert_eq!(names(&document["end"]), "message reason");
        assert_eq!(names(&document["items"]), "completed failed skipped taken unit");
        assert_eq!((&document["seed"], &document["end"]["message"]), (&Value::from(u64::MAX), &Value::Null));
    }

    #[test]
    fn a_message_is_escaped() {
        let message = "could not write to a \"b\\c\"\n\u{1}é".to_owned();
        let document = parsed(&End { reason: "failed", message: Some(message.clone()) });
        assert_eq!(document["end"]["message"], Value::from(message));
    }
}
