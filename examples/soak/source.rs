//! The sources of pipelines.

use std::io;
use std::sync::Arc;

use actix_fan::{FanOut, FanOutExt, blocking, blocking_ahead};
use futures::{Stream, StreamExt, stream};
use tokio::task::yield_now;

use crate::draw::Draw;
use crate::token::{Census, Token};
use crate::work::{Fates, Injected, inject};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Iterator,
    /// One that is not always ready.
    Stream,
    /// One that yields errors, too.
    Results,
    Blocking,
    BlockingAhead(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) kind: Kind,
    pub(crate) base: u64,
    pub(crate) items: u64,
    /// It panics when it is asked for this item.
    pub(crate) panics_at: Option<u64>,
}

impl Source {
    pub(crate) fn draw(draw: &mut Draw, items: u64) -> Self {
        let kind = match draw.below(8) {
            0..=2 => Kind::Iterator,
            3 | 4 => Kind::Stream,
            5 => Kind::Results,
            6 => Kind::Blocking,
            _ => Kind::BlockingAhead(1 + draw.below(3) as usize),
        };
        let panics_at = draw.one_in(12).then(|| draw.below(items + 1));
        Self { kind, base: 0, items, panics_at }
    }

    /// Returns a function that is true for items that are errors.
    pub(crate) fn bad(self) -> fn(u64) -> bool {
        match self.kind {
            Kind::Results => |id| id % 17 == 3,
            _ => |_| false,
        }
    }

    fn tokens(self, fates: &Arc<Fates>, census: &Arc<Census>) -> impl Iterator<Item = Token> + Send + use<> {
        let (fates, census) = (Arc::clone(fates), Arc::clone(census));
        let more = self.panics_at.map(|at| self.base + at);
        (self.base..self.base + self.items).chain(more.is_some().then_some(u64::MAX)).map(move |id| {
            if let Some(at) = more
                && id >= at
            {
                inject(at);
            }
            let (ballast, armed) = fates.cargo(id);
            Token::new(id, armed, ballast, &census)
        })
    }

    fn results(self, fates: &Arc<Fates>, census: &Arc<Census>) -> impl Stream<Item = Result<Token, Injected>> + use<> {
        let bad = self.bad();
        stream::iter(self.tokens(fates, census)).map(move |mut token| {
            if bad(token.id) {
                token.defuse();
                Err(Injected(token.id))
            } else {
                Ok(token)
            }
        })
    }

    /// Passes the source, fanned out, to `starter`, which starts the pipeline.
    pub(crate) fn fan_out<B: Starter>(
        self,
        fates: &Arc<Fates>,
        census: &Arc<Census>,
        starter: B,
    ) -> io::Result<B::Started> {
        let tokens = self.tokens(fates, census);
        Ok(match self.kind {
            Kind::Iterator => starter.start(tokens.fan_out()),
            Kind::Stream => starter.start(
                stream::iter(tokens)
                    .then(|token| async move {
                        if token.id % 97 == 5 {
                            yield_now().await;
                        }
                        token
                    })
                    .fan_out(),
            ),
            Kind::Results => starter.start(self.results(fates, census).try_fan_out()),
            Kind::Blocking => starter.start(blocking(tokens)?.fan_out()),
            Kind::BlockingAhead(items) => starter.start(blocking_ahead(items, tokens)?.fan_out()),
        })
    }
}

/// Starts a pipeline on any source.
pub(crate) trait Starter {
    type Started;

    fn start<S>(self, fan_out: FanOut<S>) -> Self::Started
    where
        S: Stream<Item = Result<Token, actix_fan::ItemError>> + Unpin + 'static;
}
