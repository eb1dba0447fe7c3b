//! Messages on the standard error: one format for notes, errors and the log.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use anstream::AutoStream;
use anstream::adapter::strip_str;
use clap::builder::styling::{AnsiColor, Style, Styles};

use crate::cli::status_lines::suspend;
use crate::cli::terminal;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Returns true if messages may have colours.
pub(crate) fn has_colours() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never)
}

/// The start of every message.
pub(crate) const PREFIX: &str = "prime-fan: ";

/// Writes a message of one line.
pub(crate) fn say(text: impl Display) {
    write(format_args!("{PREFIX}{text}\n"));
}

/// Writes a message of one line, but drops it if the write would block: the user can do without it.
pub(crate) fn hint(text: impl Display) {
    if terminal::takes() {
        say(text);
    }
}

/// Writes an error with its causes.
pub(crate) fn report(error: &dyn Error) {
    write(error_line(error));
}

/// Returns an error with its causes as text, without the prefix and without colours.
pub(crate) fn error_text(error: &dyn Error) -> String {
    strip_str(&error_line(error)).to_string().trim_end().trim_start_matches(PREFIX).to_owned()
}

/// Returns the message about an error with its causes: one line.
pub(crate) fn error_line(error: &dyn Error) -> String {
    let mut line = format!("{ERROR}prime-fan:{ERROR:#} {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {}", words(error));
        cause = error.source();
    }
    line + "\n"
}

/// Returns the message of an error, without the number that the standard library adds to the operating system's
/// messages. For errors without a number, the standard library has texts of its own, such as "entity not found"; these
/// are replaced by the operating system's wording.
fn words(error: &(dyn Error + 'static)) -> String {
    let shared = error.downcast_ref::<Arc<io::Error>>().map(AsRef::as_ref);
    let Some(error) = error.downcast_ref::<io::Error>().or(shared) else { return error.to_string() };
    let text = error.to_string();
    match (error.raw_os_error(), error.kind()) {
        (Some(code), _) => text.trim_end_matches(&format!(" (os error {code})")).to_owned(),
        (None, io::ErrorKind::NotFound) => "No such file or directory".to_owned(),
        (None, io::ErrorKind::IsADirectory) => "Is a directory".to_owned(),
        // The program made this error, with its own text.
        (None, _) if error.get_ref().is_some() => text,
        (None, _) => {
            let mut text = text.chars();
            text.next().map(|first| first.to_uppercase().chain(text).collect()).unwrap_or_default()
        }
    }
}

/// Returns clap's message about wrong arguments with the prefix of this program's messages.
pub(crate) fn with_our_prefix(text: &str) -> String {
    let theirs = Styles::styled().get_error().to_owned();
    text.replacen(&format!("{theirs}error:{theirs:#}"), &format!("{ERROR}prime-fan:{ERROR:#}"), 1)
}

/// Writes lines as they are, or without their colours if messages have none.
pub(crate) fn write(lines: impl Display) {
    let lines = lines.to_string();
    let plain = if has_colours() { lines } else { strip_str(&lines).to_string() };
    // One write, so that no other process writes in between. If it fails, there is no other place to report that.
    let _ = suspend(|| io::stderr().write_all(plain.as_bytes()));
}

/// The writer of the logger.
pub(crate) struct Log;

impl Write for Log {
    /// The logger writes a whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_same_words_whether_the_system_or_the_library_made_it() {
        let words = |error: io::Error| words(&error);
        assert_eq!(words(io::ErrorKind::NotFound.into()), "No such file or directory");
        assert_eq!(words(io::ErrorKind::PermissionDenied.into()), "Permission denied");
        assert_eq!(words(io::ErrorKind::WriteZero.into()), "Write zero");
        // The program's own messages begin with a small letter after a colon.
        assert_eq!(words(io::Error::other("no luck")), "no luck");
        #[cfg(unix)]
        for (code, kind) in [(2, io::ErrorKind::NotFound), (13, io::ErrorKind::PermissionDenied)] {
            assert_eq!(words(io::Error::from_raw_os_error(code)), words(kind.into()));
        }
        let shared = Arc::new(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(super::words(&shared), "No such file or directory");
    }
}
