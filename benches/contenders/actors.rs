//! What one writes who has just read actix's page on `SyncArbiter`.

use std::convert::Infallible;
use std::time::Instant;

use actix::{Actor, Addr, Context, Handler, Message, SyncArbiter, SyncContext, SystemRunner};
use tokio::sync::{mpsc, oneshot};

use super::{Checksum, Run, WORKERS, WorkOnItem};

/// Every item is sent before the first one is answered, and all of them wait in mailboxes that nothing bounds. An item
/// without a result is answered too, since nothing else tells when it is over.
pub(super) fn bare_sync_arbiter(system: &SystemRunner, items: u64, work: impl WorkOnItem) -> Run {
    system.block_on(async {
        let began = Instant::now();
        let (done, checksum) = oneshot::channel();
        let collector = Collector { left: items, checksum: Checksum::default(), done: Some(done) }.start();
        let (alive, mut gone) = mpsc::channel(1);
        let pool =
            SyncArbiter::start(WORKERS, move || Worker { work, collector: collector.clone(), _alive: alive.clone() });
        (0..items).for_each(|n| pool.do_send(Item(n)));
        let checksum = checksum.await.expect("the collector answers");
        let run = Run { took: began.elapsed(), checksum };
        // The threads end outside of what is timed, so that they don't disturb the next contender.
        drop(pool);
        let None = gone.recv().await;
        run
    })
}

struct Item(u64);

impl Message for Item {
    type Result = ();
}

struct Worker<F> {
    work: F,
    collector: Addr<Collector>,
    _alive: mpsc::Sender<Infallible>,
}

impl<F: WorkOnItem> Actor for Worker<F> {
    type Context = SyncContext<Self>;
}

impl<F: WorkOnItem> Handler<Item> for Worker<F> {
    type Result = ();

    fn handle(&mut self, Item(n): Item, _: &mut Self::Context) {
        self.collector.do_send(Answer((self.work)(n)));
    }
}

struct Answer(Option<u64>);

impl Message for Answer {
    type Result = ();
}

struct Collector {
    left: u64,
    checksum: Checksum,
    done: Option<oneshot::Sender<Checksum>>,
}

impl Actor for Collector {
    type Context = Context<Self>;
}

impl Handler<Answer> for Collector {
    type Result = ();

    fn handle(&mut self, Answer(result): Answer, _: &mut Self::Context) {
        if let Some(result) = result {
            self.checksum.add(result);
        }
        self.left -= 1;
        if self.left == 0
            && let Some(done) = self.done.take()
        {
            // The receiver waits for it.
            let _ = done.send(self.checksum);
        }
    }
}
