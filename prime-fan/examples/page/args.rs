//! The command line.

use std::env;
use std::fmt::Display;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::thread::available_parallelism;
use std::time::Duration;

/// The least number of worker threads by default.
const MIN_WORKERS: usize = 4;
/// The most worker threads, of the pool and of the set that the streams share.
const MAX_WORKERS: usize = 1024;

pub(crate) const HELP: &str = "\
A server of primes, with a page that shows the search

Usage: page [OPTIONS]

Options:
      --host <ADDRESS>              Where to listen: an address or a name [default: 127.0.0.1]
      --port <N>                    The port, 0 to 65535; 0 chooses a free one [default: $PORT, or 8080]
      --workers <N>                 Worker threads of the pool, and as many of the streams, 1 to 1024 [default: cores - 1, at least 4]
      --nats <URL>                  Has nodes do the searches, over this NATS server, as in nats://127.0.0.1:4222: see
                                    `prime-fan node`. It takes the feature `nats`
      --shutdown-timeout <SECONDS>  How long requests may continue after a signal, 0 to 3600 [default: 5]
  -h, --help                        Print this help

SIGINT (Ctrl-C) and SIGTERM end the streams, each with its last line, then the server; a second signal ends it at once.
There is no authentication: any client can stop every search. Listen on trusted networks only.
";

pub(crate) struct Args {
    pub(crate) host: String,
    /// 0 chooses a free port.
    pub(crate) port: u16,
    /// The worker threads of the pool, and of the set that the streams share.
    pub(crate) workers: usize,
    /// The server over which nodes do the searches, if they do.
    pub(crate) nats: Option<String>,
    /// How long requests and submitted items may continue after a signal.
    pub(crate) shutdown_timeout: Duration,
}

/// Parses the command line. `None` stands for `--help`.
pub(crate) fn parse() -> Result<Option<Args>, String> {
    // One core for the event loop. On a small machine there are still several workers, so that the page shows a
    // fan-out.
    let workers = available_parallelism().map_or(1, NonZeroUsize::get).saturating_sub(1).max(MIN_WORKERS);
    let host = "127.0.0.1".to_owned();
    let mut args = Args { host, port: 8080, workers, nats: None, shutdown_timeout: Duration::from_secs(5) };
    let mut port = None;

    // An argument that is not UTF-8 is rejected as unknown.
    let mut words = env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let mut value = |what| value.clone().or_else(|| words.next()).ok_or(format!("{flag}: {what} must follow"));
        match flag {
            "-h" | "--help" => return Ok(None),
            "--host" => args.host = value("an address")?,
            "--port" => port = Some(number(flag, &value("a number")?, 0..=u16::MAX)?),
            "--workers" => args.workers = number(flag, &value("a number")?, 1..=MAX_WORKERS)?,
            "--nats" => args.nats = Some(value("a URL")?),
            "--shutdown-timeout" => {
                args.shutdown_timeout = Duration::from_secs(number(flag, &value("a number of seconds")?, 0..=3600)?);
            }
            _ => return Err(format!("{word}: no such option")),
        }
    }
    args.port = match (port, env::var_os("PORT")) {
        (Some(port), _) => port,
        (None, Some(port)) => number("PORT (environment)", &port.to_string_lossy(), 0..=u16::MAX)?,
        (None, None) => args.port,
    };
    Ok(Some(args))
}

fn number<T: FromStr + PartialOrd + Display>(flag: &str, text: &str, range: RangeInclusive<T>) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{flag} {text}: must be a whole number from {} to {}", range.start(), range.end()))
}
