//! What packagers ask for: completions and a manual page.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Failure;
use crate::output::Output;

const NAME: &str = "prime-fan";

pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    print(&script)
}

/// One page with a section for each command.
pub(crate) fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    let mut command = Cli::command().name(NAME);
    command.build();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.expect("a vector takes everything");
    print(&page)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let mut output = Output::to(None)?;
    output.write(text)?;
    output.commit()
}
