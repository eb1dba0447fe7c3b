//! `prime-fan next` and `prime-fan prev`.

use crate::cli::exit::Failure;
use crate::cli::messages::say;
use crate::cli::output::Output;
use crate::{next_prime, previous_prime};

/// Prints the least prime above each number.
pub(crate) fn next(numbers: &[u64]) -> Result<(), Failure> {
    each(numbers, next_prime, |n| say(format_args!("there is no prime of 64 bits above {n}")))
}

/// Prints the largest prime below each number.
pub(crate) fn previous(numbers: &[u64]) -> Result<(), Failure> {
    each(numbers, previous_prime, |n| say(format_args!("there is no prime below {n}")))
}

fn each(numbers: &[u64], neighbour: fn(u64) -> Option<u64>, say_missing: fn(u64)) -> Result<(), Failure> {
    let mut output = Output::stdout();
    let mut is_missing = false;
    for &number in numbers {
        match neighbour(number) {
            Some(prime) => output.write(format!("{prime}\n").as_bytes())?,
            None => {
                // So that on a terminal the message follows the primes before it.
                output.flush()?;
                say_missing(number);
                is_missing = true;
            }
        }
    }
    output.commit()?;
    if is_missing { Err(Failure::NothingFound) } else { Ok(()) }
}
