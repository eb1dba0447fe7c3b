//! The log of this process, on its standard error, if `ACTIX_FAN_TEST_LOG` is set.

use std::env;
use std::process;
use std::time::Instant;

use ::log::{Level, LevelFilter, Log, Metadata, Record};

struct Printer(Instant);

impl Log for Printer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("actix_fan")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) && record.level() <= Level::Debug {
            eprintln!("{:8.3?} {} {}: {}", self.0.elapsed(), process::id(), record.level(), record.args());
        }
    }

    fn flush(&self) {}
}

pub(crate) fn print_log() {
    if env::var_os("ACTIX_FAN_TEST_LOG").is_some() {
        ::log::set_max_level(LevelFilter::Debug);
        // An error if another test was first.
        let _ = ::log::set_boxed_logger(Box::new(Printer(Instant::now())));
    }
}
