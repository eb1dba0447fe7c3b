//! The caller's span, on the worker thread.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tracing::dispatcher::{self, Dispatch};
use tracing::field::Empty;
use tracing::subscriber::NoSubscriber;
use tracing::{Span, info_span, warn};

use crate::error::ItemError;
use crate::observe::{Begun, Context, Observer, RunInfo, TraceContext};

/// Takes the caller's span along to the worker thread, for the crate `tracing`.
///
/// The span that is current where an item is submitted, a closure is run or a pipeline starts is entered on the worker's
/// thread while its work runs. In it, each stretch has a span of level `INFO` and target `actix_fan`, named `work`:
///
/// | field | what it is |
/// |---|---|
/// | `kind` | `pipeline`, `pool` or `closures` |
/// | `name` | the name of the run, or nothing |
/// | `first`, `items` | the index of the first item, and how many there are |
/// | `worker` | the number of the thread |
/// | `queue_seconds` | how long it was queued |
/// | `run_seconds` | how long the work ran; recorded at the end |
///
/// A failed item is an event of level `WARN` in it, with the `index` and the `error`.
///
/// The subscriber that is in force for the caller's thread is taken along as well. Where there is none, an item costs the
/// look-up of it.
///
/// # Nodes
///
/// With [`propagate`](Self::propagate), the trace of the span that is current where a pipeline starts goes on at the nodes
/// in other processes that work for it: see `remote`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spans {
    per_item: bool,
    propagation: Option<Propagation>,
}

/// How the trace of a span leaves the process, and how a span gets to belong to one that came.
#[derive(Clone, Copy, Debug)]
struct Propagation {
    inject: fn(&Span) -> Option<TraceContext>,
    extract: fn(&TraceContext, &Span),
}

/// What is taken along.
struct Caller {
    dispatch: Dispatch,
    span: Span,
}

impl Spans {
    /// A span per item of a pool, per closure, and per batch of a pipeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// A span per item of a pipeline as well.
    pub fn per_item() -> Self {
        Self { per_item: true, ..Self::default() }
    }

    /// Has traces go on in other processes, with the crate that exports the spans: `inject` returns the place of a span in
    /// its trace, and `extract` makes one the parent of a new span.
    ///
    /// The pipeline's process calls the first, for the span that is current where it starts. Each node calls the second,
    /// for a span of level `INFO` and target `actix_fan`, named `batch`: the span `work` of that batch is below it. Both
    /// processes need an observer with this, and a node a global subscriber: it calls this on a thread of its own.
    /// `examples/cluster` has it for OpenTelemetry.
    pub fn propagate(self, inject: fn(&Span) -> Option<TraceContext>, extract: fn(&TraceContext, &Span)) -> Self {
        Self { propagation: Some(Propagation { inject, extract }), ..self }
    }
}

impl Observer for Spans {
    fn context(&self, _: &RunInfo) -> Option<Context> {
        let dispatch = dispatcher::get_default(Dispatch::clone);
        if dispatch.is::<NoSubscriber>() {
            return None;
        }
        Some(Arc::new(Caller { dispatch, span: Span::current() }))
    }

    fn inject(&self, _: &RunInfo) -> Option<TraceContext> {
        let Propagation { inject, .. } = self.propagation?;
        inject(&Span::current())
    }

    fn extract(&self, run: &RunInfo, trace: &TraceContext) -> Option<Context> {
        let Some(Propagation { extract, .. }) = self.propagation else { return self.context(run) };
        let dispatch = dispatcher::get_default(Dispatch::clone);
        if dispatch.is::<NoSubscriber>() {
            return None;
        }
        // Of its own: the thread's span, if it has one, is about something else. Its parent is set before it is entered,
        // since it begins to be exported then.
        let span = info_span!(target: "actix_fan", parent: None, "batch", otel.kind = "consumer");
        extract(trace, &span);
        Some(Arc::new(Caller { dispatch, span }))
    }

    fn in_scope(&self, run: &RunInfo, begun: &Begun, work: &mut dyn FnMut()) {
        let caller = begun.context.as_ref().and_then(|context| context.downcast_ref::<Caller>());
        let Some(Caller { dispatch, span }) = caller else { return work() };
        dispatcher::with_default(dispatch, || {
            let _caller = span.enter();
            let span = info_span!(
                target: "actix_fan",
                "work",
                kind = run.kind.as_str(),
                name = run.name.as_deref(),
                first = begun.first,
                items = begun.items,
                worker = begun.worker,
                queue_seconds = begun.waited.as_secs_f64(),
                run_seconds = Empty,
            );
            let began = Instant::now();
            span.in_scope(work);
            span.record("run_seconds", began.elapsed().as_secs_f64());
        });
    }

    fn failed(&self, _: &RunInfo, error: &ItemError) {
        warn!(target: "actix_fan", index = error.index(), error = error as &(dyn std::error::Error + 'static), "failed");
    }

    fn wants_items(&self) -> bool {
        self.per_item
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(&self.span).finish()
    }
}
