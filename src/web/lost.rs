//! A middleware that notices clients that are gone, on HTTP/2.
//!
//! actix-web spawns a task per HTTP/2 request and polls it until its answer is written: neither the handler nor a body
//! that has nothing to write learns of a reset stream. What does know is the request's own body. When h2 is asked for more of
//! one that has ended, it says `None` while the stream is open, and returns an error when the stream was reset or its
//! connection is gone. It wakes nobody for that, so it is asked periodically.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::rt::time::{Instant, Interval, interval_at};
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, ResponseError};
use futures::Stream;
use futures::future::{Either, select};

use crate::util::log;
use crate::util::panic::catch;

/// How soon a client that is gone is noticed.
const PERIOD: Duration = Duration::from_millis(500);

/// Middleware that drops the handler's future, or the body of the answer, when an HTTP/2 client has reset its stream or closed
/// its connection: within half a second, where actix-web itself lets handlers run to their end, and streams until their
/// next write.
///
/// What is dropped is given up: a pipeline stops, and a submitted item is skipped or sees
/// [`Job::is_stopped`](crate::Job::is_stopped). HTTP/1 requests pass through; see [Disconnects](super#disconnects) for what
/// there is to be set for them.
///
/// Wrap it last, so that it is the outermost: a middleware outside of it that replaces the request's body, as `Decompress`
/// does, hides from it that the client is gone. So does a handler that leaves more than 16 KiB or so of the request's body
/// unread while it waits.
///
/// A handler must expect to be dropped at any `await`, as it must on HTTP/1. What has to be done whether or not
/// the client is there, belongs into a task of its own.
///
/// # Examples
///
/// ```
/// use actix_fan::web::cancel_on_disconnect;
/// use actix_web::App;
/// use actix_web::middleware::from_fn;
///
/// let app = App::new().wrap(from_fn(cancel_on_disconnect));
/// # let _ = app;
/// ```
pub async fn cancel_on_disconnect(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let (response, watch) = if request.version() == Version::HTTP_2 {
        let (incoming, rest) = Incoming::watched(request.take_payload());
        request.set_payload(rest);
        let mut watch = Watch::new(incoming);
        let path = request.path().to_owned();
        let response = match select(pin!(next.call(request)), &mut watch).await {
            Either::Left((response, _)) => response?,
            Either::Right(((), _handler)) => {
                log::debug!("{path}: the client is gone before there is an answer");
                return Err(ClientGone.into());
            }
        };
        (response, Some(watch))
    } else {
        (next.call(request).await?, None)
    };
    Ok(response.map_body(|_, body| Watched { body: body.boxed(), watch }))
}

/// Never sent, for want of a client. It is what a log of answers has, with nginx's status for it.
#[derive(Debug, thiserror::Error)]
#[error("the client is gone")]
struct ClientGone;

impl ResponseError for ClientGone {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(499).expect("it has three digits")
    }
}

/// The body of a request, which its handler and the watch share.
struct Incoming {
    payload: Payload,
    /// Received by the watch, and not read yet.
    next: Option<Bytes>,
    /// The handler has it.
    read: bool,
    /// The handler waits for more, and will be woken with the error if the client goes. The watch keeps away, lest it
    /// take that waker's place.
    awaited: bool,
}

impl Incoming {
    /// Returns what is to be watched, and the payload for the handler.
    fn watched(payload: Payload) -> (Rc<RefCell<Self>>, Payload) {
        let incoming = Rc::new(RefCell::new(Self { payload, next: None, read: true, awaited: false }));
        let rest: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Rest(Rc::clone(&incoming)));
        (incoming, rest.into())
    }

    /// Returns true if the client is known to be gone.
    fn is_lost(&mut self) -> bool {
        // One chunk is ahead of the handler at most: the client's window bounds the rest.
        if self.awaited || self.next.is_some() {
            return false;
        }
        let mut context = Context::from_waker(Waker::noop());
        // A stream of another middleware may panic when it is polled after its end. It doesn't tell then.
        match catch(|| Pin::new(&mut self.payload).poll_next(&mut context)) {
            Ok(Poll::Ready(Some(Err(_)))) => true,
            Ok(Poll::Ready(Some(Ok(chunk)))) => {
                self.next = Some(chunk).filter(|_| self.read);
                false
            }
            Ok(Poll::Ready(None) | Poll::Pending) | Err(_) => false,
        }
    }
}

