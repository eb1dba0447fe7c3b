use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use actix_fan::FanOutExt;
use actix_fan::web::ndjson_with;
use actix_web::web::get;

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::run;

const ITEMS: u64 = 1000;
const LINE: usize = 64 * 1024;
const WINDOW: usize = 8;
/// More lines than the sockets' buffers hold: the system's limit for sending is 4 MiB by default.
const UNDER_WAY: u64 = 300;

/// Results made, and how many of them there were at once, at most.
#[derive(Default)]
struct Alive {
    made: AtomicU64,
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Tracked(Arc<Alive>);

impl Tracked {
    fn new(alive: Arc<Alive>) -> Self {
        alive.made.fetch_add(1, SeqCst);
        let now = alive.now.fetch_add(1, SeqCst) + 1;
        alive.most.fetch_max(now, SeqCst);
        Self(alive)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

#[test]
fn a_slow_client_slows_the_pipeline_and_costs_no_more_than_the_window() {
    run(async {
        let alive = Arc::new(Alive::default());
        let counted = Arc::clone(&alive);
        let server = serve(Closed::Half, move |app| {
            let alive = Arc::clone(&counted);
            let handler = move || {
                let alive = Arc::clone(&alive);
                let results =
                    (0..ITEMS).fan_out().window(WINDOW).map(move |_| Tracked::new(Arc::clone(&alive))).unwrap();
                let write = |_: &Tracked, line: &mut Vec<u8>| -> io::Result<()> {
                    line.resize(line.len() + LINE, b'0');
                    Ok(())
                };
                std::future::ready(ndjson_with(results, write))
            };
            app.route("/", get().to(handler));
        });
        let mut client = Client::ask(server, "/").await;
        client.head().await;
        let mut received = 0;
        while let Some(chunk) = client.chunk().await {
            received += chunk.lines().count() as u64;
            let made = alive.made.load(SeqCst);
            assert!(made <= received + UNDER_WAY, "{made} lines were made while {received} had arrived");
        }
        // The last line is the end's.
        received -= 1;
        assert_eq!((received, alive.made.load(SeqCst), alive.now.load(SeqCst)), (ITEMS, ITEMS, 0));
        // Each worker and the writer have one in hand.
        assert!(alive.most.load(SeqCst) <= WINDOW + 1, "{}", alive.most.load(SeqCst));
    });
}
