//! Finds the command among the arguments, also if its name follows options.

use std::ffi::{OsStr, OsString};
use std::iter;

use clap::{Arg, Command};

use crate::parse::grammar;
use crate::parse::grammar::NumberError;

/// The commands that share the common options.
pub(super) const SEARCHES: [&str; 3] = ["random", "filter", "range"];

/// Moves the command's name before its options, where clap expects it. Arguments that begin with a number get the
/// command `filter --annotate`, or `filter` if an option selects something other than verdicts.
pub(super) fn first(program: &Command, mut arguments: Vec<OsString>) -> Vec<OsString> {
    let Some((at, only_common)) = first_word(program, &arguments) else { return arguments };
    if program.find_subcommand(&arguments[at]).is_some() {
        arguments[1..=at].rotate_right(1);
    } else if only_common && is_number(&arguments[at]) {
        let asks_otherwise =
            arguments.iter().any(|argument| ["--not", "--count", "-c"].iter().any(|option| argument == option));
        let annotate = (!asks_otherwise).then(|| "--annotate".into());
        arguments.splice(1..1, iter::once("filter".into()).chain(annotate));
    }
    arguments
}

/// Returns true if `word` is written as a number, including those that can't be tested.
fn is_number(word: &OsStr) -> bool {
    !matches!(grammar::number(word.as_encoded_bytes()), Err(NumberError::NotANumber))
}

/// Returns the index of the first argument that is neither an option nor the value of one, and true if all options
/// before it are common ones. An option means the same in all commands, so it can be read before the command is known.
fn first_word(program: &Command, arguments: &[OsString]) -> Option<(usize, bool)> {
    let mut only_common = true;
    let mut at = 1;
    while at < arguments.len() {
        let argument = arguments[at].as_encoded_bytes();
        let mut value_follows = false;
        match argument {
            // Only numbers can follow, no command.
            b"--" => return arguments.get(at + 1).filter(|next| is_number(next)).map(|_| (at + 1, only_common)),
            [b'-', b'-', option @ ..] => {
                let end = option.iter().position(|&byte| byte == b'=');
                let name = &option[..end.unwrap_or(option.len())];
                let found = Found::new(program, |option| long_names(option).any(|long| long.as_bytes() == name));
                only_common &= found.is_common;
                value_follows = found.takes_value && end.is_none();
            }
            // A negative number is not an option.
            [b'-', letters @ ..] if letters.first().is_some_and(|letter| !letter.is_ascii_digit()) => {
                for (index, &letter) in letters.iter().enumerate() {
                    let found = Found::new(program, |option| option.get_short() == Some(char::from(letter)));
                    only_common &= found.is_common;
                    if found.takes_value {
                        value_follows = index + 1 == letters.len();
                        break;
                    }
                }
            }
            _ => return Some((at, only_common)),
        }
        at += 1 + usize::from(value_follows);
    }
    None
}

fn long_names(option: &Arg) -> impl Iterator<Item = &str> {
    option.get_long_and_visible_aliases().unwrap_or_default().into_iter()
}

/// What is known about an option.
struct Found {
    takes_value: bool,
    /// True if all searches have it.
    is_common: bool,
}

impl Found {
    fn new(program: &Command, is_it: impl Fn(&Arg) -> bool) -> Self {
        let commands = SEARCHES.into_iter().filter_map(|name| program.find_subcommand(name));
        let options: Vec<&Arg> =
            commands.filter_map(|command| command.get_arguments().find(|arg| is_it(arg))).collect();
        let takes_value = options.iter().any(|option| option.get_action().takes_values());
        Self { takes_value, is_common: options.len() == SEARCHES.len() }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    fn arranged(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from).collect();
        let arranged = first(&Cli::command(), arguments);
        arranged.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn a_command_may_stand_behind_options() {
        for (line, expected) in [
            ("prime-fan -q range 0..9", "prime-fan range -q 0..9"),
            ("prime-fan --workers 3 -fjson -qo out filter a", "prime-fan filter --workers 3 -fjson -qo out a"),
            ("prime-fan --threads=3 --count range 0..9", "prime-fan range --threads=3 --count 0..9"),
            ("prime-fan -n 3 random --ordered", "prime-fan random -n 3 --ordered"),
            // The value of an option is not a command.
            ("prime-fan -o range range 0..9", "prime-fan range -o range 0..9"),
            ("prime-fan --output filter --seed 3", "prime-fan --output filter --seed 3"),
            ("prime-fan -- range", "prime-fan -- range"),
            ("prime-fan -n", "prime-fan -n"),
            // A misspelt option is taken for one without a value.
            ("prime-fan --cuont range 0..9", "prime-fan range --cuont 0..9"),
            ("prime-fan range -q", "prime-fan range -q"),
            ("prime-fan", "prime-fan"),
        ] {
            assert_eq!(arranged(line), expected, "{line}");
        }
    }

    #[test]
    fn a_number_instead_of_a_command_is_tested() {
        for word in ["17", "+17", "1_7", "0x11", "1e3", "2^61", "-17", "1e99"] {
            assert_eq!(arranged(&format!("prime-fan {word} 91")), format!("prime-fan filter --annotate {word} 91"));
        }
        assert_eq!(arranged("prime-fan -q -f csv 17"), "prime-fan filter --annotate -q -f csv 17");
        assert_eq!(arranged("prime-fan -q -- 17 -f"), "prime-fan filter --annotate -q -- 17 -f");
        assert_eq!(arranged("prime-fan 17 91 --count"), "prime-fan filter 17 91 --count");
        // The number may be the value of an unknown option.
        for line in
            ["prime-fan --count 5", "prime-fan --wrokers 4", "prime-fan --bits 32 5", "prime-fan 5..9", "prime-fan a"]
        {
            assert_eq!(arranged(line), line);
        }
    }

    #[test]
    fn an_option_has_one_meaning_in_all_commands() {
        let program = Cli::command();
        let all = SEARCHES.into_iter().map(|name| program.find_subcommand(name).unwrap());
        let options: Vec<&Arg> = all.flat_map(Command::get_arguments).filter(|arg| !arg.is_positional()).collect();
        for one in &options {
            for other in &options {
                let meaning =
                    |arg: &Arg| (arg.get_long().map(str::to_owned), arg.get_short(), arg.get_action().takes_values());
                if one.get_long() == other.get_long()
                    || (one.get_short().is_some() && one.get_short() == other.get_short())
                {
                    assert_eq!(meaning(one), meaning(other));
                }
            }
        }
    }
}
