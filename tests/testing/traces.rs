//! Traces that go on at the nodes of a simulated cluster.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_fan::observe::{Begun, Context, Observer, RunInfo, RunKind, TraceContext};
use actix_fan::testing::{ClusterEvent, Network, for_each_seed, simulate_cluster};
use actix_fan::{BoxError, Job, Work};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

#[path = "../../examples/cluster/traces.rs"]
mod example;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn id(span: &Span) -> String {
    span.context().span().span_context().trace_id().to_string()
}

/// The names of the current span and of those around it in this process.
fn names() -> Vec<&'static str> {
    let current = Span::current().id().unwrap();
    tracing::dispatcher::get_default(|dispatch| {
        let span = dispatch.downcast_ref::<Registry>().unwrap().span(&current).unwrap();
        span.scope().map(|span| span.name()).collect()
    })
}

/// Work that emits the trace in which it runs.
struct Tells;

impl Work<u64> for Tells {
    type Output = String;

    fn run(&mut self, _: u64, job: &mut Job<'_, String>) -> Result<(), BoxError> {
        if Span::current().is_none() {
            job.emit(String::new());
            return Ok(());
        }
        // Not that of the pipeline, which is current here as well, since all is on one thread.
        assert_eq!(names(), ["work", "batch"]);
        job.emit(id(&Span::current()));
        Ok(())
    }
}

#[test]
fn the_trace_in_which_a_pipeline_starts_goes_on_at_each_node() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        for_each_seed(0..20, |seed| {
            let request = info_span!("request");
            let simulation = simulate_cluster(|| 0..40).seed(seed).observe(example::spans());
            // What is sent again has it as well.
            let simulation = simulation.network(Network::good().losses(100));
            let simulation = simulation.event(Duration::from_millis(5), ClusterEvent::NodeDies);
            let outcome = request.in_scope(|| simulation.run(|| Tells)).unwrap();
            let traces: Vec<String> = outcome.results.into_iter().map(Result::unwrap).collect();
            assert_eq!(traces, vec![id(&request); 40]);
        });
    });
}

/// Takes a text along by hand.
#[derive(Default)]
struct ByHand(Mutex<Vec<(RunKind, String)>>);

impl Observer for ByHand {
    fn inject(&self, run: &RunInfo) -> Option<TraceContext> {
        assert_eq!(run.kind, RunKind::Pipeline);
        TraceContext::new(TRACE, "vendor=1")
    }

    fn extract(&self, run: &RunInfo, trace: &TraceContext) -> Option<Context> {
        assert_eq!(run.kind, RunKind::Pool);
        Some(Arc::new(format!("{} {}", trace.traceparent(), trace.tracestate())))
    }

    fn begun(&self, run: &RunInfo, begun: &Begun) {
        let text = begun.context.as_ref().and_then(|context| context.downcast_ref::<String>());
        self.0.lock().unwrap().push((run.kind, text.cloned().unwrap_or_default()));
    }
}

#[test]
fn an_observer_takes_along_what_it_likes() {
    let observer = Arc::new(ByHand::default());
    simulate_cluster(|| 0..40).batch(10).observe(Arc::clone(&observer)).run(|| Tells).unwrap();
    let begun = observer.0.lock().unwrap();
    let at_nodes = begun.iter().filter(|(kind, _)| *kind == RunKind::Pool);
    assert!(at_nodes.clone().count() >= 4);
    assert!(at_nodes.clone().all(|(_, text)| *text == format!("{TRACE} vendor=1")), "{begun:?}");
}
