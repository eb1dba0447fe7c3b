//! The arguments about nodes on other machines: how to connect, and those of `node` and `doctor`.

use std::path::PathBuf;

use actix_fan::MAX_WORKERS;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory};

use super::Cli;
use super::common::{ColorWhen, log_filter};
use crate::parse::values::whole;

/// The most characters of the name of a run. A fingerprint of the run's parameters is added to it.
const RUN: usize = 40;

pub(super) const NODE_EXAMPLES: &str = "  prime-fan node --nats nats://127.0.0.1:4222             on each machine
  prime-fan range 0..1e12 --count --nats nats://127.0.0.1:4222   on one";

pub(super) const DOCTOR_EXAMPLES: &str = "  prime-fan doctor --nats nats://127.0.0.1:4222
  prime-fan doctor --nats tls://nats.example.com --creds node.creds";

/// How to connect to a NATS server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Nodes on other machines")]
pub(crate) struct Connection {
    /// The NATS server that connects this machine with its nodes: nats://HOST:4222 or tls://HOST; commas separate several
    #[arg(long, value_name = "URL")]
    pub(crate) nats: Option<String>,

    /// A file with credentials for the server, as nsc writes it
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub(crate) creds: Option<PathBuf>,

    /// A file with the seed of an nkey
    #[arg(long, value_name = "FILE", requires = "nats", conflicts_with = "creds")]
    pub(crate) nkey: Option<PathBuf>,

    /// A file with the certificates, in PEM, of the authorities to trust [default: those of the system]
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// A file with a certificate, in PEM, to present to the server
    #[arg(long, value_name = "FILE", requires_all = ["nats", "tls_key"])]
    pub(crate) tls_cert: Option<PathBuf>,

    /// A file with the key of that certificate
    #[arg(long, value_name = "FILE", requires_all = ["nats", "tls_cert"])]
    pub(crate) tls_key: Option<PathBuf>,

    /// The subject below which replies come, where the server allows only one [default: _INBOX]
    #[arg(long, value_name = "PREFIX", requires = "nats")]
    pub(crate) inbox_prefix: Option<String>,
}

/// The nodes that do the work of a search.
#[derive(Args, Debug)]
#[command(next_help_heading = "Nodes on other machines")]
pub(super) struct Remote {
    #[command(flatten)]
    connection: Connection,

    /// Name the run: started again with the same name and arguments, it takes over the results of the last 24 hours
    #[arg(long, value_name = "ID", requires = "nats", value_parser = run)]
    run: Option<String>,
}

/// A search that other machines do.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) connection: Connection,
    /// The name of the run, if it can be resumed.
    pub(crate) run: Option<String>,
}

impl Remote {
    pub(super) fn cluster(self) -> Option<Cluster> {
        let Self { connection, run } = self;
        connection.nats.is_some().then_some(Cluster { connection, run })
    }
}

fn run(name: &str) -> Result<String, String> {
    let is_good = (1..=RUN).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_good { Ok(name.to_owned()) } else { Err(format!("give 1 to {RUN} of A-Z, a-z, 0-9, - and _")) }
}

#[derive(Args, Debug)]
#[command(mut_arg("nats", |arg| arg.required(true)))]
pub(crate) struct NodeArgs {
    /// What the node is called in statistics; a part that is new at each start is added
    #[arg(long, value_name = "NAME", default_value = "node", value_parser = node_name)]
    name: String,

    /// Use N worker threads [default: one per processor]
    #[arg(short = 't', long, visible_alias = "threads", value_name = "N", value_parser = whole::<usize>(1..=MAX_WORKERS as u64))]
    workers: Option<usize>,

    /// Take N batches at a time [default: two per worker thread]
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1..=10_000))]
    slots: Option<usize>,

    /// Refuse segments and batches of more than N numbers, and trial division of numbers above N^2; the default refuses no
    /// number of 64 bits
    #[arg(long, value_name = "N", default_value = "5e9", value_parser = whole::<u64>(1..=u64::MAX))]
    max_cost: u64,

    #[command(flatten)]
    connection: Connection,

    #[command(flatten)]
    messages: Messages,
}

#[derive(Args, Debug)]
#[command(mut_arg("nats", |arg| arg.required(true)))]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    connection: Connection,

    #[command(flatten)]
    messages: Messages,
}

/// What `node` and `doctor` print.
#[derive(Args, Debug)]
#[command(next_help_heading = "Messages")]
struct Messages {
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,

    /// Log what happens; -vv logs details, such as each batch. RUST_LOG applies only without -q and -v
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// When to colour messages
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    color: ColorWhen,
}

/// The task of `node`.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) connection: Connection,
    pub(crate) name: String,
    pub(crate) threads: Option<usize>,
    pub(crate) slots: Option<usize>,
    pub(crate) max_cost: u64,
    pub(crate) quiet: bool,
    pub(crate) log_filter: Option<&'static str>,
}

/// The task of `doctor`.
#[derive(Debug)]
pub(crate) struct Doctor {
    pub(crate) connection: Connection,
    pub(crate) quiet: bool,
    pub(crate) log_filter: Option<&'static str>,
}

impl NodeArgs {
    pub(crate) fn into_node(self) -> Node {
        let Self { name, workers: threads, slots, max_cost, connection, messages } = self;
        let Messages { quiet, verbose, color: _ } = messages;
        Node { connection, name, threads, slots, max_cost, quiet, log_filter: log_filter(quiet, verbose) }
    }
}

impl DoctorArgs {
    pub(crate) fn into_doctor(self) -> Doctor {
        let Messages { quiet, verbose, color: _ } = self.messages;
        Doctor { connection: self.connection, quiet, log_filter: log_filter(quiet, verbose) }
    }
}

fn node_name(name: &str) -> Result<String, String> {
    let is_good = (1..=40).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_good { Ok(name.to_owned()) } else { Err("give 1 to 40 of A-Z, a-z, 0-9, -, _ and .".to_owned()) }
}

/// An error about arguments that are good by themselves, but not together.
pub(super) fn invalid(message: impl std::fmt::Display) -> clap::Error {
    <Cli as CommandFactory>::command().error(ErrorKind::ArgumentConflict, message)
}
