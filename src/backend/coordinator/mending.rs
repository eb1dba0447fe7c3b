//! How a coordinator finds what the backend has lost, and mends it.

use std::fmt::Write;

use std::time::Duration;

use futures::FutureExt;
use serde::de::DeserializeOwned;

use crate::backend::Post;
use crate::backend::coordinator::{RETRY, Replay, Reply, Serving, Unsent};
use crate::backend::link::{CoordinatorLink, Sending, Sent};
use crate::backend::wire::{ReceivedOutcomes, Verdict};
use crate::engine::chunk::Outcomes;
use crate::error::PipelineError;
use crate::protocol::Phase;
use crate::util::log;

/// A node that can't send outcomes tells it again within ten seconds.
const UNSENT: Duration = Duration::from_secs(30);

impl<L, O, A> Serving<'_, L, O, A>
where
    L: CoordinatorLink,
    O: DeserializeOwned + Send + 'static,
    A: Post<Outcomes<O>>,
{
    /// A call of the backend has returned.
    pub(super) fn replied(&mut self, reply: Reply<L::Message>) {
        let error = match reply {
            Reply::Sent { first, result } => match result {
                Ok(Sent::Kept) => {
                    self.leases.kept(first);
                    None
                }
                Ok(Sent::Full(error)) => {
                    let now = self.link.now();
                    self.leases.waits(first, now);
                    self.leases.not_sent(first, now + RETRY);
                    self.hear();
                    Some(error)
                }
                Err(error) => {
                    self.leases.not_sent(first, self.link.now() + RETRY);
                    Some(error)
                }
            },
            Reply::Jobs(result) => {
                self.is_looking = false;
                match result {
                    Err(error) => Some(error),
                    Ok(jobs) => {
                        let silent = self.link.now().saturating_sub(self.answered);
                        if silent > self.patience.answer && !jobs.is_empty() {
                            log::warn!(
                                "{} batches have waited for {silent:.0?} at the backend, and no node has answered: is there one \
                                 that has this kind of work?",
                                jobs.len()
                            );
                        }
                        for missing in self.leases.look(self.link.now(), |first| jobs.contains(&first)) {
                            let found = self.link.stored(missing.first);
                            let found = found.map(move |result| Reply::Found { missing, result });
                            self.replies.push(found.boxed_local());
                        }
                        None
                    }
                }
            }
            Reply::Found { missing, result } => match result {
                Err(error) => Some(error),
                Ok(found) => {
                    if let Some(message) = found {
                        self.receive(message.as_ref());
                    }
                    if missing.again {
                        self.send_again(missing.first);
                    }
                    None
                }
            },
            Reply::Replayed { first, result } => match result {
                Err(error) => {
                    // It is asked again, since to run it again would be in vain.
                    if let Some(Replay { stored, .. }) = self.replays.get(&first) {
                        self.ask_stored(first, *stored, self.link.now() + RETRY);
                    }
                    Some(error)
                }
                Ok(found) => {
                    if let Some(replay) = self.replays.remove(&first) {
                        self.replay(first, replay, found);
                    }
                    None
                }
            },
        };
        match error {
            None => self.hear(),
            Some(error) => {
                log::debug!("a call of the backend failed: {error}");
                self.last_error = Some(error);
            }
        }
    }

    /// The backend has given a sign.
    pub(super) fn hear(&mut self) {
        let now = self.link.now();
        if now.saturating_sub(self.heard) > self.patience.answer {
            // What it did not keep meanwhile is no fault of its storage.
            self.leases.restart(now);
        }
        self.heard = now;
    }

    /// Delivers what is stored of an earlier coordinator. A batch of which it is gone or damaged is run again.
    fn replay(&mut self, first: u64, Replay { open, stored }: Replay, found: Option<L::Message>) {
        let parsed = found.as_ref().and_then(|message| ReceivedOutcomes::parse(message.as_ref()).ok());
        let whole = parsed.filter(|parsed| {
            parsed.head.verdict == Verdict::Ran
                && (parsed.head.first, parsed.head.items) == (stored.first, stored.items)
        });
        let open = match whole {
            None => open,
            Some(parsed) => match self.deliver(first, (first - stored.first) as u32, open, &parsed) {
                Ok(()) => return,
                Err(refused) => refused.0,
            },
        };
        self.send(first, open);
    }

    /// The job of the batch is lost, and no outcomes of it are stored, unless it was just answered.
    fn send_again(&mut self, first: u64) {
        let now = self.link.now();
        if let Some((open, attempt)) = self.leases.renew(first, now) {
            log::warn!("the batch at item {first} was lost: it is sent again");
            let (job, items) = (open.items.job(first, self.trace), open.items.len());
            self.dispatch(Sending { first, items, attempt }, job);
        }
    }

    /// Looks for lost batches, if it is time to.
    pub(super) fn look(&mut self) {
        let now = self.link.now();
        if self.unanswered() == 0 {
            // Nothing is waited for.
            (self.heard, self.answered, self.unsent) = (now, now, None);
            return;
        }
        let silent = now.saturating_sub(self.heard);
        // One that tells it no more could send them, or died.
        self.unsent.take_if(|unsent| now.saturating_sub(unsent.told) > UNSENT);
        let outage = self.patience.outage;
        let too_long = |since: Duration| Some(now.saturating_sub(since)).filter(|time| *time > outage);
        let why = if let Some(time) = too_long(self.heard) {
            Some(format!("nothing was heard of the backend for {time:.1?}"))
        } else if let Some((first, since)) = self.leases.first_unkept()
            && let Some(time) = too_long(since)
        {
            Some(format!("the backend answers, but has not kept the job of the batch at item {first} for {time:.1?}"))
        } else if let Some(Unsent { since, what, .. }) = &self.unsent
            && let Some(time) = too_long(*since)
        {
            Some(format!("nodes could not send outcomes for {time:.1?} ({what})"))
        } else {
            None
        };
        if let Some(why) = why {
            return self.fail(why);
        }
        if !self.is_looking && (self.leases.has_overdue(now) || silent > self.patience.answer) {
            self.is_looking = true;
            self.replies.push(self.link.jobs().map(Reply::Jobs).boxed_local());
        }
    }

    /// Ends the run with an error that names what is missing.
    pub(super) fn fail(&mut self, why: String) {
        let (mut message, open) = (why, self.unanswered());
        let _ = write!(message, ", and {open} batches are unanswered");
        for (at, (first, items)) in self.leases.first(3).enumerate() {
            let before = if at == 0 { ": items " } else { ", " };
            let _ = write!(message, "{before}{first}..{}", first + u64::from(items));
        }
        if open > 3 {
            message += " and more";
        }
        if let Some(error) = &self.last_error {
            let _ = write!(message, "; the last error was: {error}");
        }
        if let Some(complaint) = self.link.complaint() {
            let _ = write!(message, "; {complaint}");
        }
        self.run.fail(PipelineError::Remote { message }, Phase::Stopped);
    }
}
