use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread;

use actix_fan::observe::Spans;
use actix_fan::{FanOutExt, Workers, pool};
use futures::StreamExt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber, info, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{quiet_panic, run};

/// The fields of spans and events, as text.
#[derive(Clone, Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// An event, with the spans around it from the outside in.
struct Seen {
    fields: Fields,
    spans: Vec<(&'static str, Fields)>,
    thread: String,
}

impl Seen {
    fn names(&self) -> Vec<&'static str> {
        self.spans.iter().map(|(name, _)| *name).collect()
    }

    /// A field of the innermost span of this name.
    fn of(&self, span: &str, field: &str) -> Option<&str> {
        let (_, fields) = self.spans.iter().rfind(|(name, _)| *name == span)?;
        fields.0.get(field).map(String::as_str)
    }
}

/// Keeps all events, and the last fields of each closed span.
#[derive(Clone, Default)]
struct Keep {
    events: Arc<Mutex<Vec<Seen>>>,
    closed: Arc<Mutex<Vec<(&'static str, Fields)>>>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keep {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut extensions = span.extensions_mut();
        values.record(extensions.get_mut::<Fields>().unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let spans = spans.map(|span| (span.name(), span.extensions().get::<Fields>().unwrap().clone())).collect();
        let thread = thread::current().name().unwrap_or_default().to_owned();
        self.events.lock().unwrap().push(Seen { fields, spans, thread });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let fields = span.extensions().get::<Fields>().unwrap().clone();
        self.closed.lock().unwrap().push((span.name(), fields));
    }
}

/// Runs a test with a subscriber of its own.
fn traced<F: Future>(test: impl FnOnce(Keep) -> F) -> F::Output {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    tracing::subscriber::with_default(subscriber, || run(test(keep)))
}

#[test]
fn each_of_many_submits_has_the_span_of_its_own_caller() {
    const TASKS: u64 = 100;
    const EACH: u64 = 100;
    traced(|keep| async move {
        let work = |n: u64| {
            info!(n);
            n
        };
        let pool = pool().name("numbers").workers(2).observe(Spans::new()).map(work).unwrap();
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let pool = pool.clone();
                actix::spawn(async move {
                    for n in 0..EACH {
                        let number = task * EACH + n;
                        // Entered while it is submitted, and not while the result is awaited.
                        let submission = info_span!("caller", number).in_scope(|| pool.submit(number));
                        assert_eq!(submission.await.unwrap(), number);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let events = keep.events.lock().unwrap();
        assert_eq!(events.len() as u64, TASKS * EACH);
        for event in &*events {
            assert_eq!(event.names(), ["caller", "work"]);
            assert_eq!(event.of("caller", "number"), event.fields.0.get("n").map(String::as_str));
            assert!(event.thread.starts_with("pool-worker"), "{}", event.thread);
            assert_eq!((event.of("work", "kind"), event.of("work", "items")), (Some("\"pool\""), Some("1")));
            assert_eq!(event.of("work", "name"), Some("\"numbers\""));
        }
        let closed = keep.closed.lock().unwrap();
        let seconds = |fields: &Fields, name| fields.0[name].parse::<f64>().unwrap();
        let works: Vec<_> = closed.iter().filter(|(name, _)| *name == "work").collect();
        assert_eq!(works.len() as u64, TASKS * EACH);
        assert!(
            works.iter().all(|(_, work)| seconds(work, "queue_seconds") >= 0.0 && seconds(work, "run_seconds") > 0.0)
        );
    });
}

#[test]
fn a_pipeline_has_the_span_in_which_it_started_and_its_failures_are_events() {
    for per_item in [false, true] {
        traced(|keep| async move {
            let observer = if per_item { Spans::per_item() } else { Spans::new() };
            let work = |n: u64| if n == 3 { quiet_panic("three") } else { n };
            let start = || (0..10u64).fan_out().batch(5).workers(1).observe(observer).map(work).unwrap();
            let results = info_span!("request", id = 7).in_scope(start);
            assert_eq!(results.count().await, 10);
            let events = keep.events.lock().unwrap();
            let failures: Vec<_> = events.iter().filter(|event| event.fields.0.contains_key("error")).collect();
            let [failure] = &failures[..] else { panic!("{} failures", failures.len()) };
            assert_eq!(failure.names(), ["request", "work"]);
            assert_eq!((failure.fields.0["index"].as_str(), failure.of("request", "id")), ("3", Some("7")));
            assert!(failure.fields.0["error"].contains("three"), "{}", failure.fields.0["error"]);
            if per_item {
                assert_eq!((failure.of("work", "first"), failure.of("work", "items")), (Some("3"), Some("1")));
                drop(events);
                assert_eq!(keep.closed.lock().unwrap().iter().filter(|(name, _)| *name == "work").count(), 10);
            }
        });
    }
}

#[test]
fn a_closure_of_a_set_has_the_span_of_its_caller() {
    traced(|keep| async move {
        let workers = Workers::builder().threads(1).observe(Spans::new()).build().unwrap();
        let closure = info_span!("request").in_scope(|| workers.run(|| info!("here")));
        closure.await.unwrap();
        let events = keep.events.lock().unwrap();
        assert_eq!(events[0].names(), ["request", "work"]);
    });
}

#[test]
fn without_a_subscriber_work_runs_in_no_span() {
    run(async {
        let pool = pool().workers(1).observe(Spans::new()).map(|()| tracing::Span::current().is_none()).unwrap();
        assert!(pool.submit(()).await.unwrap());
    });
}
