//! A pipeline used through messages: an actor gets the results as messages, and stops the pipeline with a message when
//! it has ten primes. The pipeline's numbers are asked for with a message, too.
//!
//!     cargo run --release --example actors
//!
//! prints ten primes as they arrive at the actor, then a line with the totals.

use std::io::{self, Write};

use actix::prelude::*;
use actix_fan::{FanOutExt, Generator, ItemError, Snapshot, Stop};

/// A result, sent to the collector. The next one is sent when the collector has handled it.
#[derive(Message)]
#[rtype(result = "()")]
struct Found(Result<u64, ItemError>);

impl From<Result<u64, ItemError>> for Found {
    fn from(result: Result<u64, ItemError>) -> Self {
        Found(result)
    }
}

/// Gives the collector the address of the generator, to stop it.
#[derive(Message)]
#[rtype(result = "()")]
struct Source(Addr<Generator>);

#[derive(Default)]
struct Collector {
    primes: Vec<u64>,
    generator: Option<Addr<Generator>>,
}

impl Actor for Collector {
    type Context = Context<Self>;
}

impl Handler<Source> for Collector {
    type Result = ();

    fn handle(&mut self, Source(generator): Source, _: &mut Context<Self>) {
        self.generator = Some(generator);
    }
}

impl Handler<Found> for Collector {
    type Result = ();

    fn handle(&mut self, Found(result): Found, _: &mut Context<Self>) {
        match result {
            Ok(prime) if self.primes.len() < 10 => {
                // `println!` would panic when the output is closed, as by `head`, and end the actor.
                let _ = writeln!(io::stdout(), "{prime}");
                self.primes.push(prime);
            }
            // Results that were in flight when the stop took effect.
            Ok(_) => {}
            Err(error) => _ = writeln!(io::stderr(), "{error}"),
        }
        if let (10, Some(generator)) = (self.primes.len(), &self.generator) {
            generator.do_send(Stop::Now);
        }
    }
}

/// Trial division: slow on purpose, and its time differs widely between numbers.
fn is_prime(n: u64) -> bool {
    n > 1 && (2..=n.isqrt()).all(|divisor| !n.is_multiple_of(divisor))
}

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Pseudo-random numbers below 2^26.
    let numbers = (1u64..).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 38);
    let primes = numbers.fan_out().filter_map(|n| is_prime(n).then_some(n))?;
    let generator = primes.generator().clone();
    let collector = Collector::default().start();
    collector.send(Source(generator.clone())).await?;

    let at_the_start = generator.send(Snapshot).await?;
    let at_the_end = primes.deliver_to(collector.recipient::<Found>()).await?;
    writeln!(io::stdout(), "{} workers, {} numbers taken", at_the_start.workers.len(), at_the_end.taken)?;
    Ok(())
}
