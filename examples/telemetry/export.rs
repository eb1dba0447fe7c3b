//! From `tracing` to OpenTelemetry, and out as OTLP over HTTP.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::global::set_text_map_propagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use ureq::Agent;

/// Returns true if the environment names a collector.
pub(crate) fn has_endpoint() -> bool {
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|url| !url.is_empty()))
}

/// Exports the spans of this process to `endpoint`, or to the collector that the environment names, as those of `service`.
pub(crate) fn install(service: &'static str, endpoint: Option<String>) -> Result<SdkTracerProvider, Box<dyn Error>> {
    let mut exporter = SpanExporter::builder().with_http().with_http_client(Client::new());
    if let Some(endpoint) = endpoint {
        exporter = exporter.with_endpoint(endpoint);
    }
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(service).build())
        // It has a thread of its own, which takes the spans that have ended and sends some at a time.
        .with_batch_exporter(exporter.build()?)
        .build();
    // The header `traceparent` of W3C.
    set_text_map_propagator(TraceContextPropagator::new());
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(service))
        // The name of the thread on which a span began is what tells the worker; lines of source are of no use here.
        .with_threads(true)
        .with_location(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    tracing::subscriber::set_global_default(registry().with(layer))?;
    Ok(provider)
}

/// Blocks, which is all right on the exporter's own thread. Without TLS: for `https` it needs a feature of `ureq`.
#[derive(Debug)]
struct Client(Agent);

impl Client {
    fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            // A collector may close a connection that is idle from one export to the next, just when the next is sent.
            .max_idle_connections(0)
            .build();
        Self(config.into())
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, mut body) = self.0.run(request.map(Vec::from))?.into_parts();
        Ok(Response::from_parts(head, body.read_to_vec()?.into()))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let url = request.uri().clone();
        let answer = self.send(request);
        let wrong = match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(wrong) = wrong {
            // The exporter says so only with the feature `internal-logs`, as an event. If this can't be written, the
            // server goes on.
            let _ = writeln!(io::stderr(), "no export to {url}: {wrong}");
        }
        Ok(answer?)
    }
}
