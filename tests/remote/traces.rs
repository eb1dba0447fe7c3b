//! Traces that go on in other processes.

use actix_fan::FanOutExt;
use futures::StreamExt;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, Subscriber, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::setup::{Peer, builder, kind, on_each_server};

#[path = "../../examples/cluster/traces.rs"]
mod example;
pub(crate) use example::spans;

/// Gives spans their ids, and exports none.
pub(crate) fn subscriber() -> impl Subscriber + Send + Sync {
    let provider = SdkTracerProvider::builder().build();
    tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
}

/// The id of the trace that the current span belongs to.
pub(crate) fn id() -> String {
    Span::current().context().span().span_context().trace_id().to_string()
}

#[test]
fn a_node_works_in_the_trace_of_the_coordinator() {
    on_each_server(|server| async move {
        let url = server.url();
        let node = Peer::ready_node(&url, &[("traces", "1")]).await;
        let nats = builder(&url).connect().await.unwrap();
        let (results, trace) = tracing::subscriber::with_default(subscriber(), || {
            info_span!("request").in_scope(|| {
                let numbers = (0..20u64).fan_out().batch(2).observe(spans());
                (numbers.over(&nats).run::<u64>(kind::NUMBERS).unwrap(), id())
            })
        });
        assert_eq!(results.count().await, 20);
        assert_ne!(trace, "0".repeat(32));
        node.lines().wait_for_nth(&format!("in the trace {trace}"), 20).await;
    });
}
