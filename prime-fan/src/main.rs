//! The program. All of it is in the library, where its parts can be tested one by one.

use std::process::ExitCode;

fn main() -> ExitCode {
    prime_fan::cli::main()
}
