//! An application of actors that owns a pipeline: results come to it as messages, a request for another search ends the
//! one that runs before the next one starts, and it shuts down in order, together with its System.
//!
//!     cargo run --release --example actix_app
//!
//! prints the first three primes of each of two searches and how many each came to, and ends by itself, or at Ctrl-C,
//! SIGTERM or SIGHUP, or when nothing can be printed any more: `from 1000000000`, `1000000007`, `1000000009`,
//! `1000000021`, `... 1291 primes in all`, the same from 2000000000, and `every worker is gone`.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use actix::prelude::*;
use actix_fan::{FanOutExt, ItemError, StartError, StopHandle};

/// Slow on purpose: what it costs differs widely from one number to the next.
fn is_prime(n: u64) -> bool {
    n > 1 && (2..=n.isqrt()).all(|divisor| !n.is_multiple_of(divisor))
}

/// What the application is asked for.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
enum Ask {
    /// A search, in place of the one that runs.
    Search { from: u64 },
    /// The end: after what is in flight, unless that takes too long.
    Shutdown,
}

/// What the pipeline delivers.
#[derive(Message)]
#[rtype(result = "()")]
struct Found(Result<u64, ItemError>);

#[derive(Default)]
struct App {
    running: Option<StopHandle>,
    next: Option<Ask>,
    found: u64,
    /// Why nothing can be printed any more.
    mute: Option<io::Error>,
}

impl Actor for App {
    type Context = Context<Self>;
}

/// A panic in a handler would drop the actor, and no signal would reach it any more: then the System ends as well. If it has
/// ended in order, its code stands.
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
            (_, None) => self.go_on(ctx),
            (Ask::Search { .. }, Some(running)) => running.now(),
            (Ask::Shutdown, Some(running)) => {
                running.drain();
                ctx.run_later(Duration::from_secs(2), move |_, _| running.now());
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
            Err(error) => complain(&error),
        }
    }
}

impl App {
    /// Does what comes next. Nothing runs here, so whatever is found from now on belongs to the next search.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        match self.next {
            None => {}
            Some(Ask::Shutdown) => {
                self.print(format_args!("every worker is gone"));
                let code = match &self.mute {
                    // Its reader has seen enough, as `head` does.
                    Some(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
                    Some(error) => {
                        complain(error);
                        1
                    }
                    None => 0,
                };
                System::current().stop_with_code(code);
            }
            Some(Ask::Search { from }) => {
                self.next = None;
                if let Err(error) = self.search(from, ctx) {
                    complain(&error);
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
        // It is over when the last result was handled and every worker's thread has dropped its work.
        ctx.spawn(delivery.into_actor(self).map(|end, app, ctx| {
            match end {
                Ok(stats) => app.print(format_args!("... {} primes in all", stats.emitted)),
                Err(error) => complain(&error),
            }
            app.running = None;
            app.go_on(ctx);
        }));
        Ok(())
    }

    /// Prints a line. If that fails, which makes `println!` panic, there is nothing to search for any more.
    fn print(&mut self, line: fmt::Arguments<'_>) {
        if self.mute.is_some() {
            return;
        }
        if let Err(error) = writeln!(io::stdout(), "{line}") {
            self.mute = Some(error);
            self.next = Some(Ask::Shutdown);
            if let Some(running) = &self.running {
                running.now();
            }
        }
    }
}

fn complain(error: &dyn Error) {
    // Where this fails, there is nowhere left to say so.
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
