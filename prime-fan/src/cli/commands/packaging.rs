//! `prime-fan completions` and `prime-fan man`: what packagers need.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::args::Cli;
use crate::cli::exit::Failure;
use crate::cli::output::Output;

const NAME: &str = "prime-fan";

pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    print(script(shell).as_bytes())
}

/// Returns the script that clap_complete generates, corrected where it completes nothing, or files where none are
/// expected.
fn script(shell: Shell) -> String {
    let mut program = with_hints(Cli::command());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, NAME, &mut script);
    let script = String::from_utf8(script).expect("a script is text");
    match shell {
        Shell::Bash => mend_bash(&script, &program),
        Shell::Fish => script + &fish_arguments(&program),
        _ => script,
    }
}

/// Marks each argument as a file or not. Without a hint, shells offer files for every value.
fn with_hints(command: Command) -> Command {
    let command = command.mut_args(|arg| match arg.get_value_names() {
        Some([name]) if arg.get_action().takes_values() && arg.get_possible_values().is_empty() => {
            let is_file = name.contains("FILE");
            arg.value_hint(if is_file { ValueHint::FilePath } else { ValueHint::Other })
        }
        _ => arg,
    });
    command.mut_subcommands(with_hints)
}

/// Returns the positional argument of a command.
fn argument(command: &Command) -> Option<&Arg> {
    command.get_positionals().next()
}

fn takes_files(command: &Command) -> bool {
    argument(command).is_some_and(|arg| arg.get_value_hint() == ValueHint::FilePath)
}

/// Returns the possible values of the positional argument.
fn words(command: &Command) -> Vec<String> {
    let values = argument(command).map(Arg::get_possible_values).unwrap_or_default();
    values.iter().map(|value| value.get_name().to_owned()).collect()
}

fn mend_bash(script: &str, program: &Command) -> String {
    // In one of two places, clap_complete takes the hyphen in the program's name for the separator of a subcommand, so
    // that no command is recognised: https://github.com/clap-rs/clap/issues/6421.
    let script = script.replace("prime__subcmd__fan", "prime__fan");
    // These options of `complete` offer files wherever there is no other completion.
    let script = script.replace("_prime__fan -o", "_prime__fan_or_files -o").replace(" -o bashdefault -o default", "");
    let files: Vec<&str> =
        program.get_subcommands().filter(|command| takes_files(command)).map(Command::get_name).collect();
    format!(
        r#"{script}
_prime__fan_or_files() {{
    _prime__fan "$@"
    [[ ${{#COMPREPLY[@]}} -eq 0 && $2 != -* ]] || return 0
    local word IFS=$'\n'
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "${{word}}" in
            {files})
                compopt -o filenames 2>/dev/null
                COMPREPLY=( $(compgen -f -- "$2") )
                return 0
                ;;
        esac
    done
}}
"#,
        files = files.join("|"),
    )
}

/// Returns the lines that tell fish what to offer for positional arguments.
fn fish_arguments(program: &Command) -> String {
    let mut script = format!("complete -c {NAME} -n __fish_prime_fan_needs_command -f\n");
    for command in program.get_subcommands().filter(|command| !takes_files(command)) {
        let using = format!("__fish_prime_fan_using_subcommand {}", command.get_name());
        write!(script, "complete -c {NAME} -n \"{using}\" -f").expect("a string takes everything");
        match words(command) {
            words if words.is_empty() => script.push('\n'),
            words => script += &format!(" -a \"{}\"\n", words.join(" ")),
        }
    }
    script
}

/// Prints the man page of the program, or that of one of its commands.
pub(crate) fn man(command: Option<&str>) -> Result<(), Failure> {
    // Commands without a man page of their own are not listed.
    let mut program = Cli::command().name(NAME).disable_help_subcommand(true);
    for other in ["completions", "man"] {
        program = program.mut_subcommand(other, |command| command.hide(true));
    }
    // Gives commands their full names, such as `prime-fan range`.
    program.build();
    let command = match command {
        Some(name) => program.find_subcommand(name).expect("the arguments allow no other").clone(),
        None => program,
    };
    let mut page = Vec::new();
    write_page(command, &mut page).expect("a vector takes everything");
    print(&page)
}

fn write_page(command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let after = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let has_commands = command.has_subcommands();
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command.after_help("").after_long_help("").version(version)).source(format!("{NAME} {version}"));
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if has_commands {
        man.render_subcommands_section(page)?;
    }
    // Set without filling (`.nf`), which would break their columns.
    for section in after.split("\n\n") {
        if let Some((heading, lines)) = section.split_once(":\n") {
            let lines: Vec<&str> = lines.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
            let lines = lines.join("\n").replace('\\', "\\\\").replace('-', "\\-");
            write!(page, ".SH {}\n.nf\n{lines}\n.fi\n", heading.to_uppercase())?;
        }
    }
    man.render_version_section(page)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let mut output = Output::stdout();
    output.write(text)?;
    output.commit()
}
