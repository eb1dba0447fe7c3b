//! The arguments of the program.

use std::env;
use std::str::FromStr;
use std::time::Duration;

pub(crate) const USAGE: &str = "usage: soak [--minutes N | --seconds N] [--seed N] [--round N]";

#[derive(Clone, Copy, Debug)]
pub(crate) struct Args {
    pub(crate) time: Option<Duration>,
    pub(crate) seed: u64,
    /// The round to replay: once, or repeatedly if a time is given.
    pub(crate) round: Option<u64>,
}

impl Args {
    pub(crate) fn parse() -> Result<Self, String> {
        let mut args = Self { time: None, seed: 1, round: None };
        let mut words = env::args().skip(1);
        while let Some(flag) = words.next() {
            let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--minutes" => args.time = Some(Duration::from_secs(60 * number::<u32>(&flag, &value)? as u64)),
                "--seconds" => args.time = Some(Duration::from_secs(number::<u32>(&flag, &value)?.into())),
                "--seed" => args.seed = number(&flag, &value)?,
                "--round" => args.round = Some(number(&flag, &value)?),
                _ => return Err(format!("{flag} is unknown")),
            }
        }
        Ok(args)
    }
}

fn number<T: FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} {value}: not a number"))
}
