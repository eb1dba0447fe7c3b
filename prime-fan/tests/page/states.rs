//! What the page shows for each course of a search, tested with a scripted server.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::scripted::{Scripted, pipeline};

/// Clicks Start, and waits until the page has opened the stream.
fn start(browser: &Browser, server: &Scripted) {
    let before = server.asked("/primes");
    browser.click("#start");
    until("the page asks for primes", || (server.asked("/primes") > before).then_some(()));
}

/// Calls `start`, and sends id 7 for the search.
fn live(browser: &Browser, server: &Scripted) {
    browser.load(&server.url());
    browser.until_state("ready");
    server.pipelines(json!([pipeline(7, None)]));
    start(browser, server);
    server.send("event: start\ndata: {\"id\":7}\n\n");
    browser.until_state("live");
    server.send(&event(2, &["3", "5"]));
    until("there are primes", || (browser.texts("#primes li") == ["5", "3"]).then_some(()));
}

fn event(count: u64, numbers: &[&str]) -> String {
    format!("data: {}\n\n", json!({ "count": count, "numbers": numbers }))
}

/// Waits until the page has requested the statistics three more times.
fn looks(server: &Scripted) {
    let before = server.asked("/stats");
    until("the page looks again", || (server.asked("/stats") >= before + 3).then_some(()));
}

#[test]
fn a_refusal_is_told_until_the_next_start() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    // Searches of other clients run: with the next statistics, they must not hide the message.
    server.pipelines(json!([pipeline(1, None), pipeline(2, None)]));
    browser.load(&server.url());
    browser.until_state("live elsewhere");
    assert!(browser.text("#run").contains("Search 2, started elsewhere: 40 bits, fast, 5 primes/s"));
    server.refuse(Some((503, "8 pipelines run already: try again later\n")));
    start(&browser, &server);
    browser.until_state("refused: busy");
    looks(&server);
    assert_eq!(browser.text("#state-text"), "refused: busy");
    assert_eq!(browser.text("#note"), "8 pipelines run already: try again later");

    server.refuse(None);
    start(&browser, &server);
    browser.until_state("live");
    assert_eq!(browser.text("#note"), "");
}

#[test]
fn an_error_of_the_server_is_not_called_busy() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    browser.load(&server.url());
    browser.until_state("ready");
    for (status, text) in [(500, "no threads left"), (400, "bits=0: must be from 2 to 64")] {
        server.refuse(Some((status, text)));
        start(&browser, &server);
        until("the page tells why", || browser.text("#note").contains(text).then_some(()));
        looks(&server);
        assert_eq!(browser.text("#state-text"), "failed");
        assert_eq!(browser.text("#note"), format!("The server answered {status}: {text}"));
    }
}

#[test]
fn failed_items_and_the_end_are_told_as_what_they_are() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    let failure = "event: failure\ndata: {\"error\":\"item 3 panicked\",\"index\":3}\n\n";
    let lost = json!({ "error": "the pipeline ended before its source did", "ended": true, "end": "failed" });
    for (end, data, words, note) in [
        (
            "complete",
            json!({ "end": "complete" }),
            "complete, with failures",
            "1 item failed; the last: item 3 panicked",
        ),
        ("stopped", json!({ "end": "stopped" }), "stopped elsewhere", "1 item failed; the last: item 3 panicked"),
        ("failed", lost, "failed", "the pipeline ended before its source did"),
    ] {
        live(&browser, &server);
        server.send(failure);
        until("the failure is told", || {
            (browser.text("#note") == "1 item failed; the last: item 3 panicked").then_some(())
        });
        assert_eq!(browser.text("#state-text"), "live");
        server.pipelines(json!([pipeline(7, Some(end))]));
        server.send(&format!("event: end\ndata: {data}\n\n"));
        browser.until_state(words);
        looks(&server);
        assert_eq!((browser.text("#state-text"), browser.text("#note")), (words.to_owned(), note.to_owned()));
        assert_eq!(browser.text("#tested-rate"), "0");
        server.pipelines(json!([]));
    }
}

