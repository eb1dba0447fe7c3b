//! The pattern in its smallest form: random numbers, a pool of prime finders, one stream, a stop.
//!
//!     cargo run --release --example primes
//!
//! prints ten primes below fifty million, and how many numbers were looked at to find them.

use actix_fan::FanOutExt;
use actix_fan::primes::{RandomIntegers, is_prime};
use futures::StreamExt;

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The generator asks this source for numbers, but never for more than the window holds.
    let numbers = RandomIntegers::new(1..=50_000_000)?;

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
