//! The smallest pipeline: a source of random numbers, workers that find primes, one stream of results, and a stop.
//!
//!     cargo run --release --example primes
//!
//! prints ten primes below 2^26, and how many numbers were tested to find them.

use actix_fan::FanOutExt;
use futures::StreamExt;

/// Trial division: slow on purpose, and its time differs widely between numbers.
fn is_prime(n: u64) -> bool {
    n > 1 && (2..=n.isqrt()).all(|divisor| !n.is_multiple_of(divisor))
}

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Pseudo-random. The generator takes numbers only while fewer than the window are in flight.
    let numbers = (1u64..).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 38);

    // Fan-out: one worker per core. Fan-in: `primes` is the stream of the results of all workers.
    let mut primes = numbers.fan_out().filter_map(|n| is_prime(n).then_some(n))?;

    let mut found = 0;
    while let Some(prime) = primes.next().await {
        println!("{}", prime?);
        found += 1;
        if found == 10 {
            break;
        }
    }

    // The source is endless: stop the generator and the workers.
    primes.stop();
    let stats = primes.finished().await?;
    println!("{found} primes among the first {} numbers, {} skipped", stats.completed, stats.skipped);
    Ok(())
}
