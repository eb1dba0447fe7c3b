//! The program `prime-fan`: finds primes on all processors, among random numbers, in files or in a range.

// What the build without nodes has no use for: the arguments about them, and why they fail.
#[cfg_attr(not(feature = "nats"), allow(dead_code, unused_imports))]
mod args;
mod ascending;
mod blocking_io;
#[cfg_attr(not(feature = "nats"), path = "no_cluster.rs")]
mod cluster;
mod commands;
mod counts;
#[allow(dead_code, reason = "some failures need the feature nats, and one its absence")]
mod exit;
mod file_attributes;
mod format;
mod human;
mod messages;
mod output;
mod progress;
mod search;
#[cfg_attr(not(feature = "nats"), allow(dead_code, reason = "only a node ends in steps"))]
mod shutdown;
mod signals;
mod statistics;
mod status_lines;
mod summary;
mod terminal;

use std::env;
use std::process::ExitCode;

use actix::System;
use env_logger::{Env, Target, WriteStyle};
use tokio::runtime;

use crate::parse::input::Source;
use args::{Cli, Command, Settings};
use commands::{filter, neighbours, packaging, random, range};
use exit::Failure;
use shutdown::Shutdown;
use statistics::{End, Statistics};

/// Runs the command that the command line names, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let shutdown = Shutdown::default();
    let code = match with_statistics(run(&shutdown), &shutdown) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    };
    // Whatever the result: only a process that ends by the signal itself also stops the script that called it.
    if let Some(signal) = shutdown.signal() {
        signal.end_process();
    }
    code
}

/// Writes the statistics, if they were requested. If that fails, the error is returned, unless the run already failed.
fn with_statistics(result: Result<(), Failure>, shutdown: &Shutdown) -> Result<(), Failure> {
    match shutdown.take_statistics() {
        Some(statistics) => {
            let written = statistics.write(&End::of(&result));
            result.and(written)
        }
        None => result,
    }
}

fn run(shutdown: &Shutdown) -> Result<(), Failure> {
    shutdown.on_signals().map_err(|source| Failure::System { what: "to listen for Ctrl-C", source })?;
    match Cli::parse(env::args_os().collect())? {
        Command::Random(args) => {
            let (search, settings) = args.into_search()?;
            in_system("random", &settings, &[], shutdown)?.block_on(random::run(search, &settings, shutdown))
        }
        Command::Filter(args) => {
            let (filter, settings) = args.into_filter()?;
            in_system("filter", &settings, &filter.sources, shutdown)?
                .block_on(filter::run(filter, &settings, shutdown))
        }
        Command::Range(args) => {
            let (range, settings) = args.into_range()?;
            in_system("range", &settings, &[], shutdown)?.block_on(range::run(range, &settings, shutdown))
        }
        Command::Next(args) => neighbours::next(&args.numbers),
        Command::Prev(args) => neighbours::previous(&args.numbers),
        Command::Node(args) => {
            let node = args.into_node();
            log_to_messages(node.log_filter);
            event_loop()?.block_on(cluster::node(node, shutdown))
        }
        Command::Doctor(args) => {
            let doctor = args.into_doctor();
            log_to_messages(doctor.log_filter);
            event_loop()?.block_on(cluster::doctor(doctor))
        }
        Command::Completions { shell } => packaging::completions(shell),
        Command::Man { command } => packaging::man(command.as_deref()),
    }
}

/// Sets up what every search needs: statistics, log, timeout, and an event loop for its actors.
fn in_system(
    command: &'static str,
    settings: &Settings,
    sources: &[Source],
    shutdown: &Shutdown,
) -> Result<actix::SystemRunner, Failure> {
    let others = || output::identity(settings).into_iter().chain(sources.iter().filter_map(Source::identity));
    shutdown.set_statistics(Statistics::new(command, settings, others)?);
    log_to_messages(settings.log_filter);
    if let Some(time) = settings.timeout {
        shutdown.set_timeout(time).map_err(|source| Failure::System { what: "the clock of --timeout", source })?;
    }
    event_loop()
}

fn log_to_messages(filter: Option<&str>) {
    let style = if messages::has_colours() { WriteStyle::Always } else { WriteStyle::Never };
    let mut log = env_logger::Builder::new();
    // -q and -v take precedence over RUST_LOG.
    match filter {
        Some(filter) => log.parse_filters(filter),
        None => log.parse_env(Env::default().default_filter_or("warn,async_nats=off")),
    };
    log.write_style(style).target(Target::Pipe(Box::new(messages::Log))).init();
}

fn event_loop() -> Result<actix::SystemRunner, Failure> {
    // Built here, because actix panics if the operating system refuses the resources of an event loop.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::System { what: "the event loop", source })?;
    Ok(System::with_tokio_rt(|| runtime))
}
