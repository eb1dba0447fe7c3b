//! What packagers ask for: completions and a manual page.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Cli;
use crate::exit::Failure;
use crate::output::Output;

const NAME: &str = "prime-fan";

pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    print(&script)
}

/// The page of the program, or that of one of its commands.
pub(crate) fn man(command: Option<&str>) -> Result<(), Failure> {
    // Those that have no page are not told of.
    let mut program = Cli::command().name(NAME).disable_help_subcommand(true);
    for other in ["completions", "man"] {
        program = program.mut_subcommand(other, |command| command.hide(true));
    }
    // Commands get their full names.
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
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let has_commands = command.has_subcommands();
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command.after_help("").version(version)).source(format!("{NAME} {version}"));
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if has_commands {
        man.render_subcommands_section(page)?;
    }
    // Their columns would not survive being set as text.
    for section in after.split("\n\n") {
        if let Some((heading, lines)) = section.split_once(":\n") {
            let lines = lines.replace('\\', "\\\\").replace('-', "\\-");
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
