//! A collector of traces: it receives what is exported, and prints each trace of a request as a tree.

use std::cmp::Reverse;
use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::error::ErrorBadRequest;
use actix_web::rt::spawn;
use actix_web::web::{Bytes, Data, PayloadConfig, post};
use actix_web::{App, HttpResponse, HttpServer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;

/// The most spans that wait for the rest of their trace.
const MAX_SPANS: usize = 10_000;

pub(crate) struct Collector {
    endpoint: String,
    server: ServerHandle,
}

impl Collector {
    /// Listens on a free port.
    pub(crate) fn start() -> io::Result<Self> {
        let received = Data::new(Received::default());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(received.clone())
                .app_data(PayloadConfig::new(16 << 20))
                .route("/v1/traces", post().to(receive))
        })
        .workers(1)
        .disable_signals() // the exporter needs it until the end
        .bind(("127.0.0.1", 0))?;
        let endpoint = format!("http://{}/v1/traces", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        spawn(server);
        Ok(Self { endpoint, server: handle })
    }

    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub(crate) async fn stop(self) {
        self.server.stop(true).await;
    }
}

/// The spans of traces that are not complete.
#[derive(Default)]
struct Received(Mutex<Vec<Span>>);

async fn receive(received: Data<Received>, body: Bytes) -> actix_web::Result<HttpResponse> {
    let export = ExportTraceServiceRequest::decode(body).map_err(ErrorBadRequest)?;
    let fresh = export.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
    for trace in received.add(fresh) {
        // The exporter need not know that the text could not be written.
        let _ = io::stdout().write_all(trace.to_string().as_bytes());
    }
    Ok(HttpResponse::Ok().content_type("application/x-protobuf").finish())
}

impl Received {
    /// Returns the traces that are complete now. The span of a request ends after all that are below it, and spans come
    /// in the order in which they ended.
    fn add(&self, fresh: impl Iterator<Item = Span>) -> Vec<Trace> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut complete = Vec::new();
        for span in fresh {
            let (trace_id, is_request) = (span.trace_id.clone(), span.kind == SpanKind::Server as i32);
            waiting.push(span);
            if is_request {
                let (mut spans, rest): (Vec<_>, _) = waiting.drain(..).partition(|span| span.trace_id == trace_id);
                *waiting = rest;
                spans.sort_by_key(|span| (span.start_time_unix_nano, Reverse(span.end_time_unix_nano)));
                complete.push(Trace { spans });
            }
        }
        let surplus = waiting.len().saturating_sub(MAX_SPANS);
        waiting.drain(..surplus);
        complete
    }
}

/// The spans of one request, in the order in which they began.
struct Trace {
    spans: Vec<Span>,
}

impl Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(request) = self.spans.iter().find(|span| span.kind == SpanKind::Server as i32) else { return Ok(()) };
        write!(f, "trace {}", hex(&request.trace_id))?;
        if !request.parent_span_id.is_empty() {
            write!(f, ", caller's span {}", hex(&request.parent_span_id))?;
        }
        writeln!(f)?;
        self.write(f, request, request.start_time_unix_nano, 0)
    }
}

impl Trace {
    /// Writes a span, and then those below it.
    fn write(&self, f: &mut fmt::Formatter<'_>, span: &Span, origin: u64, depth: usize) -> fmt::Result {
        let ms = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
        let (began, ended) = (span.start_time_unix_nano, span.end_time_unix_nano);
        let name = format!("{:1$}{name}", "", 2 * depth, name = span.name);
        let thread = span.attributes.iter().find(|it| it.key == "thread.name").map(|it| text(it.value.as_ref()));
        let thread = thread.unwrap_or_default();
        write!(f, "{:8.3} ms  {name:10} {:8.3} ms  {thread:28}", ms(origin, began), ms(began, ended))?;
        for KeyValue { key, value, .. } in span.attributes.iter().filter(|it| !it.key.starts_with("thread.")) {
            write!(f, " {key}={}", text(value.as_ref()))?;
        }
        writeln!(f)?;
        let mut below = self.spans.iter().filter(|other| other.parent_span_id == span.span_id);
        below.try_for_each(|other| self.write(f, other, origin, depth + 1))
    }
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(it)) => it.to_string(),
        Some(Value::IntValue(it)) => it.to_string(),
        Some(Value::DoubleValue(it)) => format!("{it:.6}"),
        other => format!("{other:?}"),
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut hex, byte| {
        // A text takes everything.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
