//! Items that panic: what the workers and the aggregator show.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::scripted::{Scripted, pipeline};
use crate::server::Server;

/// Returns a pipeline whose worker was rebuilt so many times.
fn rebuilt(times: u64) -> Value {
    let mut pipeline = pipeline(3, None);
    pipeline["failed"] = json!(times);
    pipeline["elapsed_seconds"] = json!(times + 1);
    pipeline["workers"][0]["rebuilt"] = json!(times);
    pipeline
}

/// Counts the failures that set out for the aggregator.
const WATCH: &str = "window.set_out = 0;
    new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach((node) => {
        if (node.getAttribute('class') === 'failure') window.set_out += 1;
    }))).observe(document.querySelector('#fan-in'), { childList: true })";

fn show(motion: &str) -> Option<Value> {
    let browser = Browser::start()?;
    let features = json!([{ "name": "prefers-reduced-motion", "value": motion }]);
    browser.command("Emulation.setEmulatedMedia", json!({ "features": features }));
    let server = Scripted::start();
    server.pipelines(json!([rebuilt(0)]));
    browser.load(&server.url());
    browser.until_state("live elsewhere");
    until("the worker is shown", || (!browser.text(".lane-busy").is_empty()).then_some(()));
    assert_eq!(browser.text(".lane-told"), "");
    assert_eq!(browser.run("return document.querySelector('#failures').hidden"), true);
    browser.run(WATCH);
    server.pipelines(json!([rebuilt(2)]));
    until("the worker says so", || (browser.text(".lane-told") == "rebuilt 2").then_some(()));
    assert_eq!(browser.run("return document.querySelector('#failures').hidden"), false);
    let label = browser.run("return document.querySelector('.lane .gauge').getAttribute('aria-label')");
    assert_eq!(label, "Worker 1, busy, in percent; rebuilt 2");
    until("the dot has arrived", || {
        (browser.run("return document.querySelectorAll('.wires .failure').length") == 0).then_some(())
    });
    Some(browser.run("return window.set_out"))
}

#[test]
fn a_failure_travels_from_the_worker_that_is_rebuilt_to_the_aggregator() {
    let Some(set_out) = show("no-preference") else { return };
    assert_eq!(set_out, 1);
}

#[test]
fn a_failure_is_told_without_motion_to_a_visitor_who_wants_none() {
    let Some(set_out) = show("reduce") else { return };
    assert_eq!(set_out, 0);
}

/// The server sends at most ten failures per second, and then their number.
#[test]
fn every_panic_is_counted_and_the_newest_is_named() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    browser.load(&format!("{}?bits=20&finder=fast&panic=10", server.url()));
    browser.until_state("ready");
    browser.click("#start");
    until("many have failed", || {
        let note = browser.text("#note");
        let (failures, rest) = note.split_once(" items failed; the last: item ")?;
        assert!(rest.ends_with("9 panicked"), "{note}");
        (failures.replace(',', "").parse::<u64>().expect("it is a number") > 100).then_some(())
    });
    browser.click("#drain");
    browser.until_state("drained");
    let failed = server.pipeline()["failed"].as_u64().expect("it is a number");
    until("they are all counted", || {
        let note = browser.text("#note").replace(',', "");
        note.starts_with(&format!("{failed} items failed")).then_some(())
    });
}
