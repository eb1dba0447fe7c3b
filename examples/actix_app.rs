//! An application actor that owns a pipeline: it gets the results as messages, stops the running search before it
//! starts another one, and shuts down in order, together with its System.
//!
//!     cargo run --release --example actix_app
//!
//! prints the first three primes of each of two searches and how many primes each found: `from 1000000000`,
//! `1000000007`, `1000000009`, `1000000021`, `... 1291 primes in all`, then the same from 2000000000, and
//! `all workers have stopped`. It ends by itself, at Ctrl-C, SIGTERM or SIGHUP, and when its output is closed.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use actix::prelude::*;
use actix_fan::{FanOutExt, ItemError, StartError, StopHandle};

/// Trial division: slow on purpose, and its time differs widely between numbers.
fn is_prime(n: u64) -> bool {
    n > 1 && (2..=n.isqrt()).all(|divisor| !n.is_multiple_of(divisor))
}

/// The requests to the application.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
enum Ask {
    /// Start a search, after stopping the running one.
    Search { from: u64 },
    /// Drain the running search, for 2 s at most, and end.
    Shutdown,
}

/// A result of the pipeline.
#[derive(Message)]
#[rtype(result = "()")]
struct Found(Result<u64, ItemError>);

#[derive(Default)]
struct App {
    running: Option<StopHandle>,
    next: Option<Ask>,
    found: u64,
    /// The error of the standard output, if it failed.
    output_error: Option<io::Error>,
}

impl Actor for App {
    type Context = Context<Self>;
}

/// A panic in a handler drops the actor, and with it the handler of signals: end the System as well. If it was stopped
/// already, its exit code does not change.
impl Drop for App {
    fn drop(&mut self) {
        if let Some(system) = System::try_current() {
            system.stop_with_code(1);
        }
    }
}

impl Handler<Ask> for App {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        if let Some(Ask::Shutdown) = self.next {
            return;
        }
        self.next = Some(ask);
        match (ask, self.running.clone()) {
            (_, None) => self.handle_next(ctx),
            (Ask::Search { .. }, Some(running)) => running.stop(),
            (Ask::Shutdown, Some(running)) => {
                running.drain();
                ctx.run_later(Duration::from_secs(2), move |_, _| running.stop());
            }
        }
    }
}

impl Handler<Found> for App {
    type Result = ();

    fn handle(&mut self, Found(result): Found, _: &mut Context<Self>) {
        self.found += 1;
        match result {
            Ok(prime) if self.found <= 3 => self.print(format_args!("{prime}")),
            Ok(_) => {}
            Err(error) => report(&error),
        }
    }
}

impl App {
    /// Handles the next request. No search runs when this is called, so the results that follow are the next search's.
    fn handle_next(&mut self, ctx: &mut Context<Self>) {
        match self.next {
            None => {}
            Some(Ask::Shutdown) => {
                self.print(format_args!("all workers have stopped"));
                let code = match &self.output_error {
                    // The reader of the pipe ended first, as `head` does.
                    Some(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
                    Some(error) => {
                        report(error);
                        1
                    }
                    None => 0,
                };
                System::current().stop_with_code(code);
            }
            Some(Ask::Search { from }) => {
                self.next = None;
                if let Err(error) = self.search(from, ctx) {
                    report(&error);
                    System::current().stop_with_code(1);
                }
            }
        }
    }

    fn search(&mut self, from: u64, ctx: &mut Context<Self>) -> Result<(), StartError> {
        let primes = (from..).fan_out().ordered().filter_map(|n| is_prime(n).then_some(n))?;
        self.running = Some(primes.stop_handle());
        self.found = 0;
        self.print(format_args!("from {from}"));
        let delivery = primes.deliver_with(ctx.address().recipient(), Found);
        // It completes when the last result was handled and every worker thread has dropped its work.
        ctx.spawn(delivery.into_actor(self).map(|end, app, ctx| {
            match end {
                Ok(stats) => app.print(format_args!("... {} primes in all", stats.emitted)),
                Err(error) => report(&error),
            }
            app.running = None;
            app.handle_next(ctx);
        }));
        Ok(())
    }

    /// Prints a line. If that fails, ends the search instead of panicking as `println!` does.
    fn print(&mut self, line: fmt::Arguments<'_>) {
        if self.output_error.is_some() {
            return;
        }
        if let Err(error) = writeln!(io::stdout(), "{line}") {
            self.output_error = Some(error);
            self.next = Some(Ask::Shutdown);
            if let Some(running) = &self.running {
                running.stop();
            }
        }
    }
}

fn report(error: &dyn Error) {
    // If standard error fails, there is no other place to report it.
    let _ = writeln!(io::stderr(), "{error}");
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let system = System::new();
    let app = system.block_on(async { App::default().start() });
    let interrupted = app.clone();
    ctrlc::set_handler(move || interrupted.do_send(Ask::Shutdown))?;
    system.runtime().spawn(async move {
        for from in [1_000_000_000, 2_000_000_000] {
            app.do_send(Ask::Search { from });
            actix::clock::sleep(Duration::from_millis(200)).await;
        }
        app.do_send(Ask::Shutdown);
    });
    let code = system.run_with_code()?; // until the App stops it
    Ok(if code == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
