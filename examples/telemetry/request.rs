//! The span of a request: below that of its caller, if the caller has told.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use opentelemetry::global::get_text_map_propagator;
use opentelemetry::propagation::Extractor;
use tracing::field::Empty;
use tracing::{Instrument, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Middleware that runs a handler in a span with the attributes that OpenTelemetry asks for.
pub(crate) async fn traced(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    let span = info_span!(
        "request",
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = request.match_pattern(),
        http.response.status_code = Empty,
    );
    let caller = get_text_map_propagator(|propagator| propagator.extract(&Headers(request.headers())));
    // It fails where spans are not exported, or for a span that has begun to be.
    let _ = span.set_parent(caller);
    let answer = next.call(request).instrument(span.clone()).await;
    let status = answer.as_ref().map_or_else(|error| error.as_response_error().status_code(), ServiceResponse::status);
    span.record("http.response.status_code", status.as_u16());
    answer
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// Sends a request as a service would that has a trace already.
pub(crate) fn send(url: &str) -> Result<String, ureq::Error> {
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    ureq::get(url).header("traceparent", caller).call()?.body_mut().read_to_string()
}
