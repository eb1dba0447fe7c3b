//! What is the cost per number of a range, near 0 and far from it, compared with other ways to find its primes?
//!
//!     cargo bench --bench sieve             # everything, about a minute
//!     cargo bench --bench sieve -- '/1e15'  # what matches
//!
//! A group is the start of the range; its members are the sieve, the test of each number, and, where the range
//! begins at 0, the crate `primal-sieve`. All of them sum up the primes on one thread, and a new sieve is made each
//! time. Throughput is numbers of the range per second. For the test of each number it does not depend on the length
//! of the range, so a shorter range is tested.

mod support {
    pub(crate) mod args;
    pub(crate) mod short;
}

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use primal_sieve::Primes;
use prime_fan::{Sieve, is_prime};
use support::args::measuring;

const STARTS: [(&str, u64); 5] = [
    ("0", 0),
    ("1e12", 1_000_000_000_000),
    ("1e15", 1_000_000_000_000_000),
    ("1e16", 10_000_000_000_000_000),
    ("1e18", 1_000_000_000_000_000_000),
];

fn sieve(c: &mut Criterion) {
    let short = if measuring() { 1_000_000 } else { 1000 };
    let long = if measuring() { 100_000_000 } else { 10_000 };
    for (name, start) in STARTS {
        let mut group = c.benchmark_group(format!("sieve/{name}"));
        group.sampling_mode(SamplingMode::Flat);
        for len in [short, long] {
            group.throughput(Throughput::Elements(len));
            group.bench_function(BenchmarkId::new("Sieve", len), |b| b.iter(|| sum_by_sieve(start, len)));
        }
        group.throughput(Throughput::Elements(short));
        group.bench_function(BenchmarkId::new("is_prime", short), |b| b.iter(|| sum_by_is_prime(start, short)));
        if start == 0 {
            group.throughput(Throughput::Elements(long));
            group.bench_function(BenchmarkId::new("primal-sieve", long), |b| b.iter(|| sum_by_primal(long)));
        }
        group.finish();
    }
}

fn sum_by_sieve(start: u64, len: u64) -> u64 {
    let sieve = Sieve::new(start..=start + len - 1);
    let mut segment = sieve.segment();
    let mut sum = 0u64;
    for part in sieve.segments() {
        segment.fill(part);
        segment.primes().for_each(|prime| sum = sum.wrapping_add(prime));
    }
    sum
}

fn sum_by_is_prime(start: u64, len: u64) -> u64 {
    (start..start + len).filter(|&n| is_prime(n)).fold(0, u64::wrapping_add)
}

fn sum_by_primal(len: u64) -> u64 {
    Primes::all().map(|prime| prime as u64).take_while(|&prime| prime < len).fold(0, u64::wrapping_add)
}

criterion_group! {
    name = benches;
    config = support::short::short();
    targets = sieve
}
criterion_main!(benches);
