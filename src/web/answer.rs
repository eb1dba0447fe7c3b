//! A streamed answer: its settings, its head, and the body with its guard.

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
use crate::engine::intake::Run;
use crate::error::ItemError;
use crate::pipeline::upstream::runs_of;
use crate::stop::StopHandle;

/// How long a client may take nothing: what nginx gives it by default.
const STALL: Duration = Duration::from_secs(60);

/// What the formats have in common.
pub(super) struct Settings {
    /// No heartbeat if that is zero.
    pub(super) heartbeat: Duration,
    /// No guard against clients that don't read if that is zero.
    pub(super) stall: Duration,
    pub(super) permit: Option<Permit>,
    /// The last line is written.
    pub(super) end: bool,
    runs: Vec<Run>,
}

impl Settings {
    /// For these results, of which it learns what they are made of.
    pub(super) fn of(results: &impl Stream, heartbeat: Duration) -> Self {
        Self { heartbeat, stall: STALL, permit: None, end: true, runs: runs_of(results) }
    }

    /// They are made of this, too.
    pub(super) fn add(&mut self, run: &StopHandle) {
        if !self.runs.iter().any(|known| known.id() == run.run().id()) {
            self.runs.push(run.run().clone());
        }
    }
}

/// The setters that all formats have. `$telling` is where the format keeps how much it tells.
macro_rules! setters {
    (telling: $($telling:ident).+) => {
        /// Takes one of the application's permits, which returns when the stream and its threads have ended, and has the
        /// stream end with the others: see [`Streams`](super::Streams).
        pub fn permit(mut self, permit: $crate::web::permit::Permit) -> Self {
            self.settings.permit = Some(permit);
            self
        }

        /// Names a pipeline that the results come from, where that can't be seen: behind a channel, a task, `select`,
        /// `flatten`, `unfold`. Then the last line says how it ended, and the permit waits for its threads. Other pipelines
        /// are found by themselves, inside of adapters too, as [`fan_in`](crate::fan_in()) finds them.
        pub fn of(mut self, run: &$crate::stop::StopHandle) -> Self {
            self.settings.add(run);
            self
        }

        /// Ends the stream when its client takes nothing for so long while there is something to write. The default is
        /// 60 s; zero turns it off. See [Slow clients](super#slow-clients).
        pub fn stall_timeout(mut self, period: std::time::Duration) -> Self {
            self.settings.stall = period;
            self
        }

        /// Tells the client the messages of panics and the errors of the work as well.
        pub fn with_causes(mut self) -> Self {
            self.$($telling).+.causes = true;
            self
        }
    };
}

pub(super) use setters;

/// The answer. Nobody on the way to the client is to keep it or to hold it back.
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
    let Settings { heartbeat, stall, mut permit, end: says_end, runs } = settings;
    format.telling().asked_for(request.uri().path());
    let path = format.telling().path().to_owned();
    if let Some(permit) = &mut permit {
        permit.register(&runs);
    }
    let link = Rc::new(Link::new(results, runs));
    let (gone, is_gone) = oneshot::channel();
    if permit.is_some() || !stall.is_zero() {
        spawn(guard(Rc::clone(&link), stall, permit, is_gone, path));
    }
    let body = Body::new(link, gone, format, says_end, heartbeat);
    let mut response = HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .body(body);
    if request.version() < Version::HTTP_11 {
        // It knows no chunks: their sizes would be read as data. The end of the connection is the end of the answer.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}
