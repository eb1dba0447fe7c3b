//! The pattern in its smallest form: random numbers, a pool of prime finders, one stream, a stop.
//!
//!     cargo run --release --example primes
//!
//! prints ten primes below 2^26, and how many numbers were looked at to find them.

use actix_fan::FanOutExt;
use futures::StreamExt;

/// Slow on purpose: what it costs differs widely from one number to the next.
fn is_prime(n: u64) -> bool {
    n > 1 && (2..=n.isqrt()).all(|divisor| !n.is_multiple_of(divisor))
}

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // As good as random. The generator asks this source for numbers, but never for more than the window holds.
    let numbers = (1u64..).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 38);

    // Fan-out: one prime finder a core. Fan-in: `primes` is the multiplexed stream of what they find.
    let mut primes = numbers.fan_out().filter_map(|n| is_prime(n).then_some(n))?;

    let mut found = 0;
    while let Some(prime) = primes.next().await {
        println!("{}", prime?);
        found += 1;
        if found == 10 {
            break;
        }
    }

    // The source is endless: the stop makes generator and finders return at once.
    primes.stop_handle().now();
    let stats = primes.finished().await?;
    println!("{found} primes among the first {} numbers, {} skipped", stats.completed, stats.skipped);
    Ok(())
}
