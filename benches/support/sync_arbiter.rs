//! A bare `SyncArbiter`, as actix's page on it has one: a message for each item, answered with its result.

use actix::{Actor, Addr, Handler, Message, SyncArbiter, SyncContext};

use super::spin::spin;

/// An item of known length.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    pub(crate) value: u64,
    pub(crate) steps: u64,
}

impl Item {
    pub(crate) fn run(self) -> u64 {
        spin(self.value, self.steps)
    }
}

impl Message for Item {
    type Result = u64;
}

pub(crate) struct Worker;

impl Worker {
    /// Must be called inside of a System.
    pub(crate) fn start(threads: usize) -> Addr<Self> {
        SyncArbiter::start(threads, || Self)
    }
}

impl Actor for Worker {
    type Context = SyncContext<Self>;
}

impl Handler<Item> for Worker {
    type Result = u64;

    fn handle(&mut self, item: Item, _: &mut Self::Context) -> u64 {
        item.run()
    }
}