#[test]
fn a_stream_that_breaks_off_is_not_called_an_end() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    live(&browser, &server);
    server.cut();
    browser.until_state("connection lost");
    looks(&server);
    assert_eq!(browser.text("#state-text"), "connection lost");
}

/// On a busy machine the statistics may be late, which must not end the search.
#[test]
fn statistics_that_fail_leave_the_search_alone() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    live(&browser, &server);
    server.pipelines(Value::Null);
    browser.until_state("no answer");
    assert_eq!((browser.text("#taken-rate").as_str(), browser.text(".lane-busy").as_str()), ("–", "–"));
    server.send(&event(3, &["7"]));
    until("primes still come", || (browser.text("#found") == "3").then_some(()));
    server.pipelines(json!([pipeline(7, None)]));
    browser.until_state("live");
    assert_eq!(server.asked("/primes"), 1);
}

#[test]
fn stop_waits_for_its_own_search_and_asks_no_more_often_than_otherwise() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    live(&browser, &server);
    browser.click("#stop");
    browser.until_state("stopping");
    until("the page asks to stop", || (server.asked("/searches/7/stop") == 1).then_some(()));
    assert_eq!(server.asked("/stop"), 0);
    // Searches of other clients run, and new ones start.
    server.pipelines(json!([pipeline(7, None), pipeline(8, None)]));
    browser.run("performance.clearResourceTimings()");
    looks(&server);
    looks(&server);
    assert_eq!(browser.text("#state-text"), "stopping");
    let gaps = browser.run(
        "const at = performance.getEntriesByType('resource').filter(it => it.name.endsWith('/stats')).map(it => it.startTime);
        return at.slice(1).map((time, i) => time - at[i])",
    );
    let gaps: Vec<f64> = serde_json::from_value(gaps).expect("they are numbers");
    // A timer may be late, but not early.
    assert!(gaps.len() >= 3 && gaps.iter().all(|gap| *gap > 240.0), "{gaps:?}");

    server.answer_stops(&pipeline(7, Some("stopped")));
    browser.until_state("stopped in ");
    looks(&server);
    assert!(browser.text("#state-text").starts_with("stopped in "));
    assert_eq!(browser.text("#others"), "2 other searches running.");
}

#[test]
fn a_stop_before_the_stream_has_begun_is_kept() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    browser.load(&server.url());
    browser.until_state("ready");
    start(&browser, &server);
    browser.click("#stop");
    browser.until_state("stopping");
    server.send("event: start\ndata: {\"id\":9}\n\n");
    until("the page asks to stop", || (server.asked("/searches/9/stop") == 1).then_some(()));
    server.answer_stops(&pipeline(9, Some("stopped")));
    browser.until_state("stopped in ");
}

#[test]
fn however_many_events_come_the_list_is_drawn_once_per_frame_and_stays_short() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    live(&browser, &server);
    // Numbers the calls that the page has made with its frames. A change of the list is seen right after the call that
    // made it. The time of a frame would not do: Chromium may give two frames the same one.
    browser.run(
        "const request = window.requestAnimationFrame;
        window.calls = 0;
        window.requestAnimationFrame = (draw) => request((now) => { window.calls += 1; draw(now); });
        window.drawn = [];
        new MutationObserver(() => window.drawn.push(window.calls))
            .observe(document.querySelector('#primes'), { childList: true })",
    );
    let numbers: Vec<String> = (0..200).map(|n| (1_000_003 + n).to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    for burst in 0..20 {
        let events: String = (1..=50).map(|n| event((burst * 50 + n) * 1000, &numbers)).collect();
        server.send(&events);
    }
    until("all are counted", || (browser.text("#found") == "1,000,000").then_some(()));
    let drawn: Vec<Value> = serde_json::from_value(browser.run("return window.drawn")).expect("it is a list");
    assert!(!drawn.is_empty() && drawn.windows(2).all(|pair| pair[0] != pair[1]), "{drawn:?}");
    assert_eq!(browser.texts("#primes li").len(), 200);
    assert_eq!(browser.text("#primes li:first-child"), "1000202no. 1,000,000");
    assert_eq!(browser.text("#primes li:last-child"), "1000003no. 999,801");
}
