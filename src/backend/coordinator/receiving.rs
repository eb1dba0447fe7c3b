//! How outcomes come back: each finds its lease, is decoded, and goes on to the aggregator with the batch's permit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::backend::Post;
use crate::backend::coordinator::{Open, Serving, Sink, Unsent};
use crate::backend::link::CoordinatorLink;
use crate::backend::remote_error::RemoteError;
use crate::backend::wire::{ReceivedOutcomes, Results, Verdict, WireError};
use crate::engine::chunk::{Chunk, Outcomes};
use crate::engine::permit::Permit;
use crate::error::ItemError;
use crate::protocol::Ends;
use crate::util::log;
use crate::util::panic::catch;

impl<L, O, A> Serving<'_, L, O, A>
where
    L: CoordinatorLink,
    O: DeserializeOwned + Send + 'static,
    A: Post<Outcomes<O>>,
{
    /// Outcomes have come.
    pub(super) fn receive(&mut self, message: &[u8]) {
        let parsed = match ReceivedOutcomes::parse(message) {
            Ok(parsed) => parsed,
            Err(error) => return log::warn!("a message with outcomes was not understood: {error}"),
        };
        if parsed.head.items == 0 {
            if let Verdict::Refused(reason) = &parsed.head.verdict {
                let now = self.link.now();
                let since = self.unsent.take().map_or(now, |unsent| unsent.since);
                self.unsent = Some(Unsent { since, told: now, what: format!("node {}: {reason}", parsed.head.node) });
            }
            return self.run.metrics.node_told(&parsed.head.node, parsed.head.state);
        }
        let Some(open) = self.leases.redeem(parsed.head.first, parsed.head.items) else {
            return log::debug!("outcomes of the batch at item {} came late or twice", parsed.head.first);
        };
        // Not for those that come again, which a node sends as long as they are not stored.
        self.unsent = None;
        let (first, mut open) = (parsed.head.first, open);
        match &parsed.head.verdict {
            Verdict::Ran => {
                if let Err(refused) = self.deliver(first, 0, open, &parsed) {
                    let (open, error) = *refused;
                    let reason = format!("the outcomes of node {} are no good: {error}", parsed.head.node);
                    self.refuse(first, open.permit, &reason);
                }
            }
            Verdict::Refused(reason) => self.refuse(first, open.permit, reason),
            Verdict::Poison { .. } if open.items.len() > 1 => {
                // One of its items may end the process of each node, and then the others are not to fail with it. Or all
                // were unlucky, and ran beside such an item each time.
                log::warn!("the batch at item {first} is sent again, item by item");
                for first in first.. {
                    let rest = (open.items.len() > 1).then(|| open.split_off(1));
                    self.send(first, open);
                    match rest {
                        Some(rest) => open = rest,
                        None => return,
                    }
                }
            }
            Verdict::Poison { deliveries } => {
                let reason = format!("it was delivered {deliveries} times, and each node that had it was lost");
                self.refuse(first, open.permit, &reason);
            }
            Verdict::TooLarge { .. } if open.items.len() > 1 => {
                self.send_half(first, &mut open);
                self.send(first, open);
            }
            Verdict::TooLarge { bytes, most } => {
                let reason = format!("its results take {bytes} bytes, and a message at most {most}");
                self.refuse(first, open.permit, &reason);
            }
        }
    }

    /// Delivers the outcomes of a batch, which are those from the number `skip` on.
    pub(super) fn deliver(
        &self,
        first: u64,
        skip: u32,
        open: Open,
        received: &ReceivedOutcomes<'_>,
    ) -> Result<(), Box<(Open, WireError)>> {
        let items = open.items.len();
        let decoded = catch(|| received.results::<O>(skip, items, self.sink.buffers.get()));
        let results = match decoded.unwrap_or(Err(WireError::Head)) {
            Ok(results) => results,
            Err(error) => return Err(Box::new((open, error))),
        };
        let ran = Duration::from_nanos(received.head.ran_nanos);
        let ran = ran.mul_f64(f64::from(items) / f64::from(received.head.items.max(1)));
        let node = self.run.metrics.node_ended(&received.head.node, received.head.state, items, ran);
        let away = Instant::now().saturating_duration_since(open.queued_at);
        self.run.metrics.waited(away.saturating_sub(ran), items as usize);
        self.run.metrics.ran(ran / items, items as usize);
        if let Some(observed) = self.run.observed() {
            results.failures.iter().for_each(|(_, error)| observed.failed(error));
            let failed = results.failures.len();
            let ends = Ends { completed: items as usize - failed, failed, ..Ends::default() };
            observed.batch().tell(node, first, ends, open.queued_at, ran);
        }
        self.sink.deliver(first, open.permit, results, ran);
        Ok(())
    }

    /// Each item of the permit fails, which begins with the one of the index `first`.
    pub(super) fn refuse(&self, first: u64, permit: Permit, reason: &str) {
        log::warn!("{} items from item {first} on have failed: {reason}", permit.items());
        let failed = |at| ItemError::failed(first + at, Box::new(RemoteError::new(reason)));
        let failures = (0..permit.items() as u64).map(|at| (0, failed(at))).collect();
        let results = Results { values: self.sink.buffers.get(), failures };
        if let Some(observed) = self.run.observed() {
            results.failures.iter().for_each(|(_, error)| observed.failed(error));
        }
        self.sink.deliver(first, permit, results, Duration::ZERO);
    }
}

impl<O, A: Post<Outcomes<O>>> Sink<O, A> {
    fn deliver(&self, first: u64, mut permit: Permit, results: Results<O>, ran: Duration) {
        let Results { values, failures } = results;
        let items = permit.items();
        permit.record(items - failures.len(), failures.len(), if ran.is_zero() { 0 } else { items }, ran);
        permit.end();
        let chunk = Chunk::new(values, failures, Arc::clone(&self.buffers), permit);
        // If the aggregator is gone, they are dropped here, which releases their permit.
        self.aggregator.post(Outcomes { first, part: 0, items, chunk });
    }

    /// Passes the failure of the source on that has taken the place of an item.
    pub(super) fn pass(&self, first: u64, permit: Permit, error: ItemError) {
        let results = Results { values: self.buffers.get(), failures: [(0, error)].into() };
        self.deliver(first, permit, results, Duration::ZERO);
    }
}
