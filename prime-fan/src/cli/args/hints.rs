//! Hints for wrong arguments that clap can't give.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use super::command::SEARCHES;
use crate::parse::values;

/// Adds a hint to an error of clap about `arguments`, in which the command, if there is one, comes first.
pub(super) fn explain(mut error: Error, arguments: &[OsString], program: &mut Command) -> Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let hint = match error.kind() {
        ErrorKind::UnknownArgument => {
            let option = text(ContextKind::InvalidArg);
            if let Some(message) = negative_range(&option, arguments) {
                return program.error(ErrorKind::ValueValidation, message);
            }
            of_another_command(&option, arguments, program)
        }
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand);
            values::range(&word).ok().map(|_| format!("'range {word}' finds the primes of a range"))
        }
        _ => None,
    };
    if let Some(hint) = hint {
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(hint)]));
    }
    error
}

/// Returns the message about a range that starts below 0, which clap takes for an option.
fn negative_range(option: &str, arguments: &[OsString]) -> Option<String> {
    let is_meant = |argument: &&str| {
        let rest = argument.strip_prefix('-').unwrap_or_default();
        argument.starts_with(option) && rest.starts_with(|first: char| first.is_ascii_digit()) && rest.contains("..")
    };
    let range = arguments.iter().filter_map(|argument| argument.to_str()).find(is_meant)?;
    let refused = values::range(range).err()?;
    Some(format!("invalid value '{range}' for '<RANGE>': {refused}"))
}

/// Returns a hint if `option` belongs to another command.
fn of_another_command(option: &str, arguments: &[OsString], program: &Command) -> Option<String> {
    let command = arguments.get(1).and_then(|first| first.to_str()).filter(|first| SEARCHES.contains(first));
    if matches!(option, "--count" | "-c") && matches!(command, None | Some("random")) {
        return Some("'-n N' finds N primes; 'range --count' and 'filter --count' print how many there are".to_owned());
    }
    let long = option.strip_prefix("--")?;
    let has_it = |name: &&str| {
        let options = program.find_subcommand(name).map(Command::get_arguments);
        options.is_some_and(|mut options| options.any(|option| option.get_long() == Some(long)))
    };
    let owner = SEARCHES.into_iter().find(has_it)?;
    Some(format!("'{option}' is an option of '{owner}'"))
}
