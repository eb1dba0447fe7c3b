//! Pulls: how a node asks the server for one job at a time.

use std::cell::RefCell;
use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{AckKind, Message};
use async_nats::{StatusCode, Subscriber};
use futures::StreamExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::backend::jetstream::link::{Explained, Link};
use crate::backend::link::LinkError;
use crate::util::log;

/// How much later than it should a pull ends on a server that no longer knows of it. No answer comes if the consumer is gone.
const OVERDUE: Duration = Duration::from_secs(2);

/// How long a job that was given back waits: until all pulls that were out have ended, of nodes that drain at a time. Otherwise
/// it could come to one of these again and again, as one that ends its nodes does.
pub(super) const GIVEN_BACK: Duration = Duration::from_millis(750);

const WHAT: &str = "a job could not be pulled";

/// The pulls of a node.
pub(super) struct Pulls {
    link: Link,
    /// Those that were dropped, whose jobs are given back.
    dropped: RefCell<JoinSet<()>>,
}

/// A pull, from before it is sent. If it is dropped without an answer, as when the node drains, a job may be on its way: it is
/// given back, and need not wait until the server misses its acknowledgement. To unsubscribe would not do: the client drops
/// what the server sends before it knows of that.
struct Pull<'a> {
    pulls: &'a Pulls,
    /// When the server has answered, if it does.
    until: Instant,
    /// `None` once the answer has come.
    subscriber: Option<Subscriber>,
}

impl Pulls {
    pub(super) fn new(link: Link) -> Self {
        Self { link, dropped: RefCell::default() }
    }

    /// Asks for a job; `None` if there is none within `expires`.
    pub(super) async fn job(
        &self,
        consumer: &Consumer<pull::Config>,
        expires: Duration,
    ) -> Result<Option<Message>, LinkError> {
        let Self { link, .. } = self;
        let mut reconnected = link.reconnected();
        let inbox = link.client.new_inbox();
        let subscriber = link.client.subscribe(inbox.clone()).await.explained(link, WHAT)?;
        let until = Instant::now() + expires + OVERDUE;
        let mut pull = Pull { pulls: self, until, subscriber: Some(subscriber) };
        // Without a heartbeat: jobs come one by one.
        let one = pull::BatchConfig { batch: 1, expires: Some(expires), ..Default::default() };
        consumer.request_batch(one, inbox.into()).await.explained(link, WHAT)?;
        // The server forgets a pull when it restarts, and answers none whose consumer it has lost.
        tokio::select! {
            biased;
            answer = pull.answer() => answer,
            Ok(()) = reconnected.changed() => Err(link.explain(WHAT, "the connection was made again meanwhile")),
            () = sleep_until(until) => {
                Err(link.explain(WHAT, "the server did not answer, so it may have lost the consumer"))
            }
        }
    }

    /// Ready once the jobs of all pulls that were dropped are given back. No others are sent meanwhile.
    pub(super) async fn end(&self) {
        let mut dropped = self.dropped.take();
        while dropped.join_next().await.is_some() {}
    }
}

impl Pull<'_> {
    async fn answer(&mut self) -> Result<Option<Message>, LinkError> {
        let link = &self.pulls.link;
        let answer = self.subscriber.as_mut().expect("there is one answer").next().await;
        self.subscriber = None;
        let message = answer.ok_or_else(|| LinkError::new(WHAT, "the connection has ended"))?;
        match message.status {
            _ if is_job(&message) => Ok(Some(Message { context: link.context.clone(), message })),
            Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) | None => Ok(None),
            Some(status) => {
                let said = message.description.as_deref().unwrap_or("no reason");
                Err(link.explain(WHAT, format_args!("{status}, {said}")))
            }
        }
    }
}

impl Drop for Pull<'_> {
    fn drop(&mut self) {
        let Some(mut subscriber) = self.subscriber.take() else { return };
        let (context, until) = (self.pulls.link.context.clone(), self.until);
        let mut dropped = self.pulls.dropped.borrow_mut();
        while dropped.try_join_next().is_some() {}
        dropped.spawn_local(async move {
            if let Ok(Some(message)) = timeout_at(until, subscriber.next()).await
                && is_job(&message)
                && let Err(error) = (Message { context, message }).ack_with(AckKind::Nak(Some(GIVEN_BACK))).await
            {
                log::warn!("a job could not be given back: {error}");
            }
        });
    }
}

/// Returns true if the answer to a pull is a job, and not the reason for which there is none.
fn is_job(message: &async_nats::Message) -> bool {
    matches!(message.status, None | Some(StatusCode::OK))
}
