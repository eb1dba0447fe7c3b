//! How batches leave: encoded, cut where outcomes are stored already and where a message would be too long, and leased.

use std::mem;
use std::time::Duration;

use futures::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Post;
use crate::backend::coordinator::{Open, Replay, Reply, Serving};
use crate::backend::link::{CoordinatorLink, Sending, Stored};
use crate::backend::wire::Items;
use crate::engine::batch::Batch;
use crate::engine::chunk::Outcomes;
use crate::error::ItemError;
use crate::util::panic::{catch, discard};

/// What is told of a message before its payload: subject, headers, and the heads of the formats.
const OVERHEAD: usize = 512;

/// Why an item does not leave.
enum Stays {
    /// The source has failed in its place.
    Passed(ItemError),
    Unencoded(String),
}

impl<L, O, A> Serving<'_, L, O, A>
where
    L: CoordinatorLink,
    O: DeserializeOwned + Send + 'static,
    A: Post<Outcomes<O>>,
{
    /// Encodes a batch, and sends it out in as many parts as it needs. Failures of the source are passed on.
    pub(super) fn take<I: Serialize>(&mut self, batch: Batch<I>) {
        let Batch { mut first, mut inputs, mut passed, mut permit, queued_at, .. } = batch;
        // How many good items have been encoded.
        let mut good = 0;
        let mut items = Items::default();
        loop {
            let is_passed = passed.front().is_some_and(|(before, _)| *before == good);
            let due = if is_passed { passed.pop_front() } else { None };
            let stays = if let Some((_, error)) = due {
                Stays::Passed(error)
            } else {
                let Some(input) = inputs.queue().pop_front() else { break };
                good += 1;
                let encoded = catch(|| items.push(&input));
                discard(input);
                match encoded.unwrap_or_else(Err) {
                    Ok(()) => continue,
                    Err(message) => Stays::Unencoded(message),
                }
            };
            // Those before it leave, it ends here.
            let before = items.len();
            let rest = permit.split_off(permit.items() - before as usize);
            let permit_before = mem::replace(&mut permit, rest);
            self.place(first, Open { permit: permit_before, items: mem::take(&mut items), queued_at });
            first += u64::from(before);
            let rest = permit.split_off(permit.items() - 1);
            let one = mem::replace(&mut permit, rest);
            match stays {
                Stays::Passed(error) => self.sink.pass(first, one, error),
                Stays::Unencoded(message) => self.refuse(first, one, &format!("the item can't be sent: {message}")),
            }
            first += 1;
        }
        self.place(first, Open { permit, items, queued_at });
    }

    /// Finds out whether outcomes of it are stored, and sends out what is not.
    fn place(&mut self, mut first: u64, mut open: Open) {
        if open.items.len() == 0 {
            // Its permit has none either.
            return;
        }
        while !self.journal.is_empty() {
            let end = first + u64::from(open.items.len());
            let covering = self.journal.range(..=first).next_back().map(|(&first, &items)| Stored { first, items });
            let stored = covering.filter(|stored| stored.first + u64::from(stored.items) > first);
            let next = self.journal.range(first + 1..).next().map_or(u64::MAX, |(&first, _)| first);
            let cut = stored.map_or(next, |stored| stored.first + u64::from(stored.items)).min(end);
            let rest = (cut < end).then(|| open.split_off((cut - first) as u32));
            match stored {
                None => self.send(first, open),
                Some(stored) => {
                    self.replays.insert(first, Replay { open, stored });
                    self.ask_stored(first, stored, self.link.now());
                }
            }
            match rest {
                None => return,
                Some(rest) => (first, open) = (cut, rest),
            }
        }
        self.send(first, open);
    }

    /// Asks, at `at`, for the stored outcomes of a batch.
    pub(super) fn ask_stored(&self, first: u64, stored: Stored, at: Duration) {
        let (asleep, asked) = (self.link.sleep_until(at), self.link.stored(stored.first));
        let asked = asleep.then(move |()| asked);
        self.replies.push(asked.map(move |result| Reply::Replayed { first, result }).boxed_local());
    }

    /// Sends a batch out, in parts that are no longer than a message.
    pub(super) fn send(&mut self, first: u64, mut open: Open) {
        let trace = self.trace.map_or(0, |trace| trace.traceparent().len() + trace.tracestate().len());
        let most = self.link.max_message().saturating_sub(OVERHEAD + trace);
        while open.items.bytes() > most && open.items.len() > 1 {
            self.send_half(first, &mut open);
        }
        if open.items.bytes() > most {
            let reason = format!("the item takes {} bytes, and a message at most {most}", open.items.bytes());
            return self.refuse(first, open.permit, &reason);
        }
        let sending = Sending { first, items: open.items.len(), attempt: 0 };
        let job = open.items.job(first, self.trace);
        self.leases.grant(first, sending.items, open, self.link.now());
        self.dispatch(sending, job);
    }

    /// Sends the second half of a batch of several items.
    pub(super) fn send_half(&mut self, first: u64, open: &mut Open) {
        let keep = open.items.len() / 2;
        let rest = open.split_off(keep);
        self.send(first + u64::from(keep), rest);
    }

    pub(super) fn dispatch(&mut self, sending: Sending, job: Vec<u8>) {
        let (sent, first) = (self.link.send(sending, job), sending.first);
        self.replies.push(sent.map(move |result| Reply::Sent { first, result }).boxed_local());
    }
}

impl Open {
    /// Cuts all but the first `keep` items off.
    pub(super) fn split_off(&mut self, keep: u32) -> Self {
        let items = self.items.split_off(keep);
        let permit = self.permit.split_off(items.len() as usize);
        Self { permit, items, queued_at: self.queued_at }
    }
}
