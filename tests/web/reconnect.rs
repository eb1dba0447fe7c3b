//! Clients that come back.

use std::future::ready;
use std::time::Duration;

use actix_fan::web::{events, resume_from};
use actix_fan::{FanOutExt, ItemError};
use actix_web::web::get;
use actix_web::{HttpRequest, Responder};
use futures::{StreamExt, stream};

use crate::client::Client;
use crate::server::{Closed, serve};
use crate::support::{quiet_panic, run};

async fn squares(request: HttpRequest) -> impl Responder {
    let first = resume_from(&request);
    events((first..).fan_out().ordered().map(|n| n * n).unwrap()).first_id(first).retry(Duration::from_millis(1500))
}

/// The next event that has an id.
fn parse(event: &str) -> Option<(u64, u64)> {
    let (id, data) = event.strip_prefix("id: ")?.split_once("\ndata: ")?;
    Some((id.parse().unwrap(), data.parse().unwrap()))
}

#[test]
fn a_client_that_reconnects_gets_every_event_once() {
    run(async {
        let server = serve(Closed::Half, |app| {
            app.route("/", get().to(squares));
        });
        let mut seen = Vec::new();
        for visit in 1..=3 {
            let mut client = Client::connect(server).await;
            let last = seen.last().map_or(String::new(), |(id, _): &(u64, u64)| format!("Last-Event-ID: {id}\r\n"));
            client.get_with("/", &last).await;
            client.head().await;
            let mut text = String::new();
            // A connection is lost anywhere, also in the middle of an event.
            while text.matches("\n\n").count() < 5 {
                text += &client.chunk().await.unwrap();
            }
            assert!(text.starts_with("retry: 1500\n\n"));
            let whole = &text[..text.rfind("\n\n").unwrap()];
            seen.extend(whole.split("\n\n").filter_map(parse).take(3 + visit));
        }
        assert!(seen.len() > 9);
        assert!(seen.iter().copied().eq((0..seen.len() as u64).map(|n| (n, n * n))), "{seen:?}");
    });
}

#[test]
fn a_last_event_id_that_is_not_a_number_starts_from_the_beginning() {
    let from = |id: &'static str| {
        let request = actix_web::test::TestRequest::default().insert_header(("Last-Event-ID", id));
        resume_from(&request.to_http_request())
    };
    assert_eq!(["", "x", "-1", "7", "18446744073709551615"].map(from), [0, 0, 0, 8, u64::MAX]);
    assert_eq!(resume_from(&actix_web::test::TestRequest::default().to_http_request()), 0);
}

#[test]
fn names_and_ids_come_from_results_and_invalid_ones_are_failures() {
    fn id(n: &u64) -> String {
        match n {
            2 => "two\nlines".to_owned(),
            3 => quiet_panic("odd"),
            n => format!("n{n}"),
        }
    }
    fn name(n: &u64) -> &'static str {
        if n.is_multiple_of(2) { "even" } else { "odd" }
    }
    run(async {
        let server = serve(Closed::Half, |app| {
            let results = || stream::iter(0..5u64).map(Ok::<_, ItemError>);
            app.route("/", get().to(move || ready(events(results()).name_by(name).id_by(id))));
        });
        let (_, body) = Client::ask(server, "/").await.answer().await;
        let failure =
            |n| format!("event: failure\ndata: {{\"error\":\"result {n} could not be written\",\"result\":{n}}}\n\n");
        assert_eq!(
            body,
            format!(
                "event: even\nid: n0\ndata: 0\n\nevent: odd\nid: n1\ndata: 1\n\n{}{}event: even\nid: n4\ndata: 4\n\n\
                 event: end\ndata: {{\"end\":\"complete\",\"results\":3,\"failures\":2}}\n\n",
                failure(2),
                failure(3)
            )
        );
    });
}
