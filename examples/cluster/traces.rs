//! Traces that go on at the nodes, with OpenTelemetry.

use std::collections::HashMap;

use actix_fan::observe::{Spans, TraceContext};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The observer of the pipeline and that of a node.
pub(crate) fn spans() -> Spans {
    Spans::new().propagate(inject, extract)
}

/// Where other processes go on with the trace of a span. `None` where spans are not exported.
fn inject(span: &Span) -> Option<TraceContext> {
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut headers);
    let header = |name| headers.get(name).map_or("", String::as_str);
    TraceContext::new(header("traceparent"), header("tracestate"))
}

/// Makes a span the child of one in another process.
fn extract(trace: &TraceContext, span: &Span) {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = HashMap::from([header("traceparent", trace.traceparent()), header("tracestate", trace.tracestate())]);
    // It fails where spans are not exported.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
}
