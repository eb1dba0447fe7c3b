//! A middleware that notices clients that disconnected, on HTTP/2.
//!
//! actix-web spawns a task per HTTP/2 request and polls it until its answer is written: neither the handler nor a body
//! that has nothing to write is notified of a reset stream. The body of the request can tell: when it has ended and is
//! polled again, h2 yields `None` while the stream is open, and an error when the stream was reset or the connection
//! was lost. h2 wakes no task at that moment, so the middleware polls it periodically.

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

/// The time between two checks of the connection.
const PERIOD: Duration = Duration::from_millis(500);

/// Middleware that drops the handler's future, or the body of the answer, within 0.5 s after an HTTP/2 client has reset
/// its stream or closed its connection. Without it actix-web lets a handler run to its end, and a stream until its next
/// write.
///
/// Dropping cancels the work: a pipeline stops, and a submitted item is skipped or sees that
/// [`Job::is_stopped`](crate::Job::is_stopped) returns true. The middleware passes HTTP/1 requests on unchanged;
/// [Disconnects](super#disconnects) has the setting for those.
///
/// Wrap it last, so that it is the outermost middleware. If one outside of it replaces the request's body, as
/// `Decompress` does, it cannot see that the client is gone. Neither can it while a handler waits with more than about
/// 16 KiB of the request's body unread.
///
/// A handler may be dropped at any `await`, as on HTTP/1. Run in a task of its own what must be done even if the client
/// disconnects.
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
                log::debug!("{path}: the client disconnected before the answer");
                return Err(ClientGone.into());
            }
        };
        (response, Some(watch))
    } else {
        (next.call(request).await?, None)
    };
    Ok(response.map_body(|_, body| Watched { body: body.boxed(), watch }))
}

/// The error of a request whose client disconnected. It is never sent, but appears in access logs, with the status that
/// nginx uses.
#[derive(Debug, thiserror::Error)]
#[error("the client disconnected")]
struct ClientGone;

impl ResponseError for ClientGone {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(499).expect("it has three digits")
    }
}

/// The body of a request, which its handler and the watch share.
struct Incoming {
    payload: Payload,
    /// A chunk that the watch received and the handler has not read yet.
    next: Option<Bytes>,
    /// True while the handler still holds its end of the body, and may read.
    read: bool,
    /// True while the handler waits for more; it is woken with the error if the client disconnects. The watch does not
    /// poll then, since that would replace the handler's waker.
    awaited: bool,
}

impl Incoming {
    /// Splits the body into a part for the watch and the payload for the handler.
    fn watched(payload: Payload) -> (Rc<RefCell<Self>>, Payload) {
        let incoming = Rc::new(RefCell::new(Self { payload, next: None, read: true, awaited: false }));
        let rest: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Rest(Rc::clone(&incoming)));
        (incoming, rest.into())
    }

    /// Returns true if the client has disconnected.
    fn is_lost(&mut self) -> bool {
        // Buffer at most one chunk for the handler; HTTP/2's flow control bounds what the client sends beyond.
        if self.awaited || self.next.is_some() {
            return false;
        }
        let mut context = Context::from_waker(Waker::noop());
        // A body replaced by another middleware may panic when polled after its end. Such a body cannot tell.
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

/// The request's body for the handler.
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

/// A future that completes when the client has disconnected.
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

/// The body of an answer, which ends when its client has disconnected.
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
                log::debug!("the client of a stream disconnected");
                // actix-web notices the lost client when it writes the end, and then drops the body.
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

    /// The body of a client that sends two chunks and disconnects.
    fn body() -> Payload {
        let chunks = [Ok("one"), Ok("two"), Err(PayloadError::Incomplete(None))];
        let chunks: Pin<Box<dyn Stream<Item = _>>> =
            Box::pin(stream::iter(chunks).map(|chunk| chunk.map(|chunk| Bytes::from_static(chunk.as_bytes()))));
        chunks.into()
    }

    #[test]
    fn a_chunk_that_the_watch_receives_is_kept_for_the_handler() {
        let (incoming, mut rest) = Incoming::watched(body());
        // It buffers one chunk, however often it is called.
        for _ in 0..3 {
            assert!(!incoming.borrow_mut().is_lost());
        }
        assert_eq!(rest.next().now_or_never().unwrap().unwrap().unwrap(), "one");
        assert_eq!(rest.next().now_or_never().unwrap().unwrap().unwrap(), "two");
        assert!(incoming.borrow_mut().is_lost());
    }

    #[test]
    fn chunks_are_discarded_after_the_handler_dropped_the_body() {
        let (incoming, rest) = Incoming::watched(body());
        assert!(!incoming.borrow_mut().is_lost());
        drop(rest);
        assert!(!incoming.borrow_mut().is_lost());
        assert!(incoming.borrow_mut().is_lost());
    }

    #[test]
    fn the_watch_does_not_poll_while_the_handler_waits() {
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
    fn a_body_that_panics_after_its_end_does_not_count_as_lost() {
        let once: Pin<Box<dyn Stream<Item = _>>> = Box::pin(stream::once(async { Ok(Bytes::from_static(b"one")) }));
        let ended = stream::unfold(once, |mut once| async { Some((once.next().await.expect("it has ended"), once)) });
        let ended: Pin<Box<dyn Stream<Item = _>>> = Box::pin(ended);
        let (incoming, mut rest) = Incoming::watched(ended.into());
        rest.next().now_or_never().unwrap();
        assert!(!incoming.borrow_mut().is_lost());
    }
}
