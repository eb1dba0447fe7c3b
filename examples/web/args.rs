//! What the command line asks for.

use std::env;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

/// The least there are by default.
const MIN_WORKERS: usize = 4;

pub(crate) struct Args {
    /// 0 is any free one.
    pub(crate) port: u16,
    /// Of each pool.
    pub(crate) workers: usize,
}

/// `--port N`, or else the environment's `PORT`, or else 8080; `--workers N`, or else one for each core but one, and 4 at least.
pub(crate) fn parse() -> Result<Args, String> {
    let mut port = env::var("PORT").ok();
    // One core is the event loop's. But a fan of one is none: on a small machine the workers share the cores.
    let mut workers = available_parallelism().map_or(1, NonZeroUsize::get).saturating_sub(1).max(MIN_WORKERS);
    let mut given = env::args().skip(1);
    while let Some(flag) = given.next() {
        let mut value = || given.next().ok_or(format!("{flag} needs a number"));
        match flag.as_str() {
            "--port" => port = Some(value()?),
            "--workers" => workers = number(&flag, &value()?)?,
            _ => return Err(format!("{flag}: only --port N and --workers N are known")),
        }
    }
    let port = port.map_or(Ok(8080), |port| number("--port", &port))?;
    Ok(Args { port, workers })
}

fn number<T: std::str::FromStr>(flag: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{flag} {text}: not a number in range"))
}
