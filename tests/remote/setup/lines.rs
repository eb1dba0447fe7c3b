//! What a process prints.

use std::io::{BufRead, BufReader, Read};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::log;

/// How long a line may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lines that a process prints, as they come.
pub(crate) struct Lines {
    of: String,
    lines: watch::Receiver<Vec<String>>,
}

impl Lines {
    /// Reads them on a thread, until the stream ends.
    pub(crate) fn read(of: &str, stream: impl Read + Send + 'static) -> Self {
        let (sender, lines) = watch::channel(Vec::new());
        let (prints, name) = (log::is_on(), of.to_owned());
        thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { return };
                if prints {
                    eprintln!("{name}: {line}");
                }
                sender.send_modify(|lines| lines.push(line));
            }
        });
        Self { of: of.to_owned(), lines }
    }

    /// The first line that has this text in it, once it is there.
    pub(crate) async fn wait_for(&self, text: &str) -> String {
        self.wait_for_nth(text, 1).await
    }

    /// The nth line with this text.
    pub(crate) async fn wait_for_nth(&self, text: &str, nth: usize) -> String {
        let find = |lines: &Vec<String>| lines.iter().filter(|line| line.contains(text)).nth(nth - 1).cloned();
        let mut lines = self.lines.clone();
        let found = tokio::time::timeout(PATIENCE, lines.wait_for(|lines| find(lines).is_some()));
        match found.await {
            Ok(Ok(lines)) => find(&lines).expect("it was found"),
            Ok(Err(_)) => panic!("{} ended without {nth} lines with {text:?}:\n{}", self.of, self.last()),
            Err(_) => panic!("{} has not printed {nth} lines with {text:?}:\n{}", self.of, self.last()),
        }
    }

    /// Waits until so many lines have this text, or no more lines come.
    pub(crate) async fn has_or_ended(&self, text: &str, count: usize) {
        let mut lines = self.lines.clone();
        let has = |lines: &Vec<String>| lines.iter().filter(|line| line.contains(text)).count() >= count;
        let waited = tokio::time::timeout(PATIENCE, lines.wait_for(has)).await;
        assert!(waited.is_ok(), "{} has not printed {count} lines with {text:?}, nor ended:\n{}", self.of, self.last());
    }

    /// How many lines have this text so far.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines.borrow().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until the process has closed its output.
    pub(crate) async fn ended(&self) {
        let mut lines = self.lines.clone();
        let ended = async { while lines.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{} does not end", self.of));
    }

    /// The last of them, for a report.
    pub(crate) fn last(&self) -> String {
        let lines = self.lines.borrow();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// The numbers behind this word, in the lines that begin with it.
    pub(crate) fn numbers(&self, word: &str) -> Vec<u64> {
        let number = |line: &String| line.strip_prefix(word)?.trim().parse().ok();
        self.lines.borrow().iter().filter_map(number).collect()
    }
}