/// The handler's side.
struct Rest(Rc<RefCell<Incoming>>);

impl Stream for Rest {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let incoming = &mut *self.0.borrow_mut();
        if let Some(chunk) = incoming.next.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        let next = Pin::new(&mut incoming.payload).poll_next(cx);
        incoming.awaited = next.is_pending();
        next
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let mut incoming = self.0.borrow_mut();
        (incoming.next, incoming.read, incoming.awaited) = (None, false, false);
    }
}

/// Ends when the client is gone.
struct Watch {
    incoming: Rc<RefCell<Incoming>>,
    ticks: Interval,
}

impl Watch {
    fn new(incoming: Rc<RefCell<Incoming>>) -> Self {
        Self { incoming, ticks: interval_at(Instant::now() + PERIOD, PERIOD) }
    }
}

impl Future for Watch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.ticks.poll_tick(cx));
            self.ticks.reset();
            if self.incoming.borrow_mut().is_lost() {
                return Poll::Ready(());
            }
        }
    }
}

/// A body that ends when its client is gone.
struct Watched {
    body: BoxBody,
    watch: Option<Watch>,
}

impl MessageBody for Watched {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = Pin::new(&mut self.body).poll_next(cx);
        match &mut self.watch {
            Some(watch) if next.is_pending() => {
                ready!(Pin::new(watch).poll(cx));
                log::debug!("the client of a stream is gone");
                // actix-web finds out when it writes the end, and drops it all.
                Poll::Ready(None)
            }
            _ => next,
        }
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, watch } = self;
        body.try_into_bytes().map_err(|body| Self { body, watch })
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt, stream};

    use super::*;

    /// The body of a client that sends two chunks and is gone.
    fn body() -> Payload {
        let chunks = [Ok("one"), Ok("two"), Err(PayloadError::Incomplete(None))];
        let chunks: Pin<Box<dyn Stream<Item = _>>> =
            Box::pin(stream::iter(chunks).map(|chunk| chunk.map(|chunk| Bytes::from_static(chunk.as_bytes()))));
        chunks.into()
    }

    #[test]
    fn what_the_watch_receives_is_kept_for_the_handler() {
        let (incoming, mut rest) = Incoming::watched(body());
        // One chunk ahead and no more, however often it looks.
        for _ in 0..3 {
            assert!(!incoming.borrow_mut().is_lost());
        }
        assert_eq!(rest.next().now_or_never().unwrap().unwrap().unwrap(), "one");
        assert_eq!(rest.next().now_or_never().unwrap().unwrap().unwrap(), "two");
        assert!(incoming.borrow_mut().is_lost());
    }

    #[test]
    fn what_the_handler_does_not_want_is_read_over() {
        let (incoming, rest) = Incoming::watched(body());
        assert!(!incoming.borrow_mut().is_lost());
        drop(rest);
        assert!(!incoming.borrow_mut().is_lost());
        assert!(incoming.borrow_mut().is_lost());
    }

    #[test]
    fn the_watch_keeps_away_while_the_handler_waits() {
        let polls = Rc::new(RefCell::new(0));
        let counted = Rc::clone(&polls);
        let pending: Pin<Box<dyn Stream<Item = _>>> = Box::pin(stream::poll_fn(move |_| {
            *counted.borrow_mut() += 1;
            Poll::<Option<Result<Bytes, PayloadError>>>::Pending
        }));
        let (incoming, mut rest) = Incoming::watched(pending.into());
        assert!(rest.next().now_or_never().is_none());
        assert!(!incoming.borrow_mut().is_lost());
        assert_eq!(*polls.borrow(), 1);
        drop(rest);
        assert!(!incoming.borrow_mut().is_lost());
        assert_eq!(*polls.borrow(), 2);
    }

    #[test]
    fn a_body_that_panics_after_its_end_tells_nothing() {
        let once: Pin<Box<dyn Stream<Item = _>>> = Box::pin(stream::once(async { Ok(Bytes::from_static(b"one")) }));
        let ended = stream::unfold(once, |mut once| async { Some((once.next().await.expect("it has ended"), once)) });
        let ended: Pin<Box<dyn Stream<Item = _>>> = Box::pin(ended);
        let (incoming, mut rest) = Incoming::watched(ended.into());
        rest.next().now_or_never().unwrap();
        assert!(!incoming.borrow_mut().is_lost());
    }
}
