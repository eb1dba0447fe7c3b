//! What limits a search, the age of the items that run, and how long items wait and run.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::patience::until;
use crate::scripted::{Scripted, pipeline};
use crate::server::Server;

/// Returns a pipeline that the three have limited for so many seconds, after as many.
fn limited(worker: u32, source: u32, consumer: u32) -> Value {
    let mut pipeline = pipeline(3, None);
    pipeline["elapsed_seconds"] = json!(worker + source + consumer);
    pipeline["verdict"] = json!({
        "bottleneck": "worker", "share": 1.0,
        "worker_seconds": worker, "source_seconds": source, "consumer_seconds": consumer,
    });
    pipeline
}

#[test]
fn the_part_that_limits_a_search_now_is_named_and_coloured() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    server.pipelines(json!([limited(10, 0, 0)]));
    browser.load(&server.url());
    let edge = |selector: &str| {
        browser.run(&format!("return getComputedStyle(document.querySelector({selector:?})).borderTopColor"))
    };
    let warn = || {
        browser.run(
            "const probe = document.body.appendChild(document.createElement('i'));
            probe.style.color = 'var(--warn)'; const colour = getComputedStyle(probe).color; probe.remove(); return colour",
        )
    };
    let parts = [".lane", ".generator", ".aggregator"];
    // Each step is so long that what was before counts for nothing.
    for (step, words, part) in [
        (limited(10, 0, 0), "the workers, 100 %", ".lane"),
        (limited(10, 100, 0), "the source, ", ".generator"),
        (limited(10, 100, 1000), "the consumer, ", ".aggregator"),
    ] {
        server.pipelines(json!([step]));
        until(&format!("it is {words}"), || browser.text("#verdict").starts_with(words).then_some(()));
        let coloured: Vec<&str> = parts.into_iter().filter(|part| edge(part) == warn()).collect();
        assert_eq!(coloured, [part]);
    }

    let mut ended = limited(10, 100, 1000);
    ended["ended"] = json!(true);
    server.pipelines(json!([ended]));
    until("nothing limits it", || (browser.text("#verdict") == "–").then_some(()));
    assert!(parts.into_iter().all(|part| edge(part) != warn()));
}

#[test]
fn the_age_of_an_item_is_told_at_its_worker_and_the_oldest_below() {
    let Some(browser) = Browser::start() else { return };
    let server = Scripted::start();
    let worker = |index: u64, seconds: f64| json!({ "busy_seconds": 0, "items": 1, "batches": 1, "rebuilt": 0, "current": { "index": index, "running_seconds": seconds } });
    let mut pipeline = pipeline(3, None);
    pipeline["workers"] = json!([worker(8, 0.001), worker(1234, 75.4), worker(7, 2.04), { "busy_seconds": 0, "items": 0, "current": null }]);
    pipeline["queue_wait"] = json!({ "p50_seconds": 0.000_015, "p99_seconds": 0.25 });
    pipeline["run_time"] = json!({ "p50_seconds": 0.000_000_830, "p99_seconds": 12.0 });
    server.pipelines(json!([pipeline]));
    browser.load(&server.url());
    until("the oldest is told", || (browser.text("#oldest") == "item 1,234 for 75 s, worker 2").then_some(()));
    let told = browser.run("return [...document.querySelectorAll('.lane-told')].map(it => it.textContent)");
    assert_eq!(told, json!(["", "item for 75 s", "item for 2.0 s", ""]));
    let titles = browser.run("return [...document.querySelectorAll('.lane')].map(it => it.title)");
    assert_eq!(titles, json!(["Worker 1", "Worker 2; item for 75 s", "Worker 3; item for 2.0 s", "Worker 4"]));
    assert_eq!((browser.text("#waited").as_str(), browser.text("#ran").as_str()), ("15 µs / 250 ms", "830 ns / 12 s"));

    server.pipelines(Value::Null);
    until("nothing is known", || (browser.text("#oldest") == "–").then_some(()));
    assert_eq!((browser.text("#waited").as_str(), browser.text("#verdict").as_str()), ("–", "–"));
}

#[test]
fn a_slow_consumer_limits_a_search_and_its_items_are_timed() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(2);
    browser.load(&format!("{}?bits=40&finder=fast&pace=1", server.url()));
    browser.until_state("ready");
    assert_eq!(browser.text("#ran"), "–");
    browser.click("#start");
    until("the consumer limits it", || browser.text("#verdict").starts_with("the consumer, ").then_some(()));
    until("the items are timed", || browser.text("#ran").contains(" / ").then_some(()));
    let pipeline = server.pipeline();
    for kind in ["queue_wait", "run_time"] {
        let of = |percentile: &str| pipeline[kind][percentile].as_f64().expect("it is a number");
        assert!(0.0 < of("p50_seconds") && of("p50_seconds") <= of("p99_seconds"), "{pipeline}");
    }
    browser.click("#stop");
    until("there is a summary", || {
        browser.texts("#summary-rows dt").iter().any(|name| name == "Run time p50 / p99").then_some(())
    });
}
