//! `prime-fan`: finds primes among random numbers with every processor at once.

mod args;
mod exit;
mod interrupt;
mod lines;
mod notes;
mod random;

use std::process::ExitCode;

use actix::System;
use clap::Parser;
use env_logger::Env;
use tokio::runtime;

use crate::args::{Cli, Command};
use crate::exit::Failure;
use crate::interrupt::Interrupt;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<(), Failure> {
    let interrupt = Interrupt::install()?;
    let Command::Random(args) = Cli::try_parse()?.command();
    env_logger::Builder::from_env(Env::default().default_filter_or(args.log_filter())).init();
    let search = args.into_search()?;
    // Left to itself, actix panics where the system refuses what an event loop needs.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::EventLoop)?;
    System::with_tokio_rt(|| runtime).block_on(random::run(search, &interrupt))
}
