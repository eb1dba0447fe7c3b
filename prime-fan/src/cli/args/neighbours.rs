//! The arguments of `next` and `prev`.

use clap::Args;

use crate::parse::values::whole;

pub(super) const NEXT_EXAMPLES: &str = "  prime-fan next 1e18                 the least prime above 10^18
  prime-fan next 100 2^32 0xffff      one for each number
  prime-fan range 7.. -n 1            the least from 7 on, which is 7
  prime-fan range 1e18.. -n 10        the ten primes from 10^18 on";

pub(super) const PREV_EXAMPLES: &str = "  prime-fan prev 1e18                 the largest prime below 10^18
  prime-fan prev 100 2^32 0xffff      one for each number
  prime-fan range ..=7 --down -n 1    the largest up to 7, which is 7
  prime-fan range ..1e18 --down -n 3  the last three below 10^18";

#[derive(Args, Debug)]
pub(crate) struct NeighbourArgs {
    /// Numbers up to 2^64 - 1
    #[arg(value_name = "NUMBER", required = true, value_parser = whole::<u64>(0..=u64::MAX))]
    pub(crate) numbers: Vec<u64>,
}
