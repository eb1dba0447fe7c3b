//! The program `prime-fan`. Its code is in the library, where its parts can be tested separately.

use std::process::ExitCode;

fn main() -> ExitCode {
    prime_fan::cli::main()
}
