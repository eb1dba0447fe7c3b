//! The log of this process, on its standard error, if `ACTIX_FAN_TEST_LOG` is set; and warnings in what a node prints, for
//! tests that wait for one.

use std::env;
use std::process;
use std::time::Instant;

use ::log::{Level, LevelFilter, Log, Metadata, Record};

struct Printer {
    began: Instant,
    prints: bool,
    warns: bool,
}

impl Log for Printer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("actix_fan")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || record.level() > Level::Debug {
            return;
        }
        if self.prints {
            eprintln!("{:8.3?} {} {}: {}", self.began.elapsed(), process::id(), record.level(), record.args());
        }
        if self.warns && record.level() <= Level::Warn {
            println!("warns: {}", record.args());
        }
    }

    fn flush(&self) {}
}

/// Returns true if logs are to be printed.
pub(crate) fn is_on() -> bool {
    env::var_os("ACTIX_FAN_TEST_LOG").is_some()
}

pub(crate) fn print_log(warns: bool) {
    let prints = is_on();
    if prints || warns {
        ::log::set_max_level(LevelFilter::Debug);
        // An error if another test was first.
        let _ = ::log::set_boxed_logger(Box::new(Printer { began: Instant::now(), prints, warns }));
    }
}
