//! An application of actors that owns a pipeline: results come to it as messages, a request for another search ends the
//! one that runs before the next one starts, and it shuts down in order, together with its System.
//!
//!     cargo run --release --example actix_app
//!
//! prints the first three primes of each of two searches and how many each came to, and ends by itself or at Ctrl-C:
//! `from 1000000000000`, `1000000000039`, `1000000000061`, `1000000000063`, `... 286694 primes in all`, the same from
//! 2000000000000, and `every worker is gone`.

use std::time::Duration;

use actix::prelude::*;
use actix_fan::primes::is_prime;
use actix_fan::{FanOutExt, ItemError, StartError, StopHandle};

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
}

impl Actor for App {
    type Context = Context<Self>;
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
            Ok(prime) if self.found <= 3 => println!("{prime}"),
            Ok(_) => {}
            Err(error) => eprintln!("{error}"),
        }
    }
}

impl App {
    /// Does what comes next. Nothing runs here, so whatever is found from now on belongs to the next search.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        match self.next {
            None => {}
            Some(Ask::Shutdown) => {
                println!("every worker is gone");
                System::current().stop();
            }
            Some(Ask::Search { from }) => {
                self.next = None;
                if let Err(error) = self.search(from, ctx) {
                    eprintln!("{error}");
                    System::current().stop_with_code(1);
                }
            }
        }
    }

    fn search(&mut self, from: u64, ctx: &mut Context<Self>) -> Result<(), StartError> {
        let primes = (from..).fan_out().ordered().filter_map(|n| is_prime(n).then_some(n))?;
        println!("from {from}");
        self.running = Some(primes.stop_handle());
        self.found = 0;
        let delivery = primes.deliver_with(ctx.address().recipient(), Found);
        // It is over when the last result was handled and every worker's thread has dropped its work.
        ctx.spawn(delivery.into_actor(self).map(|end, app, ctx| {
            match end {
                Ok(stats) => println!("... {} primes in all", stats.emitted),
                Err(error) => eprintln!("{error}"),
            }
            app.running = None;
            app.go_on(ctx);
        }));
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let system = System::new();
    let app = system.block_on(async { App::default().start() });
    let interrupted = app.clone();
    ctrlc::set_handler(move || interrupted.do_send(Ask::Shutdown))?;
    system.runtime().spawn(async move {
        for from in [1_000_000_000_000, 2_000_000_000_000] {
            app.do_send(Ask::Search { from });
            actix::clock::sleep(Duration::from_millis(200)).await;
        }
        app.do_send(Ask::Shutdown);
    });
    Ok(system.run()?) // until the App stops it
}
