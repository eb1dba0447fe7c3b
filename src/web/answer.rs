//! A streamed answer: its settings, its headers, and the body with its guard.

use std::rc::Rc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::http::{ConnectionType, Version};
use actix_web::rt::spawn;
use actix_web::{HttpRequest, HttpResponse};
use futures::Stream;
use tokio::sync::oneshot;

use super::body::{Body, Format};
use super::link::{Link, guard};
use super::permit::Permit;
use crate::engine::run::Run;
use crate::error::ItemError;
use crate::pipeline::upstream::runs_of;
use crate::stop::StopHandle;

/// How long a client may read nothing. nginx has the same default.
const STALL: Duration = Duration::from_secs(60);

/// The settings that all formats share.
pub(super) struct Settings {
    /// The time without a write after which a heartbeat is written. Zero: none is.
    pub(super) heartbeat: Duration,
    /// The time without a read after which the stream is cut off. Zero: it never is.
    pub(super) stall: Duration,
    pub(super) permit: Option<Permit>,
    /// True if the last line is written.
    pub(super) end: bool,
    /// The pipelines that the results come from.
    runs: Vec<Run>,
}

impl Settings {
    /// The default settings for `results`, whose pipelines it looks up.
    pub(super) fn of(results: &impl Stream, heartbeat: Duration) -> Self {
        Self { heartbeat, stall: STALL, permit: None, end: true, runs: runs_of(results) }
    }

    /// Adds a pipeline that the results come from.
    pub(super) fn add(&mut self, run: &StopHandle) {
        if !self.runs.iter().any(|known| known.id() == run.run().id()) {
            self.runs.push(run.run().clone());
        }
    }
}

/// The setters that all formats share. `$failures` is the format's field of type `Failures`.
macro_rules! setters {
    (failures: $($failures:ident).+) => {
        /// Attaches a permit of [`Streams`](super::Streams). It is released when the stream and its worker threads have
        /// ended; and when all streams of the application are drained or stopped, this one is too.
        pub fn permit(mut self, permit: $crate::web::permit::Permit) -> Self {
            self.settings.permit = Some(permit);
            self
        }

        /// Names a pipeline that the results come from, if the stream hides it: behind a channel, a task, `select`,
        /// `flatten` or `unfold`. Then the last line says how that pipeline ended, and the permit waits for its
        /// threads. Other pipelines are found without this, also inside adapters, as [`fan_in`](crate::fan_in()) finds
        /// them.
        pub fn of(mut self, run: &$crate::stop::StopHandle) -> Self {
            self.settings.add(run);
            self
        }

        /// Cuts the stream off when its client has read nothing for this time although there was something to write.
        /// The default is 60 s; zero turns it off. See [Slow clients](super#slow-clients).
        pub fn stall_timeout(mut self, period: std::time::Duration) -> Self {
            self.settings.stall = period;
            self
        }

        /// Sends panic messages and errors of the work to the client as well. They may hold internal details.
        pub fn with_causes(mut self) -> Self {
            self.$($failures).+.causes = true;
            self
        }
    };
}

pub(super) use setters;

/// Builds the answer, with headers that keep proxies from caching or buffering it.
pub(super) fn respond<S, F, T>(
    results: S,
    mut format: F,
    settings: Settings,
    request: &HttpRequest,
    content_type: &'static str,
) -> HttpResponse
where
    S: Stream<Item = Result<T, ItemError>> + 'static,
    F: Format<T> + Unpin + 'static,
    T: 'static,
{
    let Settings { heartbeat, stall, mut permit, end: writes_end, runs } = settings;
    format.failures().set_path(request.uri().path());
    let path = format.failures().path().to_owned();
    if let Some(permit) = &mut permit {
        permit.register(&runs);
    }
    let link = Rc::new(Link::new(results, runs));
    let (gone, is_gone) = oneshot::channel();
    if permit.is_some() || !stall.is_zero() {
        spawn(guard(Rc::clone(&link), stall, permit, is_gone, path));
    }
    let body = Body::new(link, gone, format, writes_end, heartbeat);
    let mut response = HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .body(body);
    if request.version() < Version::HTTP_11 {
        // HTTP/1.0 has no chunked encoding: the client would read the chunk sizes as data. The answer ends with the
        // connection.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}
